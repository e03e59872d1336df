"""The simulated store answers as a real one: what a run asked of it is asked of Valkey again."""

from importlib.resources import files
from typing import Any

import pytest
from redis import Redis
from redis.commands.core import Script

from tests.simulation.store import server
from tests.simulation.world import simulate

Call = tuple[str, list[str], list[str], Any]


def recorded(seed: int, monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Every script of a run, with its answer."""
    calls: list[Call] = []
    reset = type(server()).reset

    def listening(self: Any, on_script: Any, on_wake: Any) -> None:  # noqa: ANN401  the server's own signature
        def note(name: str, keys: list[str], args: list[str], answer: Any) -> None:  # noqa: ANN401  a Lua value
            calls.append((name, keys, args, answer))
            on_script(name, keys, args, answer)

        reset(self, note, on_wake)

    with monkeypatch.context() as patch:
        patch.setattr(type(server()), "reset", listening)
        assert simulate(seed).is_clean
    return calls


def source(name: str) -> str:
    """A script as the service sends it."""
    folder = files("phoneagent.store").joinpath("lua")
    return folder.joinpath("clock.lua").read_text() + folder.joinpath(f"{name}.lua").read_text()


def unordered(answer: Any) -> Any:  # noqa: ANN401  a Lua value
    """An answer with its records as mappings: the order of a hash's fields is nobody's promise."""
    if isinstance(answer, list) and "lease_fence" in answer:
        return dict(zip(answer[::2], answer[1::2], strict=True))
    return [unordered(one) for one in answer] if isinstance(answer, list) else answer


@pytest.mark.parametrize("seed", [11, 2727])
def test_valkey_gives_every_answer_of_a_run_again(seed: int, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(seed, monkeypatch)

    with Redis.from_url(redis_url, decode_responses=True) as valkey:
        scripts = {name: Script(valkey, source(name)) for name in {call[0] for call in calls}}
        answers = [scripts[name](keys, args) for name, keys, args, _ in calls]

    assert len(calls) > 100
    assert [unordered(answer) for answer in answers] == [unordered(answer) for *_, answer in calls]
