"""A program that loads its own settings: run it with `python app.py`, or with CONFSVC_ENV=production."""

import os
import sys

from settings import Settings

import confsvc


def main() -> int:
    """Load the settings and say what they are. Returns the exit status."""
    try:
        settings = confsvc.load(Settings, file=os.path.join(os.path.dirname(os.path.abspath(__file__)), "confsvc.toml"))
    except confsvc.ConfsvcError as error:
        for problem in error.problems:
            print(f"{problem.name or problem.place}: {problem.message}", file=sys.stderr)
        return error.exit_status
    print(f"sending as {settings.sender}, in batches of {settings.batch_size}, about {', '.join(settings.topics)}")
    host = settings.database.url.get_secret_value().hosts()[0]["host"]
    print(f"database: {host}, {settings.database.pool_size} connections, {settings.database.timeout.seconds} s")
    print(f"smtp password: {settings.smtp_password}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
