"""What AWS says no with, and what that is for us: one table, by code, never by text.

The codes are those of the services' own models, and the ones that every service may answer with:
https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
"""

from confsvc.errors import AdapterError, Denied, Malformed, NotFound, Throttled, Unauthenticated, Unavailable
from confsvc.http import Answer, object_of

__all__ = ["CODES", "EXPIRED", "SKEWED", "THROTTLING", "UNKNOWN_OPERATION", "code_of", "kind_of"]

_MISSING = "ParameterNotFound ParameterVersionNotFound ResourceNotFoundException"
_DENIED = "AccessDenied AccessDeniedException NotAuthorized OptInRequired UnauthorizedOperation"
_UNKNOWN = (
    "AuthFailure ExpiredToken ExpiredTokenException IncompleteSignature InvalidAccessKeyId InvalidClientTokenId "
    "InvalidSignatureException InvalidToken MissingAuthenticationToken MissingAuthenticationTokenException "
    "RequestExpired RequestTimeTooSkewed SignatureDoesNotMatch UnrecognizedClientException"
)
_BUSY = (
    "LimitExceededException PriorRequestNotComplete ProvisionedThroughputExceededException RequestLimitExceeded "
    "RequestThrottled RequestThrottledException SlowDown ThrottledException Throttling ThrottlingException "
    "TooManyRequestsException TooManyUpdates TransactionInProgressException"
)
_DOWN = "InternalFailure InternalServerError InternalServiceError ServiceUnavailable ServiceUnavailableException"
# There is something, and it cannot be used, or not be written like that.
_UNUSABLE = (
    "DecryptionFailure EncryptionFailure HierarchyLevelLimitExceededException HierarchyTypeMismatchException "
    "IncompatiblePolicyException InvalidAllowedPatternException InvalidFilter InvalidFilterKey InvalidFilterOption "
    "InvalidFilterValue InvalidKeyId InvalidNextTokenException InvalidNextToken InvalidParameterException "
    "InvalidPolicyAttributeException InvalidPolicyTypeException InvalidRequestException "
    "MalformedPolicyDocumentException ParameterAlreadyExists ParameterLimitExceeded ParameterMaxVersionLimitExceeded "
    "ParameterPatternMismatchException PoliciesLimitExceededException PreconditionNotMetException "
    "PublicPolicyException ResourceExistsException UnsupportedParameterType ValidationError ValidationException"
)
_NOT_OFFERED = "InvalidAction UnknownOperationException"

CODES: dict[str, type[AdapterError]] = {
    code: kind
    for codes, kind in (
        (_MISSING, NotFound),
        (_DENIED, Denied),
        (_UNKNOWN, Unauthenticated),
        (_BUSY, Throttled),
        (_DOWN, Unavailable),
        (_UNUSABLE, Malformed),
        (_NOT_OFFERED, Malformed),
    )
    for code in codes.split()
}
THROTTLING = frozenset(_BUSY.split())
UNKNOWN_OPERATION = frozenset(_NOT_OFFERED.split())
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
# A clock that is wrong makes a signature that looks old, or one that is not believed.
SKEWED = frozenset({"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch"})


def code_of(answer: Answer) -> str:
    """Return the code of an answer that is no success, empty if it has none: AWS writes it in one of three places."""
    body = object_of(answer)
    found = answer.headers.get("x-amzn-errortype", "") or str(body.get("__type") or body.get("code") or "")
    code = found.partition(":")[0].rpartition("#")[2].strip()
    return code or _code_in_xml(answer.body)


def kind_of(code: str, status: int) -> type[AdapterError]:
    """Return what ``code`` is for us; for one that nobody knows, what the status says."""
    if code in CODES:
        return CODES[code]
    if status == 429:
        return Throttled
    if status >= 500:
        return Unavailable
    return {401: Unauthenticated, 403: Denied}.get(status, Malformed)


def _code_in_xml(body: bytes) -> str:
    """Return the code of an error in XML, which gateways in front of the services speak."""
    _, _, rest = body.partition(b"<Code>")
    code = rest.partition(b"</Code>")[0]
    return code.decode("ascii", "ignore") if len(code) <= 64 else ""
