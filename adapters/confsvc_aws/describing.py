"""What is known about secrets and parameters without reading them."""

from collections.abc import Mapping, Sequence

from confsvc.adapter import Deadline, Description, Undescribed
from confsvc.errors import AdapterError, DeadlineError, NotFound
from confsvc.http import number_of
from confsvc_aws.api import Api, Failure, Heard, Operation
from confsvc_aws.names import ParameterName, SecretName
from confsvc_aws.parameters import listed, tree_version
from confsvc_aws.parameters import subject_of as subject_of_parameter
from confsvc_aws.saying import error_of
from confsvc_aws.secrets import subject_of as subject_of_secret

__all__ = ["Described", "describe_parameters", "describe_secrets", "parameter_kinds"]

Described = Description | AdapterError | DeadlineError

_CURRENT = "AWSCURRENT"
_PAGE = 50  # DescribeParameters gives no more, and takes as many names


def describe_secrets(api: Api, names: Sequence[SecretName], deadline: Deadline) -> dict[SecretName, Described]:
    """Return the description of each of ``names``."""
    heard = api.call([Operation("DescribeSecret", {"SecretId": name.id}) for name in names], deadline)
    found = {name: _secret(one, name, api.region) for name, one in zip(names, heard, strict=True)}
    # A version that no stage is attached to is not among those that are described.
    unlabelled = [name for name, one in found.items() if name.version and not name.stage and isinstance(one, NotFound)]
    for name in unlabelled:
        found[name] = _unlabelled(api, name, deadline)
    return found


def _unlabelled(api: Api, name: SecretName, deadline: Deadline) -> Described:
    subject = subject_of_secret(name, api.region, "ListSecretVersionIds")
    parameters: dict[str, object] = {"SecretId": name.id, "IncludeDeprecated": True, "MaxResults": 100}
    tokens: set[str] = set()
    while True:
        (heard,) = api.call([Operation("ListSecretVersionIds", parameters)], deadline)
        if not isinstance(heard, Mapping):
            return error_of(heard, subject)
        for entry in listed(heard, "Versions"):
            if entry.get("VersionId") == name.version:
                return Description(name.version, _time(entry.get("CreatedDate")))
        token = heard.get("NextToken")
        if not isinstance(token, str) or not token or token in tokens:
            return error_of(Failure("ResourceNotFoundException", NotFound), subject)
        tokens.add(token)
        parameters["NextToken"] = token


def _secret(heard: Heard, name: SecretName, region: str) -> Described:
    subject = subject_of_secret(name, region, "DescribeSecret")
    stages = heard.get("VersionIdsToStages") if isinstance(heard, Mapping) else None
    if not isinstance(heard, Mapping) or not isinstance(stages, Mapping):
        return error_of(heard, subject)
    wanted = name.stage or ("" if name.version else _CURRENT)
    found = [
        version
        for version, labels in stages.items()
        if (not name.version or version == name.version)
        and (not wanted or (isinstance(labels, list) and wanted in labels))
    ]
    if not found:
        return error_of(Failure("ResourceNotFoundException", NotFound), subject)
    tags = {str(tag.get("Key", "")): str(tag.get("Value", "")) for tag in listed(heard, "Tags")}
    state = "scheduled for deletion" if heard.get("DeletedDate") else ""
    changed = heard.get("LastChangedDate") or heard.get("CreatedDate")
    return Description(str(found[0]), _time(changed), state, tags)


def describe_parameters(api: Api, names: Sequence[ParameterName], deadline: Deadline) -> dict[ParameterName, Described]:
    """Return the description of each of ``names``. What a label names cannot be told without reading it."""
    found: dict[ParameterName, Described] = {}
    single = [name for name in names if not name.is_tree]
    for start in range(0, len(single), _PAGE):
        group = single[start : start + _PAGE]
        ids = sorted({_plain(name) for name in group})
        entries = _all_pages(api, {"Key": "Name", "Option": "Equals", "Values": ids}, deadline)
        found.update({name: _parameter(entries, name, api.region) for name in group})
    for tree in (name for name in names if name.is_tree):
        option = "Recursive" if tree.is_recursive else "OneLevel"
        entries = _all_pages(api, {"Key": "Path", "Option": option, "Values": [tree.id]}, deadline)
        found[tree] = _tree(entries, tree, api.region)
    return found


def parameter_kinds(api: Api, names: Sequence[str], deadline: Deadline) -> dict[str, str]:
    """Return the types of those of ``names`` that are there, as far as that may be asked."""
    found: dict[str, str] = {}
    for start in range(0, len(names), _PAGE):
        entries = _all_pages(
            api, {"Key": "Name", "Option": "Equals", "Values": list(names[start : start + _PAGE])}, deadline
        )
        if isinstance(entries, list):
            found.update({str(one.get("Name", "")): str(one.get("Type", "")) for one in entries})
    return found


def _parameter(entries: list[Mapping[str, object]] | Heard, name: ParameterName, region: str) -> Described:
    subject = subject_of_parameter(name, region, "DescribeParameters")
    if not isinstance(entries, list):
        return error_of(entries, subject)
    entry = next((one for one in entries if one.get("Name") == _plain(name)), None)
    if entry is None:
        return error_of(Failure("ParameterNotFound", NotFound), subject)
    current, wanted = number_of(entry.get("Version")), name.selector[1:]
    if wanted and not wanted.isdecimal():
        return Undescribed(f"which version of `{name.id}` has the label `{wanted}` is told only with its value")
    if wanted and int(wanted) > current:
        return error_of(Failure("ParameterVersionNotFound", NotFound), subject)
    return Description(wanted or str(current), _time(entry.get("LastModifiedDate")) if not wanted else "")


def _tree(entries: list[Mapping[str, object]] | Heard, tree: ParameterName, region: str) -> Described:
    subject = subject_of_parameter(tree, region, "DescribeParameters")
    if not isinstance(entries, list):
        return error_of(entries, subject)
    if not entries:
        return error_of(Failure("ParameterNotFound", NotFound), subject)
    return Description(tree_version({str(one.get("Name", "")): str(one.get("Version", "")) for one in entries}))


def _all_pages(api: Api, condition: Mapping[str, object], deadline: Deadline) -> list[Mapping[str, object]] | Heard:
    """Return what DescribeParameters has for ``condition``, or what it said instead."""
    entries: list[Mapping[str, object]] = []
    parameters: dict[str, object] = {"ParameterFilters": [condition], "MaxResults": _PAGE}
    tokens: set[str] = set()
    while True:
        (heard,) = api.call([Operation("DescribeParameters", parameters)], deadline)
        if not isinstance(heard, Mapping) or "Parameters" not in heard:
            return heard
        entries += listed(heard, "Parameters")
        token = heard.get("NextToken")
        if not isinstance(token, str) or not token or token in tokens:
            return entries
        tokens.add(token)
        parameters["NextToken"] = token


def _plain(name: ParameterName) -> str:
    """Return the parameter's name: an ARN has no slash of its own before one that has more."""
    if not name.id.startswith("arn:"):
        return name.id
    path = name.id.split(":parameter/", 1)[-1]
    return f"/{path}" if "/" in path else path


def _time(seconds: object) -> str:
    """Return seconds since the epoch as RFC 3339, empty where there are none."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(float(str(seconds)), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return ""
