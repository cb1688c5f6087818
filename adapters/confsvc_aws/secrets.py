"""Reading Secrets Manager: twenty secrets at a time, several such groups side by side."""

from base64 import b64decode
from collections.abc import Mapping, Sequence

from confsvc.adapter import Deadline, Document, moment_of
from confsvc.errors import AdapterError, DeadlineError, Denied, Malformed, Throttled, Unavailable
from confsvc_aws.api import Api, Failure, Heard, Operation
from confsvc_aws.errors import UNKNOWN_OPERATION, kind_of
from confsvc_aws.names import SecretName
from confsvc_aws.places import partition_of
from confsvc_aws.saying import Subject, error_of

__all__ = ["Found", "SecretReader", "groups_of", "subject_of"]

Found = Document | AdapterError | DeadlineError

_GROUP = 20  # BatchGetSecretValue takes no more
_SUFFIX = 7  # what an ARN has behind the name: a dash and six random characters


def subject_of(name: SecretName, region: str, action: str) -> Subject:
    """Return ``name`` as errors speak of it."""
    arn = f"arn:{partition_of(region)}:secretsmanager:{region}:*:secret:{name.id}-??????"
    version = f"version `{name.version}`" if name.version else f"stage `{name.stage}`" if name.stage else ""
    return Subject(
        name.name, region, f"secretsmanager:{action}", name.id if name.id.startswith("arn:") else arn, version
    )


class SecretReader:
    """Reads secrets of one region. It remembers that batches are not to be had."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._has_batches = True

    def read(self, names: Sequence[SecretName], deadline: Deadline) -> dict[SecretName, Found]:
        """Return the outcome of each of ``names``. Raises what `Api.call` does."""
        current = [name for name in names if not (name.stage or name.version)]
        groups = groups_of(current) if self._has_batches and len(current) > 1 else []
        grouped = {name for group in groups for name in group}
        single = [name for name in names if name not in grouped]
        heard = self._api.call([*map(_batch, groups), *map(_single, single)], deadline)
        found, left = self._from_batches(groups, heard[: len(groups)])
        found.update(self._from_singles(single, heard[len(groups) :]))
        if left:
            found.update(self._from_singles(left, self._api.call(list(map(_single, left)), deadline)))
        return found

    def _from_batches(
        self, groups: Sequence[Sequence[SecretName]], heard: Sequence[Heard]
    ) -> tuple[dict[SecretName, Found], list[SecretName]]:
        """Return what was found, and what has to be asked for one by one."""
        found: dict[SecretName, Found] = {}
        left: list[SecretName] = []
        for group, one in zip(groups, heard, strict=True):
            if isinstance(one, Failure) and (one.kind is Denied or one.code in UNKNOWN_OPERATION):
                self._has_batches = False  # it is a permission of its own, and not every server knows it
                left += group
            elif isinstance(one, Failure) and one.kind is Malformed:
                left += group  # one of them that it does not like spoils the whole group
            elif isinstance(one, Mapping):
                found.update(self._of_batch(group, one))
                left += [name for name in group if name not in found]
            else:
                found.update({name: self._error(one, name, "BatchGetSecretValue") for name in group})
        return found, left

    def _of_batch(self, group: Sequence[SecretName], body: Mapping[str, object]) -> dict[SecretName, Found]:
        by_id: dict[str, Found] = {}
        for entry in _list(body.get("SecretValues")):
            arn, name = str(entry.get("ARN", "")), str(entry.get("Name", ""))
            by_id[arn] = by_id[arn[:-_SUFFIX]] = by_id[name] = document_of(entry)
        for entry in _list(body.get("Errors")):
            wanted, code = str(entry.get("SecretId", "")), str(entry.get("ErrorCode", ""))
            failure = Failure(code, kind_of(code, 400))
            if failure.kind in {Throttled, Unavailable}:  # left out, so asked for by itself, which is tried again
                continue
            by_id[wanted] = self._error(failure, SecretName(wanted), "GetSecretValue")
        return {name: by_id[name.id] for name in group if name.id in by_id}

    def _from_singles(self, names: Sequence[SecretName], heard: Sequence[Heard]) -> dict[SecretName, Found]:
        return {
            name: document_of(one) if isinstance(one, Mapping) else self._error(one, name, "GetSecretValue")
            for name, one in zip(names, heard, strict=True)
        }

    def _error(self, heard: Heard, name: SecretName, action: str) -> AdapterError | DeadlineError:
        return error_of(heard, subject_of(name, self._api.region, action))


def document_of(entry: Mapping[str, object]) -> Document | Malformed:
    """Return the document in the answer about one secret."""
    version = str(entry.get("VersionId", ""))
    made_at = moment_of(entry.get("CreatedDate"))
    text, binary = entry.get("SecretString"), entry.get("SecretBinary")
    if type(text) is str:  # a number is text too, with a class of its own
        return Document(text, version=version, made_at=made_at)
    if isinstance(binary, str):
        try:
            return Document(b64decode(binary, validate=True), version=version, made_at=made_at)
        except ValueError:
            return Malformed("the answer holds a binary secret that is not base64")
    return Malformed("the answer holds neither text nor bytes")


def groups_of(names: Sequence[SecretName]) -> list[Sequence[SecretName]]:
    """Return ``names`` in groups as even as can be, so that none is slower than the others."""
    count = -(-len(names) // _GROUP)
    size = -(-len(names) // count)
    return [names[start : start + size] for start in range(0, len(names), size)]


def _batch(group: Sequence[SecretName]) -> Operation:
    return Operation("BatchGetSecretValue", {"SecretIdList": [name.id for name in group]})


def _single(name: SecretName) -> Operation:
    parameters = {"SecretId": name.id, "VersionStage": name.stage, "VersionId": name.version}
    return Operation("GetSecretValue", {key: text for key, text in parameters.items() if text})


def _list(found: object) -> list[Mapping[str, object]]:
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []
