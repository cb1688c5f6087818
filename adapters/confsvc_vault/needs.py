"""What reading takes: the calls, and a policy that allows them and nothing else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from confsvc.adapter import Backend
from confsvc.errors import AdapterError, ManifestError
from confsvc.needs import Calls, Needs, Permission
from confsvc.reference import Reference
from confsvc_vault.mounts import expected_mount, looks_made
from confsvc_vault.paths import Mount, Target, escape, read_target
from confsvc_vault.reading import checked_mount
from confsvc_vault.values import text_of, variable

__all__ = ["needs_of"]

_GUESSED = (
    "without `kv_version` every path counts as one of KV version 2, mounted under its first segment; the server is "
    "asked at each start, once more for each mount that is further down"
)
_GIVEN_BACK = "the login is given back with `auth/token/revoke-self`, which the policy `default` allows"
_RENEWED = "what stays (--watch) renews leases with `sys/leases/renew`, which the policy `default` allows"


def needs_of(references: Sequence[Reference], backend: Backend) -> Needs:
    """See `confsvc.needs.Forecaster`."""
    home = (text_of(backend, backend.options, "namespace", ManifestError) or variable(backend, "NAMESPACE")).strip("/")
    version = int(str(backend.options.get("kv_version", 0)))
    path = str(backend.options.get("kv_mount", "")).strip("/")
    errors: dict[Reference, AdapterError] = {}
    places: dict[Target, Mount] = {}
    for reference in references:
        target = read_target(reference, home)
        mount = checked_mount(target, expected_mount(target, version, path)) if isinstance(target, Target) else target
        if isinstance(target, Target) and isinstance(mount, Mount):
            places[target] = mount
        elif isinstance(mount, AdapterError):
            errors[reference] = mount
    leases = not version and any(map(looks_made, places))
    last = _RENEWED if leases else _GIVEN_BACK
    rules = tuple(dict.fromkeys(_rule(target, mount, home) for target, mount in places.items()))
    method = _method(backend)
    return Needs(
        tuple(_calls(places, backend, asks=not version, leases=leases)) if places else (),
        (Permission("Vault policy", "hcl", _policy(rules, backend)),) if rules else (),
        notes=tuple(_notes(places, rules, home, [_GUESSED] * (not version) + [last] * (method != "token"))),
        errors=errors,
    )


def _notes(places: Iterable[Target], rules: Iterable[str], home: str, general: Iterable[str]) -> Iterator[str]:
    if rules:
        yield from general
    for name in sorted({target.namespace for target in places if _inside(target, home) is None}):
        yield f"a login in the namespace `{home}` sees nothing of the namespace `{name}`"
    for rule in rules:
        if rule.endswith("*") or "{{" in rule or "+" in rule.split("/"):
            yield f"policies take `*` at an end, `+` and `{{{{` as wildcards, so `{rule}` allows more than that"


def _calls(places: Mapping[Target, Mount], backend: Backend, *, asks: bool, leases: bool) -> Iterator[Calls]:
    method, auth = _method(backend), _auth(backend)
    if method != "token":
        if auth.get("secret_id_wrapped"):
            yield Calls("PUT /v1/sys/wrapping/unwrap")
        user = f"/{auth['username']}" if method == "userpass" and isinstance(auth.get("username"), str) else ""
        yield Calls(f"POST /v1/auth/{_mounted(auth, method)}/login{user}")
    if asks:
        firsts = {target.start(1): target for target in reversed(list(places))}
        for target in reversed(firsts.values()):
            yield Calls(f"GET /v1/sys/internal/ui/mounts/{escape(target.path)}")
    for target, mount in places.items():
        version = f"?version={target.version}" if target.version else ""
        yield Calls(f"GET /v1/{escape(target.place(mount))}{version}", documents=1)
    if method != "token" and not leases:
        yield Calls("POST /v1/auth/token/revoke-self")


def _policy(rules: Iterable[str], backend: Backend) -> str:
    method, role = _method(backend), _auth(backend).get("role")
    who = "the token" if method == "token" else f"the login at auth/{_mounted(_auth(backend), method)}"
    who = f"the role {role} at auth/{_mounted(_auth(backend), method)}" if isinstance(role, str) and role else who
    blocks = [f'path "{_quoted(rule)}" {{\n  capabilities = ["read"]\n}}\n' for rule in rules]
    return f"# for {' '.join(who.split())}\n" + "".join(blocks)  # on one line, whatever a role is called


def _rule(target: Target, mount: Mount, home: str) -> str:
    """Return the path as a policy in the namespace ``home``, where we log in, has it."""
    return (_inside(target, home) or "") + target.place(mount)


def _inside(target: Target, home: str) -> str | None:
    """Return the namespace of ``target`` as seen from ``home``, with a slash at its end; None where it is not below."""
    own, outer = f"{target.namespace}/".lstrip("/"), f"{home}/".lstrip("/")
    return own.removeprefix(outer) if own.startswith(outer) else None


def _quoted(text: str) -> str:
    """Return ``text`` for between the quotes of HCL."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _auth(backend: Backend) -> Mapping[str, object]:
    table = backend.options.get("auth")
    return table if isinstance(table, Mapping) else {}


def _method(backend: Backend) -> str:
    return str(_auth(backend).get("method", "token"))


def _mounted(auth: Mapping[str, object], method: str) -> str:
    mount = auth.get("mount")
    return (mount if isinstance(mount, str) else "").strip("/") or method
