"""The command line: one verb each for serving, working, development and documents.

A wrong configuration ends with status 2 and every problem named; nothing is started half-way.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import re
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from phoneagent import __version__, logs

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  it has no public name

CONFIGURATION_STATUS = 2
NOTHING_DONE_STATUS = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    options = _parser().parse_args(argv)
    try:
        logs.set_up(os.environ.get("PHONEAGENT_LOG_LEVEL", "INFO").upper())
    except ValueError:
        sys.stderr.write(f"PHONEAGENT_LOG_LEVEL: must be one of {', '.join(logs.LEVELS)}\n")
        return CONFIGURATION_STATUS
    status: int = options.run(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="phoneagent", description="Phone numbers for agents, paid on delivery.")
    parser.add_argument("--version", action="version", version=f"phoneagent {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, text in (("serve", "serve the web API"), ("work", "run the workers"), ("all", "serve and work")):
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=_process, role=name)
        if name != "work":
            command.add_argument("--host", help="address to bind")
            command.add_argument("--port", type=int, help="port to bind")
    dev = commands.add_parser("dev", help="run everything on this machine with embedded parts")
    dev.add_argument("--port", type=int, default=0, help="port of the service (0: a free one)")
    dev.add_argument("--json", action="store_true", help="announce on one line of JSON")
    dev.add_argument("--data", type=Path, help="directory that keeps everything across restarts")
    dev.add_argument("--infra", action="store_true", help="start only store, chain, facilitator and simulators")
    dev.set_defaults(run=_dev)
    payers = commands.add_parser("payers", help="look at payers and unblock them")
    verbs = payers.add_subparsers(required=True, metavar="verb")
    listing = verbs.add_parser("list", help="blocked payers, one line of JSON each")
    listing.add_argument("--all", action="store_true", help="every payer that ever claimed anything")
    for name, text in (("show", "one payer's account"), ("unblock", "lift a payer's block and cooldown")):
        verbs.add_parser(name, help=text).add_argument("address", type=_address, help="0x and 40 hex digits")
    payers.set_defaults(run=_payers)
    for name, verb in verbs.choices.items():
        verb.set_defaults(verb=name)
    probe = commands.add_parser("probe", help="ask a number provider what our key can do there; buys nothing")
    probe.add_argument("provider", choices=("smsfast", "hero-sms", "generic"))
    probe.add_argument("--json", action="store_true", help="report in JSON")
    probe.set_defaults(run=_probe)
    openapi = commands.add_parser("openapi", help="print the OpenAPI document")
    openapi.set_defaults(run=_openapi)
    errors = commands.add_parser("errors", help="print docs/errors.md: every error code and what to do next")
    errors.set_defaults(run=_errors)
    _add_switch(commands)
    _add_ledger(commands)
    trail = commands.add_parser("trail", help="print the audit trail: switches, blocks, screened payers, questions")
    trail.add_argument("--json", action="store_true", help="one JSON object a line")
    trail.set_defaults(run=_operate, verb="trail")
    return parser


def _add_switch(commands: Commands) -> None:
    switch = commands.add_parser(
        "switch", help="kill switches: stop and resume sales of a service, country or provider"
    )
    verbs = switch.add_subparsers(required=True, metavar="off|on|list")
    for verb, text in (("off", "no new purchases; open rentals live on"), ("on", "sell again")):
        command = verbs.add_parser(verb, help=text)
        command.add_argument("kind", choices=("service", "country", "provider"))
        command.add_argument("name", help="its code or name")
        command.add_argument("--reason", required=verb == "off", default="", help="for the audit trail")
        command.add_argument("--by", help="for the audit trail (default: who you are here)")
        command.set_defaults(run=_operate, verb=f"switch_{verb}")
    listed = verbs.add_parser("list", help="what is off, since when, and why")
    listed.add_argument("--json", action="store_true", help="one JSON object a line")
    listed.set_defaults(run=_operate, verb="switch_list")


def _add_ledger(commands: Commands) -> None:
    ledger = commands.add_parser("ledger", help="ask the books")
    verbs = ledger.add_subparsers(required=True, metavar="who")
    who = verbs.add_parser("who", help="who had a number; the question goes into the audit trail")
    who.add_argument("number", help="in international form: +14155550100")
    who.add_argument("--at", type=_moment, help="only who may have had it then: 2026-11-24T18:35:00Z")
    who.add_argument("--reason", default="", help="for the audit trail, such as a case number")
    who.add_argument("--by", help="for the audit trail (default: who you are here)")
    who.add_argument("--json", action="store_true", help="one JSON object a line")
    who.set_defaults(run=_operate, verb="ledger_who")


def _operator(options: argparse.Namespace) -> str:
    """Return who works here, as the audit trail is told; a container may know no user by name."""
    try:
        return str(getattr(options, "by", None) or getpass.getuser())
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("needs a time zone, such as Z")
    return moment


def _operate(options: argparse.Namespace) -> int:
    from phoneagent.bootstrap.operator import Refused, operate  # noqa: PLC0415  slow import
    from phoneagent.settings import SettingsError, read_settings  # noqa: PLC0415  slow import

    async def act() -> None:
        async for line in operate(read_settings(), options.verb, {**vars(options), "by": _operator(options)}):
            sys.stdout.write(line + "\n")

    try:
        _run(act())
    except (SettingsError, Refused) as refusal:
        sys.stderr.write(f"phoneagent: {refusal}\n")
        return CONFIGURATION_STATUS
    return 0


def _process(options: argparse.Namespace) -> int:
    from phoneagent.bootstrap import Role, StartRefused, open_engine, run, stop_on_signals  # noqa: PLC0415  slow import
    from phoneagent.bootstrap.process import raise_file_limit  # noqa: PLC0415  slow import
    from phoneagent.settings import SettingsError, read_settings  # noqa: PLC0415  slow import

    for name in ("host", "port"):
        if getattr(options, name, None) is not None:
            os.environ[f"PHONEAGENT_{name.upper()}"] = str(getattr(options, name))
    role = {"serve": Role.WEB, "work": Role.WORK, "all": Role.ALL}[options.role]

    async def process() -> None:
        raise_file_limit()
        stopping = asyncio.Event()
        stop_on_signals(stopping)
        async with open_engine(read_settings()) as engine:
            await run(engine, role, stopping)

    try:
        _run(process())
    except (SettingsError, StartRefused) as refusal:
        sys.stderr.write(f"phoneagent cannot start:\n{refusal}\n")
        return CONFIGURATION_STATUS
    return 0


def _address(text: str) -> str:
    if re.fullmatch(r"0x[0-9a-fA-F]{40}", text) is None:
        raise argparse.ArgumentTypeError("must be 0x and 40 hex digits")
    return text.lower()


def _payers(options: argparse.Namespace) -> int:
    from phoneagent.bootstrap import StartRefused, open_payers  # noqa: PLC0415  slow import
    from phoneagent.core.errors import Unavailable  # noqa: PLC0415  slow import
    from phoneagent.settings import SettingsError, read_settings  # noqa: PLC0415  slow import

    async def command() -> int:
        async with open_payers(read_settings()) as payers:
            if options.verb == "list":
                async for account in payers.all() if options.all else payers.blocked():
                    sys.stdout.write(json.dumps(asdict(account)) + "\n")
                return 0
            was_there = options.verb == "show" or await payers.unblock(options.address)
            sys.stdout.write(json.dumps(asdict(await payers.get(options.address))) + "\n")
            return 0 if was_there else NOTHING_DONE_STATUS

    try:
        return asyncio.run(command())
    except (SettingsError, StartRefused, Unavailable) as refusal:
        sys.stderr.write(f"phoneagent payers:\n{refusal}\n")
        return CONFIGURATION_STATUS


def _dev(options: argparse.Namespace) -> int:
    try:
        from phoneagent.dev.command import DevOptions, dev  # noqa: PLC0415  needs the `standalone` extra
        from phoneagent.dev.stack import InfraError  # noqa: PLC0415  needs the `standalone` extra
    except ImportError as missing:
        sys.stderr.write(f"phoneagent dev needs the extra parts: pip install 'phoneagent[standalone]' ({missing})\n")
        return CONFIGURATION_STATUS
    try:
        _run(dev(DevOptions(options.port, options.json, options.data, options.infra)))
    except InfraError as failure:
        sys.stderr.write(f"phoneagent dev: {failure}\n")
        return 1
    return 0


def _probe(options: argparse.Namespace) -> int:
    from phoneagent.bootstrap.probe import advice, has_key, probe_provider  # noqa: PLC0415  slow import
    from phoneagent.settings import SettingsError  # noqa: PLC0415  slow import

    try:
        findings = asyncio.run(probe_provider(options.provider))
    except SettingsError as refusal:
        sys.stderr.write(f"phoneagent cannot ask:\n{refusal}\n")
        return CONFIGURATION_STATUS
    told = [{"name": one.name, "verdict": one.verdict.value, "detail": one.detail} for one in findings]
    setting = advice(options.provider, findings)
    if options.json:
        report = {"provider": options.provider, "findings": told, "setting": setting}
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        lines = [f"{one['name']:14} {one['verdict']:10} {one['detail']}" for one in told]
        sys.stdout.write("\n".join([*lines, *([f"\n{setting}"] if setting else [])]) + "\n")
    return 0 if has_key(findings) else 1


def _openapi(_options: argparse.Namespace) -> int:
    from phoneagent.web.openapi import example_document  # noqa: PLC0415  slow import

    sys.stdout.write(json.dumps(example_document(), indent=2, ensure_ascii=False) + "\n")
    return 0


def _errors(_options: argparse.Namespace) -> int:
    from phoneagent.paywall import Till, TillTerms  # noqa: PLC0415  slow import
    from phoneagent.web.discovery import errors_document  # noqa: PLC0415  slow import
    from phoneagent.web.openapi.document import EXAMPLE_PAY_TO, EXAMPLE_PUBLIC_URL  # noqa: PLC0415  slow import
    from phoneagent.x402 import BASE  # noqa: PLC0415  slow import

    till = Till(TillTerms(EXAMPLE_PAY_TO, BASE.usdc, EXAMPLE_PUBLIC_URL))
    sys.stdout.write("<!-- Made by `phoneagent errors > docs/errors.md`. -->\n\n" + errors_document(till))
    return 0


def _run(main_coroutine: Coroutine[object, object, None]) -> None:
    """Run on uvloop where it is installed (uvicorn[standard] brings it, except on Windows)."""
    import uvloop  # noqa: PLC0415  slow import

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main_coroutine)
