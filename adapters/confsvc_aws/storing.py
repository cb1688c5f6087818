"""Writing secrets and parameters."""

from base64 import b64encode
from collections.abc import Mapping

from confsvc.adapter import Conflict, Content, Deadline, Description, compact_json
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


def store_secret(api: Api, name: SecretName, content: Content, deadline: Deadline, expected: str | None) -> _Stored:
    """Write ``content``, fields as a JSON object; the secret is made where there is none. Returns the version's id."""
    if name.stage or name.version:
        return Malformed("only the current version can be written: leave `stage` and `version` out")
    if expected not in {None, "0"}:
        return _replace_secret(api, name, content, deadline, str(expected))
    action = "PutSecretValue"
    heard: Heard = Failure("ResourceNotFoundException", NotFound)
    if expected is None:
        (heard,) = api.call([_put_secret(name, content)], deadline)
    if isinstance(heard, Failure) and heard.kind is NotFound and not name.id.startswith("arn:"):
        action = "CreateSecret"
        parameters = {"Name": name.id, **_payload(content), **_token()}
        (heard,) = api.call([Operation(action, parameters, is_write=True)], deadline)
    if isinstance(heard, Mapping) and heard.get("VersionId"):
        return str(heard["VersionId"])
    if isinstance(heard, Failure) and heard.code == "ResourceExistsException":
        described = describe_secrets(api, [name], deadline)[name]
        return _conflict(name.name, described.version if isinstance(described, Description) else "")
    return error_of(heard, subject_of_secret(name, api.region, action))


def _replace_secret(api: Api, name: SecretName, content: Content, deadline: Deadline, expected: str) -> _Stored:
    """Write the next version, if ``expected`` is the current one.

    PutSecretValue takes no condition, so that is compared just before; afterwards the previous version tells.
    """
    (current,) = describe_secrets(api, [name], deadline).values()
    if not isinstance(current, Description):
        return current
    if current.version != expected:
        return _conflict(name.name, current.version)
    (heard,) = api.call([_put_secret(name, content)], deadline)
    made = str(heard.get("VersionId", "")) if isinstance(heard, Mapping) else ""
    if not made:
        return error_of(heard, subject_of_secret(name, api.region, "PutSecretValue"))
    previous = name._replace(stage="AWSPREVIOUS")
    described = describe_secrets(api, [name, previous], deadline)
    now, before = (getattr(described[one], "version", "") for one in (name, previous))
    if (now, before) == (made, expected):
        return made
    if now != made:  # whoever came after us did, or will, say so of what it replaced
        return _conflict(name.name, now)
    return Conflict(f"another version of `{name.name}` came between", written=made, over=before)


def store_parameters(
    api: Api, name: ParameterName, content: Content, deadline: Deadline, expected: str | None
) -> _Stored:
    """Write ``content``: fields as parameters of a tree, or as the JSON object that is one parameter; or a text.

    What is new is written as SecureString, what is there keeps its type. Returns the new version; of a tree, what its
    version is then. Parameter Store overwrites on no condition, so ``expected`` is compared just before, and the number
    of the new version tells afterwards.
    """
    problem = _problem(api, name, content, deadline, expected)
    if problem:
        return problem
    texts = (
        {f"{name.id.rstrip('/')}/{field}": _text(value) for field, value in content.items()}
        if name.is_tree and isinstance(content, Mapping)
        else {name.id: _text(content)}
    )
    kinds = parameter_kinds(api, list(texts), deadline)
    heard = [
        api.call([_put(one, text, kinds.get(one, _SECURE), overwrite=expected != "0")], deadline)[0]
        for one, text in texts.items()
    ]
    failed = next((one for one in heard if not _version(one)), None)
    if isinstance(failed, Failure) and failed.code == "ParameterAlreadyExists":
        return _conflict(name.id, "")
    if failed is not None:
        return error_of(failed, subject_of_parameter(name, api.region, "PutParameter"))
    if not name.is_tree:
        return _judged(_version(heard[0]), name, expected)
    described = describe_parameters(api, [name], deadline)[name]
    if isinstance(described, Description):
        return described.version
    return tree_version({one: _version(answer) for one, answer in zip(texts, heard, strict=True)})


def _problem(
    api: Api, name: ParameterName, content: Content, deadline: Deadline, expected: str | None
) -> AdapterError | DeadlineError | None:
    if name.selector:
        return Malformed("only the current version can be written: leave `version` and `label` out")
    if name.is_tree and not isinstance(content, Mapping):
        return Malformed("a tree has parameters: name one of them")
    if isinstance(content, bytes):
        return Malformed("a parameter is text, and this is not UTF-8")
    if expected is None:
        return None
    described = describe_parameters(api, [name], deadline)[name]
    if isinstance(described, Description):
        return _conflict(name.id, described.version) if described.version != expected else None
    if isinstance(described, NotFound):
        return None if expected == "0" else described
    return described


def _judged(made: str, name: ParameterName, expected: str | None) -> _Stored:
    over = str(int(made) - 1)
    if expected in {None, over}:
        return made
    return Conflict(f"version {over} of `{name.id}` came between", written=made, over=over)


def _put_secret(name: SecretName, content: Content) -> Operation:
    return Operation("PutSecretValue", {"SecretId": name.id, **_payload(content), **_token()}, is_write=True)


def _put(name: str, text: str, kind: str, *, overwrite: bool) -> Operation:
    parameters = {"Name": name, "Value": text, "Type": kind, "Overwrite": overwrite}
    return Operation("PutParameter", parameters, is_write=True)


def _version(heard: Heard) -> str:
    number = number_of(heard.get("Version")) if isinstance(heard, Mapping) else 0
    return str(number) if number else ""


def _conflict(what: str, version: str) -> Conflict:
    now = f"at version {version} by now" if version else "there by now"
    return Conflict(f"`{what}` is {now}, so it was not written", hint="read it again")


def _token() -> dict[str, str]:
    """Return what makes a write that is sent twice count once."""
    from uuid import uuid4

    return {"ClientRequestToken": str(uuid4())}


def _payload(content: Content) -> dict[str, str]:
    if isinstance(content, bytes):
        return {"SecretBinary": b64encode(content).decode()}
    return {"SecretString": _text(content)}


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return compact_json(dict(value))
    return value if isinstance(value, str) else compact_json(value)
