"""``python run.py``: the command ``snowwolf``, from a checkout that is not installed."""

import sys

from bench.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
