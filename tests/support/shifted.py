"""A confsvc whose clock is wrong: ``python shifted.py SECONDS confsvc ARGUMENTS…``."""

import sys
import time

from confsvc import cli

__all__ = ["main"]


def main() -> int:
    """Run the command line that many seconds from now."""
    seconds, right = float(sys.argv[1]), time.time
    time.time = lambda: right() + seconds
    return cli.run(sys.argv[3:])


if __name__ == "__main__":
    sys.exit(main())
