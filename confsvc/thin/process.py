"""What every start does to its process and its environment, whichever way it takes."""

import os

__all__ = ["die_of_signals", "find_file", "interpreter_of", "is_bootstrap", "restore_signals", "was_given"]

# What opens the store is not for the program that gets one setting from it.
_BOOTSTRAP = frozenset(
    [f"{tool}_{name}" for tool in ("VAULT", "BAO") for name in ("TOKEN", "ROLE_ID", "SECRET_ID", "TOKEN_FILE")]
)


def is_bootstrap(name: str) -> bool:
    """Tell whether the environment variable ``name`` holds a credential, or an option, of confsvc itself."""
    return name in _BOOTSTRAP or name.startswith("CONFSVC_")


def was_given(name: str) -> bool:
    """Whether this process was started with ``name`` in its environment: Python adds LC_CTYPE by itself (PEP 538)."""
    try:
        with open("/proc/self/environ", "rb") as file:
            return any(entry.startswith(f"{name}=".encode()) for entry in file.read().split(b"\0"))
    except OSError:  # no /proc: leave it
        return True


def die_of_signals() -> None:
    """Let Ctrl-C end us at once, without a traceback; as PID 1 also let the signals end us that it would ignore."""
    import _signal  # type: ignore[import-not-found]  # `signal` makes enumerations of them all

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    if os.getpid() == 1:
        for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP):
            _signal.signal(number, lambda received, _frame: os._exit(128 + received))


def restore_signals() -> None:
    """Give signals that Python ignores their defaults back, for who comes after us."""
    import _signal

    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)


def find_file(command: str, path: str | None) -> tuple[str, str]:
    """Look ``command`` up in ``path`` as a shell does. Returns the file to run, or none and why there is none."""
    # The environment is UTF-8 text here; files are named as the locale has it.
    native = os.defpath if path is None else os.fsdecode(path.encode(errors="surrogateescape"))
    folders = [""] if "/" in command else native.split(os.pathsep)
    denied = ""
    for folder in folders:
        file = os.path.join(folder, command)
        if os.path.isfile(file):
            if os.access(file, os.X_OK):
                return file, ""
            denied = denied or "it is not executable"
        elif os.path.isdir(file) and "/" in command:
            denied = "it is a folder"
    return "", denied


def interpreter_of(file: str) -> str:
    """Return the interpreter of a script, where it cannot be run; else an empty string."""
    try:
        with open(file, "rb") as script:
            head = script.read(256)
    except OSError:  # may be run, may not be read
        return ""
    words = head[2:].split(b"\n")[0].split() if head.startswith(b"#!") else []
    if not words or (os.path.isfile(words[0]) and os.access(words[0], os.X_OK)):
        return ""
    return os.fsdecode(words[0])
