"""``python -m confsvc``, and the console script."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line. Returns the exit status."""
    _demote_python_path()
    from confsvc.cli import run

    return run(sys.argv[1:])


def _demote_python_path() -> None:
    """Look in PYTHONPATH, and in the script's or the working folder, last.

    They are the application's: its `types.py` or `dotenv.py` must not be taken for the one that we mean. What can only
    be found there still is.
    """
    if sys.flags.isolated:  # then there are none
        return
    os = sys.modules["os"]  # there from Python's own start; nothing may be imported yet
    theirs = {sys.path[0], *os.environ.get("PYTHONPATH", "").split(os.pathsep)}
    sys.path[:] = [p for p in sys.path if p not in theirs] + [p for p in sys.path if p in theirs]


if __name__ == "__main__":
    sys.exit(main())
