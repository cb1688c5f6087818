"""Writing secrets and parameters."""

from collections.abc import Mapping

from confsvc.adapter import Deadline, Description, compact_json
from confsvc.errors import AdapterError, DeadlineError, Malformed, NotFound
from confsvc.http import number_of
from confsvc_aws.api import Api, Failure, Heard, Operation
from confsvc_aws.describing import describe_parameters, describe_secrets, parameter_kinds
from confsvc_aws.names import ParameterName, SecretName
from confsvc_aws.parameters import subject_of as subject_of_parameter
from confsvc_aws.parameters import tree_version
from confsvc_aws.saying import error_of
from confsvc_aws.secrets import subject_of as subject_of_secret

__all__ = ["store_parameters", "store_secret"]

_SECURE = "SecureString"
_Stored = str | AdapterError | DeadlineError


def store_secret(
    api: Api, name: SecretName, fields: Mapping[str, object], deadline: Deadline, expected: str | None
) -> _Stored:
    """Write ``fields`` as the JSON object that is the secret; it is made where there is none. Returns the version's id.

    Secrets Manager has no write on condition, so ``expected`` is compared just before.
    """
    if name.stage or name.version:
        return Malformed("only the current version can be written: leave `stage` and `version` out")
    if expected is not None:
        described = describe_secrets(api, [name], deadline)[name]
        if isinstance(described, Description) and described.version != expected:
            return _conflict(name.name, described.version)
        if isinstance(described, NotFound) and expected != "0":
            return described
        if isinstance(described, AdapterError | DeadlineError) and not isinstance(described, NotFound):
            return described
    text = _json(fields)
    put = Operation("PutSecretValue", {"SecretId": name.id, "SecretString": text, **_token()}, is_write=True)
    heard = api.call([put], deadline)[0] if expected != "0" else Failure("ResourceNotFoundException", NotFound)
    action = "PutSecretValue"
    if isinstance(heard, Failure) and heard.kind is NotFound and not name.id.startswith("arn:"):
        action = "CreateSecret"
        create = Operation(action, {"Name": name.id, "SecretString": text, **_token()}, is_write=True)
        heard = api.call([create], deadline)[0]
    if isinstance(heard, Mapping) and heard.get("VersionId"):
        return str(heard["VersionId"])
    return error_of(heard, subject_of_secret(name, api.region, action))


def store_parameters(
    api: Api, name: ParameterName, fields: Mapping[str, object], deadline: Deadline, expected: str | None
) -> _Stored:
    """Write ``fields``: each as a parameter of a tree, or all of them as the JSON object that is one parameter.

    What is new is written as SecureString, what is there keeps its type. Returns the new version; of a tree, what its
    version is then.
    """
    if name.selector:
        return Malformed("only the current version can be written: leave `version` and `label` out")
    if expected is not None:
        described = describe_parameters(api, [name], deadline)[name]
        problem = _unexpected(described, name.id, expected)
        if problem:
            return problem
    texts = (
        {f"{name.id.rstrip('/')}/{field}": _text(value) for field, value in fields.items()}
        if name.is_tree
        else {name.id: _json(fields)}
    )
    kinds = parameter_kinds(api, list(texts), deadline)
    heard = [
        api.call([_put(one, text, kinds.get(one, _SECURE), overwrite=expected != "0")], deadline)[0]
        for one, text in texts.items()
    ]
    failed = next((one for one in heard if not _version(one)), None)
    if failed is not None:
        return error_of(failed, subject_of_parameter(name, api.region, "PutParameter"))
    if not name.is_tree:
        return _version(heard[0])
    described = describe_parameters(api, [name], deadline)[name]
    if isinstance(described, Description):
        return described.version
    return tree_version({one: _version(answer) for one, answer in zip(texts, heard, strict=True)})


def _put(name: str, text: str, kind: str, *, overwrite: bool) -> Operation:
    parameters = {"Name": name, "Value": text, "Type": kind, "Overwrite": overwrite}
    return Operation("PutParameter", parameters, is_write=True)


def _version(heard: Heard) -> str:
    number = number_of(heard.get("Version")) if isinstance(heard, Mapping) else 0
    return str(number) if number else ""


def _unexpected(described: object, what: str, expected: str) -> AdapterError | DeadlineError | None:
    if isinstance(described, Description):
        return _conflict(what, described.version) if described.version != expected else None
    if isinstance(described, NotFound):
        return None if expected == "0" else described
    return described if isinstance(described, AdapterError | DeadlineError) else None


def _conflict(what: str, version: str) -> Malformed:
    return Malformed(f"`{what}` is at version {version} by now, so it was not written", hint="read it again")


def _token() -> dict[str, str]:
    """Return what makes a write that is sent twice count once."""
    from uuid import uuid4

    return {"ClientRequestToken": str(uuid4())}


def _text(value: object) -> str:
    return value if isinstance(value, str) else compact_json(value)


def _json(fields: Mapping[str, object]) -> str:
    return compact_json(dict(fields))
