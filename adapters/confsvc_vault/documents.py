"""From what the server answers about a path to a document, or to what is wrong. Nothing it says is repeated."""

from collections.abc import Mapping

from confsvc.adapter import Document, Lease, Outcome, moment_of
from confsvc.errors import AdapterError, DeadlineError, Denied, Malformed, NotFound, Unavailable
from confsvc.http import Answer, number_of, object_of, table_of
from confsvc_vault.errors import of_status
from confsvc_vault.paths import Mount, Target
from confsvc_vault.server import Heard

__all__ = ["denied", "document_of", "guessed_document"]

# Certificates and revocation lists, which PKI engines serve as they are.
_RAW = frozenset(
    {
        "application/pem-certificate-chain",
        "application/pkix-cert",
        "application/pkix-crl",
        "application/x-pem-file",
    }
)
# Engines that give back what was put there. Others make what they answer: a code, a token, a password that rotates.
_LASTING = frozenset({"cubbyhole", "generic", "kv", "pki"})
# What tells an answer of KV version 2 from a secret of version 1 that happens to have a field `data`.
_METADATA = frozenset({"created_time", "deletion_time", "destroyed", "version"})


def document_of(answer: Heard, target: Target, mount: Mount, who: str) -> Outcome | DeadlineError:
    """Return the outcome of reading ``target``, which is in ``mount``; ``who`` names us in messages."""
    if not isinstance(answer, Answer):
        return answer
    place = target.place(mount)
    if answer.status == 403:
        return denied(place, target.namespace, who)
    if mount.version == 2:
        return _versioned(answer, target, place)
    if answer.status == 404:
        return _absent(answer, target, place, is_known=bool(mount.kind))
    if answer.status != 200:
        return of_status(answer.status, f"`{place}`")
    return _plain(answer, target, mount)


def guessed_document(versioned: Heard, plain: Heard, target: Target, who: str) -> Outcome | DeadlineError:
    """Return the outcome of reading ``target`` both ways, as KV version 2 and as it is written."""
    second, first = target.guess(2), target.guess(0)._replace(kind="")
    if _is_versioned(versioned):
        return document_of(versioned, target, second, who)
    if isinstance(plain, Answer) and plain.status == 200:
        return document_of(plain, target, first, who)
    for answer in (plain, versioned):
        if not isinstance(answer, Answer) or answer.status not in {403, 404}:
            return document_of(answer, target, first, who)
    if _says_version_2(plain):
        return document_of(versioned, target, second, who)
    if _status(plain) == 403 and _status(versioned) == 404:
        return Denied(
            f"{who} may not read `{target.path}`, nor see which kind of engine it is in",
            hint="grant `read` on it; or say `kv_version` in the backend's table",
        )
    return document_of(plain, target, first if _status(plain) == 404 else second, who)


def denied(place: str, namespace: str, who: str, *capabilities: str) -> Denied:
    """Return that ``who`` has a policy without ``capabilities``, reading by default, and the line that would do."""
    needed = capabilities or ("read",)
    where = f" in the namespace `{namespace}`" if namespace else ""
    quoted = ", ".join(f'"{capability}"' for capability in needed)
    return Denied(
        f"{who} may not {needed[-1]} `{place}`{where}",
        hint=f'this line in one of its policies allows it: path "{place}" {{ capabilities = [{quoted}] }}',
    )


def _versioned(answer: Answer, target: Target, place: str) -> Outcome:
    data = table_of(object_of(answer), "data")
    metadata = table_of(data, "metadata")
    version = str(number_of(metadata.get("version")))
    if answer.status == 404 and metadata:
        state = "destroyed" if metadata.get("destroyed") is True else "deleted"
        return Malformed(f"version {version} of `{place}` was {state}", hint=_advice(state))
    if answer.status == 404:
        return _absent(answer, target, place, is_known=True)
    if answer.status != 200:
        return of_status(answer.status, f"`{place}`")
    fields = data.get("data")
    if not isinstance(fields, Mapping):
        return Malformed(f"the answer about `{place}` is not one of a KV engine of version 2")
    return Document(fields, version=version, made_at=moment_of(metadata.get("created_time")))


def _advice(state: str) -> str:
    return "bao kv undelete, or an earlier version" if state == "deleted" else "store it again, or name another version"


def _absent(answer: Answer, target: Target, place: str, *, is_known: bool) -> AdapterError:
    """Return what a 404 means: an engine that has nothing there sends no errors, all others do."""
    found = object_of(answer)
    errors = found.get("errors")
    if not found:
        return Unavailable(f"`{place}`: something other than the server answered (status 404)")
    if errors and not is_known:
        where = f", or no namespace is called `{target.namespace}`" if target.namespace else ""
        return Malformed(f"no secrets engine is mounted where `{place}` would be{where}", hint="bao secrets list")
    if target.version:
        return NotFound(f"`{place}` has no version {target.version}")
    return NotFound(f"`{place}` is not there")


def _plain(answer: Answer, target: Target, mount: Mount) -> Outcome:
    place = target.place(mount)
    if target.version:
        return Malformed(f"`{place}` has no versions: only KV engines of version 2 keep them")
    if answer.headers.get("content-type", "").partition(";")[0].strip() in _RAW:
        return Document(answer.body)
    found = object_of(answer)
    data = found.get("data")
    if not isinstance(data, Mapping):
        return Malformed(f"the answer about `{place}` holds no data")
    document = Document(data, lease=_lease_of(found))
    document.fleeting = mount.kind not in _LASTING
    return document


def _lease_of(found: Mapping[str, object]) -> Lease | None:
    name = found.get("lease_id")
    if not isinstance(name, str) or not name:
        return None
    return Lease(name, float(number_of(found.get("lease_duration"))), found.get("renewable") is True)


def _is_versioned(answer: Heard) -> bool:
    if not isinstance(answer, Answer):
        return False
    return table_of(table_of(object_of(answer), "data"), "metadata").keys() >= _METADATA


def _says_version_2(answer: Heard) -> bool:
    """Tell whether a 404 came from a KV engine of version 2 that was asked for a path without ``data/``."""
    found = object_of(answer) if isinstance(answer, Answer) else {}
    return "errors" not in found and bool(found.get("warnings"))


def _status(answer: Heard) -> int:
    return answer.status if isinstance(answer, Answer) else 0
