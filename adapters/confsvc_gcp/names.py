"""What a reference names: one version of a secret, or the secrets of a project."""

import re
from typing import NamedTuple

from confsvc.errors import BadReferenceError, Malformed
from confsvc.reference import Reference

__all__ = ["Name", "pinned", "read_name"]

_PROJECT = r"[a-z0-9][a-z0-9.:-]{0,100}"
_SECRET = r"[A-Za-z0-9_-]{1,255}"  # noqa: S105 - a pattern
_VERSION = r"[1-9][0-9]{0,18}|latest|[A-Za-z][A-Za-z0-9_-]{0,62}"
_NUMBER = r"[1-9][0-9]{0,18}"
_LOCATION = r"[a-z][a-z0-9-]{0,62}"
_FULL = rf"projects/({_PROJECT})(?:/locations/({_LOCATION}))?/secrets/({_SECRET})(?:/versions/({_VERSION}))?"


class Name(NamedTuple):
    """A version of a secret; without ``secret`` those of the project that ``prefix`` and ``filter`` select.

    ``project`` and ``location`` are empty where the backend says them. ``version`` is a number or an alias.
    """

    project: str
    location: str = ""
    secret: str = ""
    version: str = "latest"
    prefix: str = ""
    filter: str = ""

    @property
    def parent(self) -> str:
        """The project, in the words of the API."""
        location = f"/locations/{self.location}" if self.location else ""
        return f"projects/{self.project}{location}"

    @property
    def resource(self) -> str:
        """The secret, in the words of the API."""
        return f"{self.parent}/secrets/{self.secret}"

    @property
    def text(self) -> str:
        """The version, in the words of the API."""
        return f"{self.resource}/versions/{self.version}"

    @property
    def what(self) -> str:
        """What messages call it."""
        version = "" if self.version == "latest" or not self.secret else f" version {self.version}"
        return f"{self.project}/{self.secret}{version}"


def pinned(reference: Reference, version: str, part: str) -> Reference:
    """See ``confsvc.adapter.Pinner``. The parts of a project are its secrets."""
    if version and not re.fullmatch(_NUMBER, version):
        raise BadReferenceError("the version of a secret is a number from 1 on")
    if part and not re.fullmatch(_SECRET, part):
        raise BadReferenceError("this is no name of a secret")
    path = re.sub("/versions/[^/]+$", "", reference.path) + part
    return reference._replace(path=path).with_version(version, "prefix", "filter")


def read_name(reference: Reference) -> Name | Malformed:
    """Return what ``reference`` names, with an empty project where it says none, or why it names nothing."""
    parameters = {key: reference.parameter(key) for key in ("version", "location", "prefix", "filter")}
    full = re.fullmatch(_FULL, reference.path.removeprefix("/"))
    if full:
        project, location, secret, version = full.groups(default="")
        return _checked(Name(project, location, secret, version), parameters)
    project, slash, secret = reference.path.partition("/")
    if not slash:
        return Malformed(
            f"`{reference.path}` is no secret: it is written `PROJECT/SECRET`, or `/SECRET` in the backend's project"
        )
    if project and not re.fullmatch(_PROJECT, project):
        return Malformed(f"`{project}` is no project: its id or its number")
    if secret and not re.fullmatch(_SECRET, secret):
        return Malformed(f"`{secret}` is no name of a secret: letters, digits, `_` and `-`, 255 at most")
    return _checked(Name(project, "", secret, ""), parameters)


def _checked(name: Name, parameters: dict[str, str]) -> Name | Malformed:
    version, location = parameters["version"], parameters["location"]
    problem = ""
    if name.secret and (parameters["prefix"] or parameters["filter"]):
        problem = "`prefix` and `filter` are for whole projects, written `PROJECT/`"
    elif not name.secret and version:
        problem = "a whole project has no version: name one secret"
    elif version and name.version and version != name.version:
        problem = "two versions are named"
    elif version and not re.fullmatch(_VERSION, version):
        problem = "a version is a number, `latest`, or an alias"
    elif location and (not re.fullmatch(_LOCATION, location) or name.location not in {"", location}):
        problem = "`location` is one region, such as `europe-west1`"
    if problem:
        return Malformed(problem)
    return name._replace(
        location=name.location or location,
        version=name.version or version or "latest",
        prefix=parameters["prefix"],
        filter=parameters["filter"],
    )
