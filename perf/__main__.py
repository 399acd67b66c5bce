"""``make perf``: every side-by-side table, one after the other, each in a process of its own."""

import subprocess
import sys

TABLES = ("corruptions", "sweep", "budget", "attacks", "statistics", "slices", "scaling", "costs", "device_costs")


def main() -> int:
    """Print the tables; 1 where one of them could not be made."""
    codes = [subprocess.run([sys.executable, "-m", f"perf.{table}"], check=False).returncode for table in TABLES]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
