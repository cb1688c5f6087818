"""From what an API said no with to an error that tells what to do about it. Nothing it said is repeated."""

from typing import NamedTuple

from confsvc.errors import AdapterError, DeadlineError, Denied, Malformed, NotFound, Throttled, Unauthenticated
from confsvc_aws.api import Failure, Heard

__all__ = ["Subject", "error_of"]

_HINTS = {
    "ExpiredToken": "log in again: the session's credentials have ended",
    "ExpiredTokenException": "log in again: the session's credentials have ended",
    "RequestTimeTooSkewed": "is the clock of this machine right?",
    "RequestExpired": "is the clock of this machine right?",
    "SignatureDoesNotMatch": "is the secret access key the one of this access key id?",
    "InvalidSignatureException": "is the secret access key the one of this access key id?",
}
_MESSAGES = {
    "DecryptionFailure": "`{what}` cannot be decrypted: its KMS key is disabled, gone, or not for us",
    "InvalidKeyId": "`{what}` cannot be decrypted: its KMS key is disabled, gone, or not for us",
    "InvalidRequestException": "`{what}` is scheduled for deletion, or in a state that cannot be read",
    "ParameterAlreadyExists": "`{what}` is there already",
    "ResourceExistsException": "`{what}` is there already",
}
_ADVICE = {"InvalidRequestException": "aws secretsmanager restore-secret brings back what waits for its deletion"}


class Subject(NamedTuple):
    """What was asked about: ``what`` it is called, the ``action`` in the words of IAM, and the ``resource``."""

    what: str
    region: str
    action: str
    resource: str
    version: str = ""


def error_of(heard: Heard, subject: Subject) -> AdapterError | DeadlineError:
    """Return the error for ``heard``, which is no success."""
    if isinstance(heard, AdapterError | DeadlineError):
        return heard
    if not isinstance(heard, Failure):
        return Malformed(f"the answer about `{subject.what}` is not one of this API")
    kind, what = heard.kind, subject.what
    if kind is NotFound:
        version = f", or not in {subject.version}" if subject.version else ""
        return NotFound(f"`{what}` is not there in {subject.region}{version}")
    if kind is Denied:
        statement = f'{{"Effect": "Allow", "Action": "{subject.action}", "Resource": "{subject.resource}"}}'
        return Denied(
            f"these credentials may not do `{subject.action}` on `{what}`",
            hint=f"this statement in one of their policies allows it: {statement}; a key of KMS may need one too",
        )
    if kind is Unauthenticated:
        return Unauthenticated(f"AWS does not accept the credentials ({heard.code})", hint=_HINTS.get(heard.code, ""))
    if kind is Throttled:
        return Throttled(f"{subject.action.partition(':')[0]} in {subject.region} asks for patience ({heard.code})")
    message = _MESSAGES.get(heard.code, f"`{{what}}` cannot be had ({heard.code or 'no code'})").format(what=what)
    return kind(message, hint=_ADVICE.get(heard.code, ""))
