"""``confsvc exec [-e ENV] [-f FILE] [-q] -- COMMAND`` where an agent serves the same: one question, then execve.

Whatever is not plain is left to the whole of confsvc, which does the same and can also say what is wrong: `start`
returns then, having changed nothing.
"""

import os
import sys

from confsvc.thin.asking import Answer, ask, give_up, quote, stale_line
from confsvc.thin.manifest import LIMIT, OVERLAY, identify, nearest
from confsvc.thin.place import SOCKET, UID, place_of
from confsvc.thin.process import die_of_signals, find_file, interpreter_of, is_bootstrap, restore_signals, was_given

__all__ = ["start"]

_TIMEOUT = 30.0  # seconds, as for everything that a resolution does
_COMMANDS = ("exec", "run")
_TAKING = {"-e": "env", "--env": "env", "-f": "file", "--file": "file"}
_KNOWN = frozenset(["CONFSVC_ENV", "CONFSVC_FILE", "CONFSVC_CACHE_DIR", "CONFSVC_CACHE_KEY_FILE", SOCKET, UID])
_OK = 200
# What execve(2) takes for arguments and environment whatever the limits are; more is counted where it can be said.
_SMALL = 131_072


def start(argv: list[str]) -> None:
    """Become the command of ``argv`` if an agent has the settings for it. Else return."""
    plain = _parse(argv)
    if plain is None or any(name.startswith("CONFSVC_") and name not in _KNOWN for name in os.environ):
        return
    path, is_named = place_of(os.environ)
    if not path or not (is_named or os.path.exists(path)):
        give_up("")
        return
    if None in (sys.stdin, sys.stdout, sys.stderr):  # our socket would get its number
        return
    die_of_signals()
    try:
        _ask(*plain)
    except Exception:  # noqa: BLE001 - a traceback could show values; the other way says what is wrong
        return


def _ask(command: list[str], options: dict[str, str]) -> None:
    file = _runnable(command[0], os.environ.get("PATH"))
    manifest = _manifest(options.get("file") or os.environ.get("CONFSVC_FILE", "")) if file else ""
    if not manifest:
        return
    environment = options.get("env") or os.environ.get("CONFSVC_ENV", "")
    target = f"/v1/settings?environment={quote(environment)}&identity={identify(manifest)}"
    answer = ask(target, os.environ, _TIMEOUT)
    if answer.status == _OK:
        _become(command, _Found(file, manifest), answer, quiet="quiet" in options)
    else:
        give_up(answer.trouble)


class _Found:
    """The file to run, and the manifest."""

    __slots__ = ("file", "manifest")

    def __init__(self, file: str, manifest: str) -> None:
        self.file = file
        self.manifest = manifest


def _parse(argv: list[str]) -> tuple[list[str], dict[str, str]] | None:
    """Return the command and the options of a plain command line, None for any other."""
    if not argv or argv[0] not in _COMMANDS or "--" not in argv:
        return None
    split = argv.index("--")
    words, command = argv[1:split], argv[split + 1 :]
    options: dict[str, str] = {}
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if word in ("-q", "--quiet"):
            options["quiet"] = word
        elif name in _TAKING and (not equals or name.startswith("--")) and (equals or words):
            value = value if equals else words.pop(0)
            if not value or value.startswith("-"):
                return None
            options[_TAKING[name]] = value
        else:
            return None
    return (command, options) if command and command[0] else None


def _runnable(command: str, path: str | None) -> str:
    """Return the file to run, empty where something is wrong with it."""
    text = None if path is None else os.fsencode(path).decode(errors="surrogateescape")
    file, _ = find_file(command, text)
    return file if file and not interpreter_of(file) else ""


def _manifest(named: str) -> str:
    """Return the path of the manifest; empty where it is not whose it should be. Raises OSError."""
    if named:
        file = os.path.abspath(named)
    else:
        file = nearest(os.getcwd(), os.environ, _may_be_manifest)
        if file and not _is_ours(file):
            return ""
    overlay = os.path.join(os.path.dirname(file), OVERLAY)
    return file if not os.path.exists(overlay) or _is_ours(overlay) else ""


def _may_be_manifest(path: str) -> bool:
    """Whether a pyproject.toml may be one. Where it only speaks of us, no agent serves it, and nothing is lost."""
    with open(path, "rb") as file:
        return b"confsvc" in file.read(LIMIT)


def _is_ours(path: str) -> bool:
    return os.stat(path).st_uid in {0, os.geteuid()}


def _become(command: list[str], found: _Found, answer: Answer, *, quiet: bool) -> None:
    """Become the command with the settings of ``answer``. Returns where they are not all there is to know."""
    data = answer.data()
    settings, names = data.get("settings"), data.get("names")
    if data.get("ready") is not True or not isinstance(settings, dict) or not isinstance(names, list):
        return
    if any(name in os.environ for name in names):  # the process environment decides, and is validated
        return
    environ = _environ(data, settings, found.manifest)
    file = found.file
    if "PATH" in settings:
        file = _runnable(command[0], settings["PATH"]["text"])
    size = sum(len(name) + len(text) + 10 for name, text in environ.items())
    size += sum(len(os.fsencode(word)) + 9 for word in command)
    if not file or size > _SMALL:
        return
    if answer.outage >= 0 and not quiet:
        sys.stderr.write(f"warning: {stale_line(answer.outage)}\n")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    restore_signals()
    try:
        os.execve(file, command, environ)  # noqa: S606 - this is the whole point
    except OSError:
        return  # the other way fails too, and says how


def _environ(data: dict[str, object], settings: dict[str, dict[str, str]], manifest: str) -> dict[bytes, bytes]:
    credentials = data.get("credentials")
    left_out = credentials if isinstance(credentials, list) else []
    environ = {
        name: text
        for name, text in os.environb.items()
        if not (is_bootstrap(known := name.decode(errors="surrogateescape")) or known in left_out)
    }
    if b"LC_CTYPE" in environ and not was_given("LC_CTYPE"):
        del environ[b"LC_CTYPE"]
    ours = {name: one["text"] for name, one in settings.items()}
    ours["CONFSVC_FILE"] = manifest
    if data.get("environment"):
        ours["CONFSVC_ENV"] = str(data["environment"])
    environ.update((_bytes(name), _bytes(text)) for name, text in ours.items())
    return environ


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
