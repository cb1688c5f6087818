"""What a reference names: a secret or a parameter, a version of it, and the region it is in."""

import re
from typing import NamedTuple

from confsvc.errors import BadReferenceError, Malformed
from confsvc.reference import Reference

__all__ = ["ParameterName", "SecretName", "pinned_parameter", "pinned_secret", "read_parameter", "read_secret"]

_NAME_OF_SECRET = r"[A-Za-z0-9/_+=.@!-]{1,512}"  # noqa: S105 - a pattern
_NAME_OF_PARAMETER = r"[A-Za-z0-9/_.-]{1,1011}"
_VERSION_OF_SECRET = r"[A-Za-z0-9_+=.@!-]{1,64}"  # noqa: S105 - a pattern; AWS makes UUIDs, and takes others
_REGION = r"[a-z]{2,}(-[a-z]+)+-[0-9]+"
_ACCOUNT_PARTS = 5  # arn:PARTITION:SERVICE:REGION:ACCOUNT
_SWITCH = {"true": True, "false": False, "": False}


class SecretName(NamedTuple):
    """A secret by ``id``, its name or ARN. ``region`` is empty where the ARN does not say it."""

    id: str
    region: str = ""
    stage: str = ""
    version: str = ""

    @property
    def name(self) -> str:
        """The name without the rest of an ARN."""
        return self.id.split(":", 6)[-1] if self.id.startswith("arn:") else self.id


class ParameterName(NamedTuple):
    """A parameter by ``id``, its name or ARN, or a tree of them by its path.

    ``selector`` is a version or a label with a colon before it, as the API has them.
    """

    id: str
    region: str = ""
    selector: str = ""
    is_tree: bool = False
    is_recursive: bool = False

    @property
    def text(self) -> str:
        """What the API calls it."""
        return self.id + self.selector


def pinned_secret(reference: Reference, version: str) -> Reference:
    """See ``confsvc.adapter.Pinner``. A stage moves from one version to the next, so it is left out."""
    if not re.fullmatch(_VERSION_OF_SECRET, version):
        raise BadReferenceError("the version of a secret is the id that AWS gave it")
    return reference.with_version(version, "stage")


def pinned_parameter(reference: Reference, version: str, part: str) -> Reference:
    """See ``confsvc.adapter.Pinner``. The parts of a tree are its parameters, by their names within it."""
    if version and not (version.isascii() and version.isdecimal() and int(version[:9])):
        raise BadReferenceError("the version of a parameter is a number from 1 on")
    if part and not re.fullmatch(_NAME_OF_PARAMETER, part):
        raise BadReferenceError("this is no name of a parameter in a tree")
    return reference._replace(path=reference.path + part).with_version(version, "label", "recursive")


def read_secret(reference: Reference) -> SecretName | Malformed:
    """Return the secret that ``reference`` names, or why it names none."""
    path = reference.path
    found = SecretName(path, "", reference.parameter("stage"), reference.parameter("version"))
    if path.startswith("arn:"):
        parts = path.split(":")
        problem = _arn_problem(parts, "secretsmanager", "secret")
        if problem or len(parts) != _ACCOUNT_PARTS + 2:
            return Malformed(problem or "the ARN of a secret ends with its name")
        return found._replace(region=parts[3])
    if not re.fullmatch(_NAME_OF_SECRET, path):
        return Malformed(f"`{path}` is no name of a secret: letters, digits and `/_+=.@!-`, 512 at most")
    return found


def read_parameter(reference: Reference) -> ParameterName | Malformed:
    """Return the parameter or the tree that ``reference`` names, or why it names none."""
    version, label = reference.parameter("version"), reference.parameter("label")
    recursive = _SWITCH.get(reference.parameter("recursive"))
    problem = _selector_problem(version, label, is_tree=reference.is_tree)
    if recursive is None:
        problem = "`recursive` must be `true` or `false`"
    elif recursive and not reference.is_tree:
        problem = "`recursive` is for trees, whose path ends with `/`"
    if problem:
        return Malformed(problem)
    selector = f":{version or label}" if version or label else ""
    path, region = reference.path, ""
    if path.startswith("arn:"):
        parts = path.split(":", _ACCOUNT_PARTS)
        wrong = _arn_problem([*parts[:-1], *parts[-1].split("/", 1)], "ssm", "parameter")
        if wrong:
            return Malformed(wrong)
        region = parts[3]
    elif not re.fullmatch(_NAME_OF_PARAMETER, path):
        return Malformed(f"`{path}` is no name of a parameter: letters, digits and `/_.-`")
    if not reference.is_tree:
        return ParameterName(path, region, selector)
    if region or not path.startswith("/"):
        return Malformed(f"`{path}` is no tree: the path of one begins and ends with `/`")
    return ParameterName(path.rstrip("/") or "/", "", "", is_tree=True, is_recursive=bool(recursive))


def _selector_problem(version: str, label: str, *, is_tree: bool) -> str:
    if version and label:
        return "a version and a label exclude each other"
    if is_tree and (version or label):
        return "a tree has no version and no label: name one parameter"
    if version and not (version.isascii() and version.isdecimal()):
        return "the version of a parameter is a number"
    return ""


def _arn_problem(parts: list[str], service: str, kind: str) -> str:
    if len(parts) > 2 and parts[2] != service:
        return f"this is an ARN of `{parts[2]}`, not of `{service}`"
    if len(parts) <= _ACCOUNT_PARTS + 1 or not all(parts):
        return "the ARN is not whole: `arn:aws:SERVICE:REGION:ACCOUNT:…`"
    if not re.fullmatch(_REGION, parts[3]):
        return f"`{parts[3]}`, in the ARN, is no region"
    return "" if parts[5] == kind else f"this is an ARN of a `{parts[5]}`, not of a `{kind}`"
