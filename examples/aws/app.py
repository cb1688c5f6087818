"""A program that knows nothing of confsvc: it reads environment variables, and shows what is no secret."""

import hashlib
import os
import sys
import time


def main() -> None:
    """Show the settings; with `wait`, stay until somebody ends it."""
    database = os.environ["DATABASE_URL"]
    print(f"  LOG_LEVEL     {os.environ['LOG_LEVEL']}")
    print(f"  PORT          {os.environ['PORT']}")
    print(f"  DATABASE_URL  ******** ({hashlib.sha256(database.encode()).hexdigest()[:8]})", flush=True)
    if "wait" in sys.argv:
        time.sleep(600)


if __name__ == "__main__":
    main()
