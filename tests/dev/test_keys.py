"""The development keys: made once, kept, and completed when a new part needs one that was not there before."""

import json
from pathlib import Path

from phoneagent.dev.keys import load_or_make


def test_keys_are_kept(tmp_path: Path) -> None:
    assert load_or_make(tmp_path) == load_or_make(tmp_path) != load_or_make(None)


def test_a_directory_of_before_gets_the_keys_it_lacks_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    load_or_make(tmp_path)
    old = json.loads(path.read_text())
    del old["hero_api_key"]
    path.write_text(json.dumps(old))

    keys = load_or_make(tmp_path)

    assert keys.wallet == old["wallet"]
    assert keys.hero_api_key
    assert load_or_make(tmp_path) == keys
