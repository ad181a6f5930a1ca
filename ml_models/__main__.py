"""`python -m ml_models train|evaluate|predict|export`."""

import sys

from ml_models.cli import main

if __name__ == "__main__":
    sys.exit(main())
