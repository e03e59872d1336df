"""What the judges are expected to say of each mutation: the payments all of them take, and where they differ.

It must list a difference with its reason, or the test that holds this list fails; decision 0036 argues the reasons.
"""

from __future__ import annotations

from tests.interop.agreement import ALL, NONE, Verdicts

BOTH = (1, 2)

TAKEN = {
    ("right", BOTH),
    ("right_window", BOTH),
    ("hex_in_upper_case", BOTH),
    ("number_as_json_integer", BOTH),
    ("extra_members", BOTH),
    ("without_resource_and_extensions", (2,)),
    ("optional_member_null", (2,)),
    ("resource_of_another_route", (2,)),
    ("accepted_names_another_timeout", (2,)),
    ("accepted_names_another_domain", (2,)),
    ("accepted_in_another_letter_case", (2,)),
    ("contract_that_agrees", BOTH),
    ("contract_that_agrees_to_65_bytes", BOTH),
}
"""Payments that all three take. What stands in neither list is refused by all three."""

KINDER = Verdicts(official=False, facilitator=True, service=True)
"""We take what the official facilitator does not, in this spelling: it gets another one from us, and takes that."""

STRICTER = Verdicts(official=True, facilitator=False, service=False)
"""We refuse what the official facilitator would take."""

SHOP_ONLY = Verdicts(official=True, facilitator=True, service=False)
"""A facilitator has no reason to refuse it; the service, which sells something for it, has."""

DIFFERENCES: dict[tuple[str, tuple[int, ...]], tuple[Verdicts, str]] = {
    ("addresses_in_another_letter_case", BOTH): (KINDER, "an address is its bytes; web3.py wants a checksum"),
    ("address_with_upper_case_prefix", BOTH): (KINDER, "an address is its bytes; web3.py wants 0x"),
    ("hex_with_upper_case_prefix", BOTH): (KINDER, "hex is its bytes; the official one strips only 0x"),
    ("hex_without_prefix", BOTH): (STRICTER, "without 0x others may read it as text; no client writes it"),
    ("hex_with_spaces", BOTH): (STRICTER, "Python's reader skips spaces, others do not"),
    ("number_spelled_otherwise", BOTH): (STRICTER, "Python's int() takes signs, spaces and underscores, others do not"),
    ("number_in_foreign_digits", BOTH): (STRICTER, "Python's int() takes every script's digits, others do not"),
    ("number_as_json_float", BOTH): (STRICTER, "money is never a float"),
    ("signature_with_v_0_or_1", BOTH): (STRICTER, "USDC refuses v 0 and 1; the official one adds 27 before it asks"),
    ("signature_with_a_factory_for_a_wallet", BOTH): (STRICTER, "ERC-6492 is not unwrapped here (ARCHITECTURE §4.4)"),
    ("ends_before_a_rental_does", BOTH): (SHOP_ONLY, "it could not be settled when the SMS comes"),
    ("ends_long_after_what_was_offered", BOTH): (SHOP_ONLY, "we hold no authorization longer than we asked for"),
    ("ends_never", BOTH): (STRICTER, "times must stay exact in the store's doubles"),
    ("another_protocol_version", (2,)): (STRICTER, "the official one reads every number but 1 as version 2"),
    ("protocol_version_of_another_type", (2,)): (STRICTER, "the official one reads digits in a string as a number"),
    ("protocol_version_missing", BOTH): (STRICTER, "the official one assumes a version; we never guess one"),
    ("permit2_beside_it", (1,)): (STRICTER, "others read permit2Authorization first: two payments in one"),
    ("member_twice", BOTH): (SHOP_ONLY, "parsers differ on which one counts; ours in dev reads as Python does"),
    ("member_twice_but_for_its_case", BOTH): (STRICTER, "Go reads both as one member"),
    ("accepted_names_another_sum", (2,)): (STRICTER, "the payer was told another sum than it signed"),
    ("accepted_names_another_payee", (2,)): (STRICTER, "the payer was told another payee than it signed"),
    ("accepted_names_another_token", (2,)): (STRICTER, "the payer was told another token than it signed"),
    ("timeout_of_accepted_of_another_type", (2,)): (STRICTER, "the TypeScript SDK takes a number only"),
}


def expected(name: str, version: int) -> Verdicts:
    """Return what the judges are to say of a mutation in a version."""
    for (listed, versions), (verdicts, _) in DIFFERENCES.items():
        if listed == name and version in versions:
            return verdicts
    return ALL if any(listed == name and version in versions for listed, versions in TAKEN) else NONE


__all__ = ["DIFFERENCES", "TAKEN", "expected"]
