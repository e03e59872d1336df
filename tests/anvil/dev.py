"""`phoneagent dev --json` on anvil and Circle's token, and with the argument `demo` the story of scripts/demo.

It must never serve anything but loopback.
"""

from __future__ import annotations

import asyncio
import sys

from phoneagent import logs
from phoneagent.dev import demo
from phoneagent.dev.command import DevOptions, dev
from tests.anvil import packages

OPTIONS = DevOptions(as_json=True, infra="tests.anvil.infra")


def main() -> int:
    """Install what is missing and run."""
    packages.install()
    if sys.argv[1:] == ["demo"]:
        return demo.main(OPTIONS)
    logs.set_up("WARNING")
    asyncio.run(dev(OPTIONS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
