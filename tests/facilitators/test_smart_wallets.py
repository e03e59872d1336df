"""Payers that are contracts, on the real token: judged by simulation, deployed or not (chain.md §4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_abi.abi import encode
from eth_account import Account

from phoneagent.core.payment import Payment
from phoneagent.core.ports import Paid, SettleClaimed, SettleDeclined
from phoneagent.facilitators import RpcChain, reasons
from phoneagent.facilitators.deployless import first_then
from phoneagent.facilitators.nodes import Nodes
from phoneagent.x402 import BASE, authorization_digest
from phoneagent.x402.erc6492 import MAGIC, unwrap
from tests.facilitators.contracts import FACTORY, WALLET, code, selector
from tests.facilitators.payments import MULE_KEY, PAYER_KEY, PRICE, address, signed
from tests.facilitators.world import World, checksum
from tests.waiting import within

ZERO = "0x" + "00" * 20


async def send(world: World, to: str | None, data: bytes, key: str | bytes = MULE_KEY) -> dict[str, Any]:
    """A transaction; returns its receipt."""
    made = Account.from_key(key).sign_transaction(
        {
            "data": data,
            "nonce": await world.nonce(address(key), "pending"),
            "gas": 2_000_000,
            "maxFeePerGas": 10**9,
            "maxPriorityFeePerGas": 10**8,
            "chainId": BASE.chain_id,
            "value": 0,
            **({} if to is None else {"to": checksum(to)}),
        }
    )
    tx_hash = str(await world.rpc.read("eth_sendRawTransaction", "0x" + made.raw_transaction.hex()))
    receipt = await world.receipt(tx_hash)
    assert receipt["status"] == "0x1"
    return receipt


async def factory_of(world: World) -> str:
    wallet = (await send(world, None, code(WALLET)))["contractAddress"]
    arguments = encode(["address"], [wallet])
    return str((await send(world, None, code(FACTORY) + arguments))["contractAddress"]).lower()


def creation(owner: str) -> bytes:
    return selector("create(address)") + encode(["address"], [owner])


async def wallet_at(world: World, factory: str, owner: str) -> str:
    """Where the factory puts a wallet of this owner."""
    answer = await world.rpc.read("eth_call", {"to": factory, "data": "0x" + creation(owner).hex()}, "latest")
    return f"0x{str(answer)[-40:]}"


def owned(wallet: str, key: str = PAYER_KEY) -> Payment:
    """A payment of a wallet, signed by an owner: a word of its own, then the signature; 97 bytes."""
    auth = replace(signed().authorization, payer=wallet)
    made = Account.unsafe_sign_hash(authorization_digest(auth, BASE.usdc), key)
    signature = "0x" + (bytes(32) + bytes(made.signature)).hex()
    return replace(signed(), authorization=auth, signature=signature, is_proven=False)


def wrapped(payment: Payment, factory: str, calldata: bytes) -> Payment:
    inner = bytes.fromhex(payment.signature[2:])
    body = encode(["address", "bytes", "bytes"], [factory, calldata, inner])
    return replace(payment, signature=f"0x{body.hex()}{MAGIC}")


async def deployed(world: World, key: str = PAYER_KEY) -> str:
    factory, owner = await factory_of(world), address(key)
    wallet = await wallet_at(world, factory, owner)
    await send(world, factory, creation(owner))
    await world.chain.mint(wallet, 5 * PRICE)
    return wallet


# ---- ERC-1271 --------------------------------------------------------------------------------------------------------


async def test_a_wallet_contract_pays_with_a_signature_of_its_own_kind(world: World) -> None:
    payment, start = owned(await deployed(world)), await world.head()

    reading = await within(world.witness().read_payer(payment))
    answer = await within((await world.local()).settle(payment))

    assert (reading.payer_has_code, reading.refusal) == (True, None)
    assert isinstance(answer, SettleClaimed)
    assert isinstance(await within(world.witness().find_settlement(payment, start)), Paid)


async def test_a_stranger_signs_for_no_wallet_contract(world: World) -> None:
    payment = owned(await deployed(world), MULE_KEY)

    reading = await within(world.witness().read_payer(payment))

    assert reading.refusal == "FiatTokenV2: invalid signature"
    assert isinstance(await within((await world.local()).settle(payment)), SettleDeclined)


async def test_a_wallet_whose_owner_went_refuses_a_payment_it_had_signed_and_that_is_its_own_doing(
    world: World,
) -> None:
    wallet = await deployed(world)
    payment = owned(wallet)
    assert (await within(world.witness().read_payer(payment))).refusal is None
    data = selector("hand_over(address)") + encode(["address"], ["0x" + "99" * 20])
    await send(world, wallet, data, PAYER_KEY)

    reading = await within(world.witness().read_payer(payment))

    assert not reading.is_authorization_used
    assert reading.blames_payer(PRICE)


# ---- ERC-6492 --------------------------------------------------------------------------------------------------------


async def test_a_wallet_that_is_not_deployed_is_judged_only_behind_a_factory_that_is_allowed(world: World) -> None:
    factory, owner = await factory_of(world), address(PAYER_KEY)
    wallet = await wallet_at(world, factory, owner)
    await world.chain.mint(wallet, 5 * PRICE)
    payment = wrapped(owned(wallet), factory, creation(owner))

    refused = await within(world.witness().read_payer(payment))
    elsewhere = await within(
        RpcChain(Nodes.only(world.rpc), factories=frozenset({"0x" + "12" * 20})).read_payer(payment)
    )
    allowed = await within(RpcChain(Nodes.only(world.rpc), factories=frozenset({factory})).read_payer(payment))

    assert not refused.payer_has_code
    assert not elsewhere.payer_has_code
    assert (allowed.payer_has_code, allowed.refusal, allowed.balance_atomic) == (True, None, 5 * PRICE)
    assert await world.rpc.read("eth_getCode", wallet, "latest") == "0x", "nothing was deployed by looking"


async def test_an_allowed_factory_does_not_make_a_strangers_signature_good(world: World) -> None:
    factory, owner = await factory_of(world), address(PAYER_KEY)
    wallet = await wallet_at(world, factory, owner)
    await world.chain.mint(wallet, 5 * PRICE)
    witness = RpcChain(Nodes.only(world.rpc), factories=frozenset({factory}))

    forged = await within(witness.read_payer(wrapped(owned(wallet, MULE_KEY), factory, creation(owner))))
    undeployed = await within(witness.read_payer(wrapped(owned(wallet), factory, b"nonsense")))
    someone = await within(witness.read_payer(wrapped(owned(wallet), factory, creation(address(MULE_KEY)))))

    assert forged.refusal == "FiatTokenV2: invalid signature"
    assert undeployed.refusal is not None
    assert someone.refusal is not None


async def test_a_poor_wallet_that_is_not_deployed_is_refused_in_the_tokens_own_words(world: World) -> None:
    factory, owner = await factory_of(world), address(PAYER_KEY)
    payment = wrapped(owned(await wallet_at(world, factory, owner)), factory, creation(owner))

    reading = await within(RpcChain(Nodes.only(world.rpc), factories=frozenset({factory})).read_payer(payment))

    assert (reading.balance_atomic, reading.refusal) == (0, "ERC20: transfer amount exceeds balance")


async def test_a_deployed_wallets_wrapping_is_taken_off_whatever_its_factory(world: World) -> None:
    payment = wrapped(owned(await deployed(world)), ZERO, b"")

    reading = await within(world.witness().read_payer(payment))

    assert (reading.payer_has_code, reading.refusal) == (True, None)
    assert isinstance(await within((await world.local()).settle(payment)), SettleClaimed)


async def test_our_relayer_deploys_nothing(world: World) -> None:
    factory, owner = await factory_of(world), address(PAYER_KEY)
    wallet = await wallet_at(world, factory, owner)
    await world.chain.mint(wallet, 5 * PRICE)

    answer = await within((await world.local()).settle(wrapped(owned(wallet), factory, creation(owner))))

    assert isinstance(answer, SettleDeclined)
    assert answer.reason == reasons.INVALID_SIGNATURE
    assert await world.rpc.read("eth_getCode", wallet, "latest") == "0x"


def test_what_is_not_well_wrapped_is_not_unwrapped() -> None:
    good = wrapped(owned("0x" + "11" * 20), "0x" + "22" * 20, b"deploy")
    whole = unwrap(good.signature)
    assert whole is not None
    assert (whole.factory, whole.factory_calldata) == ("0x" + "22" * 20, b"deploy")
    body = good.signature[: -len(MAGIC)]
    for end in range(2, len(body), 2):
        if body[end:].strip("0"):  # the padding of the last bytes may be missing
            assert unwrap(body[:end] + MAGIC) is None
    assert unwrap("0x" + "ff" * 96 + MAGIC) is None
    assert unwrap(body) is None


async def test_of_two_calls_in_one_only_the_second_counts(world: World) -> None:
    reverts, works = bytes.fromhex("60006000fd"), bytes.fromhex("00")
    refusing, willing = [
        (await send(world, None, bytes.fromhex(f"60{len(code):02x}80600b6000396000f3") + code))[
            "contractAddress"
        ].lower()
        for code in (reverts, works)
    ]

    async def run(first: str, then: str) -> object:
        return await world.rpc.ask("eth_call", {"data": first_then((first, b"ab"), (then, b""))}, "latest")

    assert await run(refusing, willing) == "0x"
    assert await run(willing, willing) == "0x"
    assert await run(willing, refusing) != "0x"
