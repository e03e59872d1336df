from __future__ import annotations

from phoneagent.dev.chain import token_abi
from phoneagent.dev.chain.token import artifact
from phoneagent.dev.chain.token_build import ARTIFACT, rendered
from tests.dev.chain.driver import STRANGER, Bench


def test_the_committed_artifact_is_what_the_compiler_makes_of_the_source() -> None:
    assert rendered() == ARTIFACT.read_text()


def test_the_abi_lists_both_overloads_of_every_signed_message() -> None:
    shapes = {
        (entry["name"], entry["inputs"][-1]["type"])
        for entry in token_abi()
        if entry["type"] == "function" and entry["inputs"]
    }

    for name in ("transferWithAuthorization", "receiveWithAuthorization", "cancelAuthorization", "permit"):
        assert {(name, "bytes32"), (name, "bytes")} <= shapes


def test_the_creation_code_deploys_the_runtime_code_that_genesis_installs(bench: Bench) -> None:
    receipt = bench.send(STRANGER, artifact().creation_code, to=None)
    deployed = bench.ask("eth_getCode", receipt["contractAddress"])

    assert deployed == "0x" + artifact().runtime_code.hex()
