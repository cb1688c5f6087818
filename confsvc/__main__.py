"""``python -m confsvc``, and the console script."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line. Returns the exit status."""
    _demote_python_path()
    from confsvc.cli import run

    return run(sys.argv[1:])


def _demote_python_path() -> None:
    """Look in PYTHONPATH, and in the working folder, last.

    They are the application's: its `types.py` or `dotenv.py` must not be taken for the one that we mean. What can only
    be found there still is.
    """
    # `sys.flags.isolated` has neither. Nothing may be imported yet, so the environment is read by what is there already.
    entries = sys.modules["os"].environ.get("PYTHONPATH", "").split(":") if not sys.flags.isolated else []
    theirs = (
        {entry for entry in entries if entry} | {"", sys.modules["os"].getcwd()} if not sys.flags.isolated else set()
    )
    sys.path[:] = [p for p in sys.path if p not in theirs] + [p for p in sys.path if p in theirs]


if __name__ == "__main__":
    sys.exit(main())
