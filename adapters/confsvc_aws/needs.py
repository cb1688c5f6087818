"""What reading takes: the calls, and policies of IAM that allow them and nothing else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from json import dumps
from typing import TypeVar

from confsvc.adapter import Backend
from confsvc.errors import Malformed
from confsvc.needs import Calls, Needs, Permission
from confsvc.reference import Reference
from confsvc_aws.names import ParameterName, SecretName, read_parameter, read_secret
from confsvc_aws.parameters import groups_of as groups_of_parameters
from confsvc_aws.places import domain_of, partition_of
from confsvc_aws.secrets import groups_of as groups_of_secrets

__all__ = ["needs_of_parameters", "needs_of_secrets"]

_Name = TypeVar("_Name", SecretName, ParameterName)
_Statement = dict[str, object]

_DASHED = 7  # what a whole ARN of a secret has behind its name: a dash and six random characters
_LONGEST = 6144  # characters of a managed policy, without white space
_LONG = "the policy is longer than IAM takes at once: read a tree, or put patterns in place of names"
_TOGETHER = "without `secretsmanager:BatchGetSecretValue` it works too, with a call for each secret"
_KEYS = "`kms:Decrypt` is for keys of your own, and only for what is read here; keys that AWS manages do without"


def needs_of_secrets(references: Sequence[Reference], backend: Backend) -> Needs:
    """See `confsvc.needs.Forecaster`; of Secrets Manager."""
    found = {reference: read_secret(reference) for reference in references}
    regions = _by_region([name for name in found.values() if isinstance(name, SecretName)], backend)
    calls, arns, together = list(_taking_the_role(backend, regions)), list[str](), False
    for region, names in regions.items():
        current = [name for name in names if not (name.stage or name.version)]
        groups = groups_of_secrets(current) if len(current) > 1 else []
        single = len(names) - sum(map(len, groups))
        together = together or bool(groups)
        if groups:
            what = f"BatchGetSecretValue in {region}"
            calls.append(Calls(what, len(groups), sum(map(len, groups)), price="aws-sm.call"))
        if single:
            calls.append(Calls(f"GetSecretValue in {region}", single, single, price="aws-sm.call"))
        arns += [_secret(name, region, backend) for name in names]
    statements = [_allow("ReadSecrets", "secretsmanager:GetSecretValue", dict.fromkeys(arns))]
    if together:
        statements.append(_allow("ReadSecretsTogether", "secretsmanager:BatchGetSecretValue", ["*"]))
    statements.append(_decrypt("Secrets", "secretsmanager", "SecretARN", dict.fromkeys(arns), regions))
    kept = {"aws-sm.secret": len({(name.id, region) for region, names in regions.items() for name in names})}
    notes = [_TOGETHER] * together + list(_notes(regions, backend))
    return _needs(calls, statements if arns else [], backend, kept, notes, found)


def needs_of_parameters(references: Sequence[Reference], backend: Backend) -> Needs:
    """See `confsvc.needs.Forecaster`; of Parameter Store."""
    found = {reference: read_parameter(reference) for reference in references}
    regions = _by_region([name for name in found.values() if isinstance(name, ParameterName)], backend)
    calls, singles, trees = list(_taking_the_role(backend, regions)), list[str](), list[str]()
    for region, names in regions.items():
        single = [name for name in names if not name.is_tree]
        groups = groups_of_parameters(single)
        if groups:
            calls.append(Calls(f"GetParameters in {region}", len(groups), len(single), price="aws-ssm.call"))
        for name in names:
            if name.is_tree:
                what, more = f"GetParametersByPath {name.id} in {region}", "a page for each ten parameters"
                calls.append(Calls(what, 1, 1, more, "aws-ssm.call"))
                path = _parameter(name, region, backend).rstrip("/")
                # A right to a path is one to all that is below it, so the second line grants nothing more; which of
                # the two is looked at depends on the path's last slash.
                trees += [path, f"{path}/*"]
            else:
                singles.append(_parameter(name, region, backend))
    statements: list[_Statement] = []
    if singles:
        statements.append(_allow("ReadParameters", "ssm:GetParameters", dict.fromkeys(singles)))
    if trees:
        statements.append(_allow("ReadTrees", "ssm:GetParametersByPath", dict.fromkeys(trees)))
    if statements:
        statements.append(
            _decrypt("Parameters", "ssm", "PARAMETER_ARN", dict.fromkeys([*singles, *trees[1::2]]), regions)
        )
    kept = {"aws-ssm.parameter": len(set(singles))}
    return _needs(calls, statements, backend, kept, _notes(regions, backend), found)


def _needs(
    calls: Iterable[Calls],
    statements: Sequence[_Statement],
    backend: Backend,
    kept: Mapping[str, int],
    notes: Iterable[str],
    found: Mapping[Reference, object],
) -> Needs:
    errors = {reference: name for reference, name in found.items() if isinstance(name, Malformed)}
    role = str(backend.options.get("role_arn", ""))
    permissions = []
    if statements:
        of = f" of the role {role.rpartition('/')[2]}" if role else ""
        permissions.append(Permission(f"IAM policy{of}", "json", _policy(statements)))
    if statements and role:
        statement = _allow("TakeTheRole", "sts:AssumeRole", [role])
        permissions.append(Permission("IAM policy of who takes the role", "json", _policy([statement])))
    told = [*notes] if statements else []
    if any(len("".join(permission.text.split())) > _LONGEST for permission in permissions):
        told.append(_LONG)
    return Needs(tuple(calls), tuple(permissions), kept, tuple(told), errors)


def _by_region(names: Sequence[_Name], backend: Backend) -> dict[str, list[_Name]]:
    """Return ``names`` by the region each is read in; `*` stands for one that is not said here."""
    environ = backend.environ
    own = backend.options.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "*"
    regions: dict[str, list[_Name]] = {}
    for name in names:
        regions.setdefault(name.region or str(own), []).append(name)
    return regions


def _taking_the_role(backend: Backend, regions: Mapping[str, object]) -> Iterator[Calls]:
    if backend.options.get("role_arn") and regions:
        yield Calls("AssumeRole of STS")


def _notes(regions: Iterable[str], backend: Backend) -> Iterator[str]:
    if _account(backend) == "*":
        yield "no account is said here: put its number in place of the `*` in the ARNs"
    if "*" in regions:
        yield f"no region is said here: write `region` in [backends.{backend.name}], or set AWS_REGION"
    yield _KEYS


def _account(backend: Backend) -> str:
    role = str(backend.options.get("role_arn", "")).split(":")
    return role[4] if len(role) > 4 else "*"


def _secret(name: SecretName, region: str, backend: Backend) -> str:
    """Return the ARN that IAM compares with: that of a whole secret, whose last six characters nobody chooses."""
    if not name.id.startswith("arn:"):
        return f"arn:{partition_of(region)}:secretsmanager:{region}:{_account(backend)}:secret:{name.id}-??????"
    tail = name.id[-_DASHED:]
    return name.id if tail[0] == "-" and tail[1:].isalnum() else f"{name.id}-??????"


def _parameter(name: ParameterName, region: str, backend: Backend) -> str:
    if name.id.startswith("arn:"):
        return name.id
    return f"arn:{partition_of(region)}:ssm:{region}:{_account(backend)}:parameter/{name.id.lstrip('/')}"


def _decrypt(what: str, service: str, context: str, arns: Iterable[str], regions: Iterable[str]) -> _Statement:
    """Allow decrypting with whichever key, but only by way of ``service``, and only what is encrypted as ``arns``."""
    keys = [f"arn:{partition_of(region)}:kms:{region}:*:key/*" for region in regions]
    via = [f"{service}.{region}.{domain_of(region)}" for region in regions]
    condition = {
        "StringLike": {"kms:ViaService": via, f"kms:EncryptionContext:{context}": list(arns)},
    }
    return {**_allow(f"Decrypt{what}", "kms:Decrypt", keys), "Condition": condition}


def _allow(sid: str, action: str, resources: Iterable[str]) -> _Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": list(resources)}


def _policy(statements: Sequence[_Statement]) -> str:
    return dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2) + "\n"
