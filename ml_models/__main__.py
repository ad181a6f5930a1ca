"""`python -m ml_models COMMAND`; `--help` names the commands."""

import sys

from ml_models.cli import main

if __name__ == "__main__":
    sys.exit(main())
