"""moto_server, in which IAM looks at resources too: `python strict_moto.py -p PORT`.

moto asks its policies about `*` where AWS asks about an ARN. Here it is asked about the ARNs that AWS's list of actions
and resources names for each: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.access_control import IAMPolicyStatement, IAMRequestBase
from moto.secretsmanager.models import secretsmanager_backends
from moto.server import main

__all__ = ["main"]

_check = IAMRequestBase.check_action_permitted


def resources(action: str, body: dict[str, Any], region: str) -> Iterator[tuple[str, str]]:
    """Yield what a call does, and to which ARN."""
    parameter = f"arn:aws:ssm:{region}:{DEFAULT_ACCOUNT_ID}:parameter"
    if action == "secretsmanager:GetSecretValue":
        yield action, arn_of_secret(body["SecretId"], region)
    elif action == "secretsmanager:BatchGetSecretValue":
        yield action, "*"
        for one in body["SecretIdList"]:
            yield "secretsmanager:GetSecretValue", arn_of_secret(one, region)
    elif action == "ssm:GetParameters":
        for name in body["Names"]:
            yield action, f"{parameter}/{name.partition(':')[0].lstrip('/')}"
    elif action == "ssm:GetParametersByPath":
        yield action, f"{parameter}{body['Path']}"


def arn_of_secret(name: str, region: str) -> str:
    """Return the ARN of a secret, with the six characters behind its name; `nowhere` for one that is not there."""
    secrets: Any = secretsmanager_backends[DEFAULT_ACCOUNT_ID][region].secrets
    found = secrets.get(name)
    return str(found.arn) if found else f"arn:aws:secretsmanager:{region}:{DEFAULT_ACCOUNT_ID}:secret:nowhere"


def check(self: Any, resource: str) -> None:
    """Check every permission that the call needs."""
    action = self._action
    body = json.loads(self._body or b"{}") if action.startswith(("secretsmanager:", "ssm:")) else {}
    needed = list(resources(action, body, self._region)) or [(action, resource)]
    for self._action, one in needed:
        _check(self, one)
    self._action = action


def match(pattern: str, text: str) -> object:
    """Compare as IAM does: `*` and `?` stand for characters, and nothing else does. None is no."""
    return fnmatchcase(text, pattern.replace("[", "[[]")) or None


if __name__ == "__main__":
    IAMRequestBase.check_action_permitted = check  # type: ignore[method-assign]
    setattr(IAMPolicyStatement, "_match", staticmethod(match))  # noqa: B010 - private, and no other way in
    main()
