"""One question to an agent: sent to nobody who may not hear it, and answered within a bounded time, or not at all."""

from confsvc.thin.place import connect, distrust, peer_of, place_of, set_patience, trusted_owners

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket  # noqa: N812
    from collections.abc import Mapping

__all__ = ["Answer", "ask", "gave_up", "give_up", "quote", "stale_line"]

_FIRST = 0.25  # seconds until somebody who listens, and does nothing, is given up
_QUEUE = 5.0  # seconds for a busy agent to take the connection: a thousand may wait before us
_STRIKES = 4  # of those, for one that sleeps: it may be waking up
_UNSEEN = 8  # of those, where nobody can see what it does
_LATER = 2.0  # seconds between two looks at one that is busy
_LARGEST = 32 * 1024 * 1024
_HEAD = 64 * 1024
_MINUTE = 60
_LACKING = 503
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

# What this process found out about the agent on its way to a command, so that it neither asks nor complains twice.
_found: dict[str, str] = {}


class Answer:
    """What came of a question. ``status`` is 0 where there was no answer. ``trouble`` is what people should know.

    It is empty too where there is no agent and nobody said there was one, and where it serves something else.
    ``outage``: for how many seconds the agent's own stores have not answered it, -1 where they do.
    """

    __slots__ = ("body", "outage", "status", "trouble")

    def __init__(self, status: int = 0, body: bytes = b"", trouble: str = "", outage: int = -1) -> None:
        self.status = status
        self.body = body
        self.trouble = trouble
        self.outage = outage

    def data(self) -> dict[str, object]:
        """Return the answer's JSON object, empty where it is none."""
        found = _parse(self.body)
        return found if isinstance(found, dict) else {}


def ask(target: str, environ: "Mapping[str, str]", timeout: float) -> Answer:
    """Ask the agent for ``target``, a path with a query. The answer takes ``timeout`` seconds at most."""
    path, is_named = place_of(environ)
    if not path:
        return Answer()
    owners = trusted_owners(environ)
    try:
        reason = distrust(path, owners)
    except OSError:
        return Answer(trouble=f"there is no agent at `{path}`" if is_named else "")
    if reason:
        return Answer(trouble=f"the agent's socket `{path}` is not used: {reason}")
    try:
        connection = connect(path, min(timeout, _QUEUE))
    except OSError:
        return Answer(trouble=f"no agent answers at `{path}`")
    try:
        pid, uid, _ = peer_of(connection)
        if uid not in owners:
            return Answer(trouble=f"the agent at `{path}` is not used: it runs as another user (uid {uid})")
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: confsvc\r\nConnection: close\r\n\r\n".encode())
        answer = _hear(connection, pid, timeout) or Answer(trouble=f"the agent at `{path}` does not answer in time")
        if answer.status == _LACKING:
            answer.trouble = f"the agent at `{path}` has no settings to hand out"
        return answer
    except (OSError, ValueError):
        return Answer(trouble=f"the agent at `{path}` broke off")
    finally:
        connection.close()


def give_up(trouble: str) -> None:
    """Note that the agent is not to be asked again by this process, which is about to become another one."""
    _found["trouble"] = trouble


def gave_up() -> str | None:
    """Return what was noted, None where nothing was."""
    return _found.get("trouble")


def quote(text: str) -> str:
    """Percent-encode ``text``."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in text.encode(errors="surrogateescape"))


def stale_line(seconds: int) -> str:
    """Return what people are told where settings stand in for a store that does not answer."""
    age = f"{seconds} s" if seconds < 2 * _MINUTE else f"{seconds // _MINUTE} min"
    return f"the agent's settings are {age} old: a store does not answer it"


def _hear(connection: "Socket", pid: int, timeout: float) -> Answer | None:
    """Return the answer; None where it takes too long."""
    from time import monotonic

    patience = _FIRST
    set_patience(connection, patience)
    ends = monotonic() + timeout
    heard = b""
    is_at_work = False
    strikes = 0
    while True:
        try:
            part = connection.recv(1 << 18)
        except BlockingIOError:
            strikes += 1
            if monotonic() >= ends or not _is_worth_waiting(pid, strikes, is_at_work=is_at_work):
                return None
            if strikes > _STRIKES:  # it is busy, with a thousand of us perhaps, who should not keep it from its work
                patience = min(_LATER, patience * 2)
                set_patience(connection, patience)
            continue
        if not part:
            return _read(heard)
        heard += part
        if len(heard) > _LARGEST or monotonic() >= ends:
            return None
        if heard.startswith(b"HTTP/1.1 102 ") and b"\r\n\r\n" in heard:  # it has heard us, and is getting it
            is_at_work = True
            heard = heard.partition(b"\r\n\r\n")[2]


def _is_worth_waiting(pid: int, strikes: int, *, is_at_work: bool) -> bool:
    """Whether somebody who says nothing may yet: it is busy, or was not told to stop."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read(4096).rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return is_at_work or strikes < _UNSEEN
    if state in b"TtZX":
        return False
    # The one that systemd listens for is started when somebody comes.
    return is_at_work or state in b"RD" or strikes < (_UNSEEN if pid == 1 else _STRIKES)


def _read(heard: bytes) -> Answer:
    head, separator, body = heard.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    words = lines[0].split(b" ", 2)
    fields = {name.lower(): value for name, _, value in (line.partition(b":") for line in lines[1:])}
    length = int(fields.get(b"content-length", b"-1"))
    if not separator or len(head) > _HEAD or words[0] != b"HTTP/1.1" or length != len(body):
        raise ValueError
    return Answer(int(words[1]), body, outage=int(fields.get(b"confsvc-outage", b"-1")))


class _Context:
    """How `_json` reads. The package `json` costs as much as all the rest of a start."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}  # noqa: RUF012 - `_json` of Python 3.11 wants one


def _parse(body: bytes) -> object:
    from _json import make_scanner

    try:
        found, end = make_scanner(_Context())(body.decode(), 0)  # type: ignore[arg-type]
    except (StopIteration, ValueError, RecursionError):
        return None
    return found if not body[end:].strip() else None
