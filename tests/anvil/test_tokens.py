"""Our token on the embedded chain against Circle's FiatTokenV2_2 on anvil: every act done on both, and compared.

What differs is listed here and argued in docs/decisions/0047; a difference that is not listed fails, and so does a
listed one that is gone. A plain run tries a part of the acts, `scripts/anvil` all of them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from phoneagent.dev.chain import USDC_ADDRESS, token_abi
from tests.anvil import circle, node
from tests.anvil.messages import FORMS, KINDS, MOST, NOBODY, ONES, ZERO, Signed, good, sign, spoilt
from tests.anvil.twins import BALANCE, BLOCKED, DELEGATED, KEYED, Act, Twins, place, set_stage, without_dirt
from tests.dev.chain.driver import (
    DOLLAR,
    DOMAIN,
    FAR_S,
    OWNER,
    PAYEE,
    PAYER,
    RELAYER,
    START_S,
    STRANGER,
    TYPES,
    Bench,
    calldata,
)

IS_WHOLE = os.environ.get("ANVIL_WHOLE") == "1"
EVERY = 1 if IS_WHOLE else 4
SEQUENCES = 150 if IS_WHOLE else 8

LEFT_OUT = {
    "burn(uint256)",
    "initialize(string,string,string,uint8,address,address,address,address)",
    "initializeV2(string)",
    "initializeV2_1(address)",
    "initializeV2_2(address[],string)",
    "rescueERC20(address,address,uint256)",
    "rescuer()",
    "transferOwnership(address)",
    "updateBlacklister(address)",
    "updateMasterMinter(address)",
    "updatePauser(address)",
    "updateRescuer(address)",
    "Burn(address,uint256)",
    "BlacklisterChanged(address)",
    "MasterMinterChanged(address)",
    "OwnershipTransferred(address,address)",
    "PauserChanged(address)",
    "RescuerChanged(address)",
}
"""What Circle's operators do and nobody else can: not in our token."""

PROXY = {"admin()", "implementation()", "changeAdmin(address)", "upgradeTo(address)", "upgradeToAndCall(address,bytes)"}
PROXY_EVENTS = {"AdminChanged(address,address)", "Upgraded(address)"}
"""Ours stands at its address itself: nobody can replace it."""


def differing(kind: str, form: str) -> set[str]:
    """The calldata that the two compilers' decoders judge differently.

    It is an address or a `v` with bits above its type, which Circle's masks and ours refuses; and an offset so large
    that ours runs out of gas where Circle's reverts.
    """
    typed = zip(KINDS[kind].names, KINDS[kind].types.split(","), strict=True)
    dirty = {f"dirty {name}" for name, type_name in typed if type_name == "address"}
    return dirty | ({"dirty v"} if form == "vrs" else {"offset 2^64"})


@pytest.fixture(scope="module")
def stage(npm_packages: None) -> Iterator[Twins]:  # noqa: ARG001  the packages must be there first
    bench = Bench()
    with node.running("--timestamp", str(START_S - 1000)) as anvil:
        circle.deploy(anvil, OWNER)
        yield set_stage(bench, anvil)
    bench.chain.close()


@pytest.fixture
def twins(stage: Twins) -> Twins:
    """Both chains with nothing noted yet; whatever a test changes it must leave alike on both."""
    stage.differences.clear()
    return stage


def same_balances(twins: Twins) -> None:
    """Compare what is left behind: a difference that no answer and no log showed would be in the state."""
    for address in (*(one.address for one in KEYED), *twins.wallets.values(), NOBODY):
        for getter in ("balanceOf(address)", "nonces(address)"):
            twins.compare(f"afterwards: {getter} of {address}", Act(calldata(getter, address), NOBODY))


# ------------------------------------------------------------------------------------------------- what they are


def test_both_offer_the_same_functions_and_events(npm_packages: None) -> None:  # noqa: ARG001  they must be there first
    ours, theirs = (_interface(abi) for abi in (token_abi(), circle.artifact("v2/FiatTokenV2_2")["abi"]))

    assert set(_interface(circle.artifact("v1/FiatTokenProxy")["abi"])) == PROXY | PROXY_EVENTS
    assert set(theirs) - set(ours) == LEFT_OUT
    assert set(ours) <= set(theirs)
    assert {name: shape for name, shape in ours.items() if shape != theirs[name]} == {
        # A client does not see it: nothing is written either way, and the answer is a constant.
        "version()": ("function", "view", ("string",), ()),
    }


def _interface(abi: list[dict[str, Any]]) -> dict[str, tuple[object, ...]]:
    entries = [entry for entry in abi if entry["type"] in {"function", "event"}]
    return {
        f"{entry['name']}({','.join(one['type'] for one in entry['inputs'])})": (
            entry["type"],
            entry.get("stateMutability"),
            tuple(one["type"] for one in entry.get("outputs", [])),
            tuple(one.get("indexed") for one in entry["inputs"] if entry["type"] == "event"),
        )
        for entry in entries
    }


def test_what_neither_knows_is_refused_alike(twins: Twins) -> None:
    for name in ("burnEverything()", "getOwner()", "eip712Domain()", *sorted(PROXY)):
        twins.compare(name, Act(keccak(text=name)[:4]))
    for name, data in {"nothing": b"", "a byte": b"\x01", "three bytes": b"\xa9\x05\x9c"}.items():
        twins.compare(name, Act(data))
        twins.compare(f"{name} with ether", Act(data, value=1))

    # Circle's proxy tells everybody where its code and its admin are.
    assert set(twins.differences) == {"admin()", "implementation()"}


# --------------------------------------------------------------------------------------------- the signed messages


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_message_spoilt_in_any_way_is_seen_alike(twins: Twins, kind: str, form: str) -> None:
    listed = differing(kind, form)
    answers = [
        twins.compare(name, message.act())
        for at, (name, message) in enumerate(spoilt(twins, KINDS[kind], form))
        if at % EVERY == 0 or name in listed
    ]
    same_balances(twins)

    assert {name: seen for name, seen in twins.differences.items() if name not in listed} == {}
    assert set(twins.differences) == listed
    succeeded = sum(answer.status == "0x1" for answer in answers)
    assert 3 < succeeded < len(answers) // 2, "both the good and the bad must have been tried"


@pytest.mark.parametrize(
    ("form", "length"), [("vrs", 65), *(("bytes", length) for length in (0, 1, 31, 32, 33, 65, 640))]
)
def test_a_wallet_is_asked_with_the_same_bytes(twins: Twins, form: str, length: int) -> None:
    signature = (b"\x5a\xc3" * 320)[:length]
    wallet = place(twins, PARTICULAR_WALLET)
    twins.do(OWNER, "mint(address,uint256)", wallet, DOLLAR)
    message = good(twins, KINDS["transfer"], form, f"asked with {length}", **{"from": wallet}).message
    question = keccak(text="isValidSignature(bytes32,bytes)")[:4] + encode(
        ["bytes32", "bytes"], [_digest(message), signature]
    )
    act = Signed(KINDS["transfer"], form, message, signature).act()

    before = twins.compare("before it knows", act)
    twins.compare("teach", Act(keccak(question), to=wallet))
    after = twins.compare("when it knows", act)

    assert not twins.differences
    assert "invalid signature" in before.tried
    assert after.status == "0x1"


PARTICULAR_WALLET = bytes.fromhex(
    "60203614601757365f5f37365f205f5414601d575f5ffd5b5f355f55005b631626ba7e60e01b5f5260205ff3"
)
"""A wallet that says yes to the one call whose hash it was taught by a call of 32 bytes, and reverts at any other."""


def _digest(message: dict[str, Any]) -> bytes:
    signable = encode_typed_data(DOMAIN, {"TransferWithAuthorization": TYPES["TransferWithAuthorization"]}, message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def test_a_reason_differs_at_most_in_what_stands_behind_its_text(twins: Twins) -> None:
    """Circle's compiler pads some reasons with whatever the memory held; a reader of the text never gets there."""
    act = good(twins, KINDS["transfer"], "vrs", "too much", value=MOST).act()
    ours, theirs = (side.revert_data(act) for side in twins.sides)

    assert ours != theirs
    assert without_dirt(theirs) == without_dirt(ours) == ours
    assert ours.endswith("00" * 26)
    assert theirs.endswith("00" * 25 + "41")


# ---------------------------------------------------------------------------------------------- the plain functions


AMOUNTS = (0, 1, BALANCE // 4, 10 * BALANCE, 2**255 - 1, 2**255, MOST)
PLACES = {"zero": ZERO, "ones": ONES, "token": USDC_ADDRESS, "payer": PAYER.address, "blocked": BLOCKED.address,
          "nobody": NOBODY, "delegated": DELEGATED.address}  # fmt: skip


def test_plain_transfers_and_allowances_are_seen_alike(twins: Twins) -> None:
    for at, ((where, to), amount) in enumerate(product(PLACES.items(), AMOUNTS)):
        if at % EVERY == 0:
            for function in ("transfer", "approve", "increaseAllowance", "decreaseAllowance"):
                act = Act(calldata(f"{function}(address,uint256)", to, amount), STRANGER)
                twins.compare(f"{function} {where} {amount}", act)
                twins.compare(f"{function} {where} {amount}, by the blocked", replace(act, sender=BLOCKED))
    same_balances(twins)

    assert not twins.differences


def test_spending_an_allowance_is_seen_alike(twins: Twins) -> None:
    for owner, spender, allowed in product((PAYER, BLOCKED, DELEGATED), (RELAYER, BLOCKED), (0, DOLLAR, MOST)):
        approval = calldata("approve(address,uint256)", spender.address, allowed)
        twins.compare(f"approve {owner.address} {spender.address} {allowed}", Act(approval, owner))
        for at, ((where, to), amount) in enumerate(product(PLACES.items(), (0, 1, DOLLAR, 10 * BALANCE))):
            if at % EVERY == 0:
                data = calldata("transferFrom(address,address,uint256)", owner.address, to, amount)
                name = f"{spender.address} takes {amount} of {allowed} from {owner.address} for {where}"
                twins.compare(name, Act(data, spender))
    same_balances(twins)

    assert not twins.differences


def test_the_owners_powers_are_seen_alike(twins: Twins) -> None:
    calls = [
        *(
            calldata("configureMinter(address,uint256)", to, amount)
            for to, amount in product((RELAYER.address, ZERO), (0, 5, MOST))
        ),
        *(
            calldata("mint(address,uint256)", to, amount)
            for to, amount in product(PLACES.values(), (0, 1, 5, 6, 2**255, MOST))
        ),
        calldata("removeMinter(address)", RELAYER.address),
        calldata("removeMinter(address)", NOBODY),
        *(
            calldata(f"{verb}(address)", who)
            for verb in ("blacklist", "unBlacklist", "blacklist")
            for who in (NOBODY, ZERO)
        ),
        *(calldata("unBlacklist(address)", who) for who in (NOBODY, ZERO)),
        *(calldata(f"{verb}()") for verb in ("pause", "pause", "unpause", "unpause")),
    ]
    for at, data in enumerate(calls):
        for sender in (STRANGER, RELAYER, BLOCKED, OWNER):
            twins.compare(f"{at} {data[:4].hex()} by {sender.address}", Act(data, sender))
    same_balances(twins)

    assert not twins.differences


# --------------------------------------------------------------------------------------- paused, blacklisted, broke


REFUSING = {
    "paused": ("pause()", "unpause()", ()),
    "payer blacklisted": ("blacklist(address)", "unBlacklist(address)", (PAYER.address,)),
    "payee blacklisted": ("blacklist(address)", "unBlacklist(address)", (PAYEE.address,)),
    "relayer blacklisted": ("blacklist(address)", "unBlacklist(address)", (RELAYER.address,)),
}


@contextlib.contextmanager
def state(twins: Twins, name: str) -> Iterator[None]:
    """Both tokens in one of the states that refuse, and back."""
    begin, end, who = REFUSING[name]
    twins.do(OWNER, begin, *who)
    try:
        yield
    finally:
        twins.do(OWNER, end, *who)


@pytest.mark.parametrize("name", REFUSING)
def test_a_state_that_refuses_does_so_alike_and_in_the_same_order(twins: Twins, name: str) -> None:
    with state(twins, name):
        for kind, form in product(KINDS, FORMS):
            made = good(twins, KINDS[kind], form, name)
            twins.compare(f"{kind} {form}", made.act())
            wrong = Signed(made.kind, made.form, made.message, bytes(65), made.sender)
            twins.compare(f"{kind} {form}, wrong too", wrong.act())
        for sender in (PAYER, PAYEE, RELAYER):
            for data in (
                calldata("transfer(address,uint256)", PAYEE.address, 1),
                calldata("transferFrom(address,address,uint256)", PAYER.address, PAYEE.address, MOST),
                calldata("approve(address,uint256)", PAYEE.address, 1),
                calldata("increaseAllowance(address,uint256)", PAYEE.address, 1),
                calldata("decreaseAllowance(address,uint256)", PAYEE.address, 1),
                calldata("mint(address,uint256)", PAYEE.address, 1),
                calldata("configureMinter(address,uint256)", PAYEE.address, 1),
            ):
                twins.compare(f"{data.hex()} by {sender.address}", Act(data, sender))
        twins.compare("mint by the owner", Act(calldata("mint(address,uint256)", PAYEE.address, 1), OWNER))
        same_balances(twins)

    assert not twins.differences


# -------------------------------------------------------------------------------------------------- any order at all


accounts = st.sampled_from(KEYED)
addresses = st.one_of(accounts.map(lambda one: one.address), st.sampled_from([ZERO, USDC_ADDRESS, NOBODY]))
amounts = st.one_of(st.integers(0, 3 * DOLLAR), st.sampled_from(AMOUNTS))
moments = st.one_of(st.integers(-3, 3), st.just(-START_S), st.just(FAR_S))


@given(data=st.data())
@settings(
    max_examples=SEQUENCES, phases=[Phase.explicit, Phase.generate]
)  # the chains go on: a smaller story is another one
def test_any_sequence_of_acts_is_seen_alike(stage: Twins, data: st.DataObject) -> None:
    stage.differences.clear()
    for _ in range(data.draw(st.integers(1, 12), label="acts")):
        stage.compare("act", data.draw(acts(stage), label="act"))
        assert not stage.differences
    same_balances(stage)
    assert not stage.differences


@st.composite
def acts(draw: st.DrawFn, twins: Twins) -> Act:
    kind = draw(st.sampled_from([*KINDS.values(), None]))
    if kind is None:
        return _plain_act(draw)
    signer = draw(accounts)
    message: dict[str, Any] = {}
    for one in TYPES[kind.primary_type]:
        name = one["name"]
        if name in {"validAfter", "validBefore", "deadline"}:
            message[name] = max(0, twins.now + draw(moments))
        elif one["type"] == "address":
            message[name] = draw(addresses)
        elif name == "nonce" and kind is KINDS["permit"]:
            message[name] = twins.number("nonces(address)", signer.address)
        else:
            message[name] = draw(amounts) if name == "value" else draw(st.integers(0, 20)).to_bytes(32, "big")
    if draw(st.booleans()):
        message[next(iter(message))] = signer.address
    signature = sign(signer, kind.primary_type, message)
    return Signed(kind, draw(st.sampled_from(FORMS)), message, signature, draw(accounts)).act()


def _plain_act(draw: st.DrawFn) -> Act:
    function = draw(
        st.sampled_from(["transfer", "approve", "increaseAllowance", "decreaseAllowance", "transferFrom", "mint"])
    )
    if function == "transferFrom":
        return Act(
            calldata("transferFrom(address,address,uint256)", draw(addresses), draw(addresses), draw(amounts)),
            draw(accounts),
        )
    return Act(calldata(f"{function}(address,uint256)", draw(addresses), draw(amounts)), draw(accounts))


def test_after_all_of_it_everything_readable_reads_alike(twins: Twins) -> None:
    twins.compare_reads("afterwards", [*(one.address for one in KEYED), *twins.wallets.values(), USDC_ADDRESS, NOBODY])
    for account, nonce in product(KEYED, (keccak(text="never used"), *(at.to_bytes(32, "big") for at in range(21)))):
        data = calldata("authorizationState(address,bytes32)", account.address, nonce)
        twins.compare(f"{account.address} {nonce.hex()}", Act(data, NOBODY))

    assert not twins.differences
