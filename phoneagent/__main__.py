"""`python -m phoneagent`: the same as the `phoneagent` command. It must never hold anything else."""

import sys

from phoneagent.cli import main

if __name__ == "__main__":
    sys.exit(main())
