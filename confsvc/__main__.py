"""``python -m confsvc``, and the console script."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line. Returns the exit status."""
    _demote_python_path()
    from confsvc.thin.start import start

    start(sys.argv[1:])  # does not return where an agent has what a plain `exec` needs
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
    entries = os.environ.get("PYTHONPATH", "")
    theirs = {sys.path[0], *(_absolute(entry) for entry in (entries.split(os.pathsep) if entries else ()))}
    sys.path[:] = [p for p in sys.path if p not in theirs] + [p for p in sys.path if p in theirs]


def _absolute(entry: str) -> str:
    """Return an entry of PYTHONPATH as it stands in sys.path."""
    try:
        found: str = sys.modules["os"].path.abspath(entry)
    except FileNotFoundError:  # the working folder is gone, and nothing relative to it can be imported
        return entry
    return found


if __name__ == "__main__":
    sys.exit(main())
