"""What both transports can do, and the operations of the REST API."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Protocol

from confsvc.adapter import Deadline, Description, Document, progress
from confsvc.errors import AdapterError, DeadlineError, Malformed
from confsvc_gcp.errors import Failure, error_of
from confsvc_gcp.names import Name
from confsvc_gcp.payload import checksum, document_of
from confsvc_gcp.rest import Heard, Request, Rest

__all__ = ["Described", "Found", "Listed", "RestStore", "Store"]

Found = Document | AdapterError | DeadlineError
Described = Description | AdapterError | DeadlineError
Listed = list[str] | AdapterError | DeadlineError

_PAGE = "1000"


class Store(Protocol):
    """Secret Manager in one location."""

    def access(self, names: Sequence[Name], deadline: Deadline) -> list[Found | None]:
        """Read versions, side by side. None stands for what was damaged on its way."""
        ...

    def describe(self, names: Sequence[Name], deadline: Deadline) -> list[Described]:
        """Tell about versions, side by side."""
        ...

    def secrets(self, project: Name, deadline: Deadline) -> Listed:
        """Return the names of the secrets of a project that its ``filter`` selects, all pages of them."""
        ...

    def add(self, name: Name, data: bytes, deadline: Deadline) -> str | AdapterError | DeadlineError:
        """Add a version, and return it."""
        ...

    def create(self, name: Name, deadline: Deadline) -> AdapterError | DeadlineError | None:
        """Make a secret without a version."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class RestStore:
    """The operations of the REST API."""

    def __init__(self, rest: Rest, backend: str) -> None:
        self._rest = rest
        self._backend = backend

    def access(self, names: Sequence[Name], deadline: Deadline) -> list[Found | None]:
        """See `Store`."""
        heard = self._rest.call([_get(f"{name.text}:access") for name in names], deadline)
        return [_document(one, name) for one, name in zip(heard, names, strict=True)]

    def describe(self, names: Sequence[Name], deadline: Deadline) -> list[Described]:
        """See `Store`."""
        heard = self._rest.call([_get(name.text) for name in names], deadline)
        return [_description(one, name) for one, name in zip(heard, names, strict=True)]

    def secrets(self, project: Name, deadline: Deadline) -> Listed:
        """See `Store`."""
        found: list[str] = []
        token = ""
        tokens: set[str] = set()
        while True:
            query = {"pageSize": _PAGE, "filter": project.filter, "pageToken": token}
            request = _get(f"{project.parent}/secrets", {name: text for name, text in query.items() if text})
            (heard,) = self._rest.call([request], deadline)
            if not isinstance(heard, Mapping):
                return _error(heard, project, "secretmanager.secrets.list")
            entries = heard.get("secrets", [])
            found += [
                str(entry.get("name", "")).rpartition("/")[2]
                for entry in (entries if isinstance(entries, list) else [])
                if isinstance(entry, Mapping)
            ]
            token = str(heard.get("nextPageToken", ""))
            if not token:
                return found
            if token in tokens:
                return Malformed(f"the pages of `{project.project}` go round in a circle")
            tokens.add(token)
            progress(f"{self._backend}://{project.project}/", len(found))

    def add(self, name: Name, data: bytes, deadline: Deadline) -> str | AdapterError | DeadlineError:
        """See `Store`."""
        payload = {"data": b64encode(data).decode(), "dataCrc32c": str(checksum(data))}
        request: Request = ("POST", f"{name.resource}:addVersion", {}, {"payload": payload})
        (heard,) = self._rest.call([request], deadline)
        if isinstance(heard, Mapping) and heard.get("name"):
            return str(heard["name"]).rpartition("/")[2]
        return _error(heard, name, "secretmanager.versions.add")

    def create(self, name: Name, deadline: Deadline) -> AdapterError | DeadlineError | None:
        """See `Store`."""
        body: dict[str, object] = {} if name.location else {"replication": {"automatic": {}}}
        request: Request = ("POST", f"{name.parent}/secrets", {"secretId": name.secret}, body)
        (heard,) = self._rest.call([request], deadline)
        return None if isinstance(heard, Mapping) else _error(heard, name, "secretmanager.secrets.create")

    def close(self) -> None:
        """See `Store`."""
        self._rest.close()


def _get(path: str, query: Mapping[str, str] | None = None) -> Request:
    return ("GET", path, query or {}, None)


def _document(heard: Heard, name: Name) -> Found | None:
    if not isinstance(heard, Mapping):
        return _error(heard, name)
    found = heard.get("payload")
    version = str(heard.get("name", "")).rpartition("/")[2]
    if not isinstance(found, Mapping) or not version:
        return Malformed(f"the answer about `{name.what}` is not one of this API")
    # Nothing is how the API writes no bytes at all.
    return document_of(found.get("data", ""), found.get("dataCrc32c"), version, name.what)


def _description(heard: Heard, name: Name) -> Described:
    if not isinstance(heard, Mapping):
        return _error(heard, name, "secretmanager.versions.get")
    version = str(heard.get("name", "")).rpartition("/")[2]
    if not version:
        return Malformed(f"the answer about `{name.what}` is not one of this API")
    state = str(heard.get("state", ""))
    return Description(version, str(heard.get("createTime", "")), "" if state == "ENABLED" else state.lower())


def _error(heard: Heard, name: Name, permission: str = "secretmanager.versions.access") -> AdapterError | DeadlineError:
    if isinstance(heard, AdapterError | DeadlineError):
        return heard
    if isinstance(heard, Failure):
        return error_of(heard, name.what, permission)
    return Malformed(f"the answer about `{name.what}` is not one of this API")
