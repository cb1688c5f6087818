"""What reading takes: the calls, and bindings of IAM that allow them and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from json import dumps
from shlex import quote

from confsvc.adapter import Backend
from confsvc.errors import Malformed
from confsvc.needs import Calls, Needs, Permission
from confsvc.reference import Reference
from confsvc_gcp.names import Name, read_name

__all__ = ["needs_of"]

_PROJECTS = ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT")
_UNKNOWN = "PROJECT"
_LISTING = "a page for each thousand secrets, and a call for each secret that is selected"


def needs_of(references: Sequence[Reference], backend: Backend) -> Needs:
    """See `confsvc.needs.Forecaster`."""
    found = {reference: _name(reference, backend) for reference in references}
    names = [name for name in found.values() if isinstance(name, Name)]
    errors = {reference: name for reference, name in found.items() if isinstance(name, Malformed)}
    bindings = tuple(dict.fromkeys(line for name in names for line in _bindings(name)))
    permissions = [Permission("IAM bindings", "sh", _script(backend, bindings))] if names else []
    account = str(_auth(backend).get("service_account", ""))
    if names and _method(backend) == "impersonate":
        becoming = (
            f"gcloud iam service-accounts add-iam-policy-binding {quote(account)} \\\n"
            '  --member="$member" --role=roles/iam.serviceAccountTokenCreator\n'
        )
        permissions.append(Permission("IAM binding of who becomes it", "sh", _member("") + becoming))
    versions = {(name.resource, name.version) for name in names if name.secret}
    return Needs(
        tuple(map(_calls, names)), tuple(permissions), {"gcp-sm.version": len(versions)},
        tuple(_notes(names, backend)), errors,
    )  # fmt: skip


def _name(reference: Reference, backend: Backend) -> Name | Malformed:
    name = read_name(reference)
    if isinstance(name, Malformed):
        return name
    environ, options = backend.environ, backend.options
    own = str(options.get("project", "")) or next(filter(None, map(environ.get, _PROJECTS)), "") or _UNKNOWN
    return name._replace(project=name.project or own, location=name.location or str(options.get("location", "")))


def _calls(name: Name) -> Calls:
    if name.secret:
        return Calls(f"AccessSecretVersion {name.text}", documents=1, price="gcp-sm.access")
    return Calls(f"ListSecrets {name.parent}", documents=1, more=_LISTING)


def _bindings(name: Name) -> Iterator[str]:
    project, location = quote(name.project), f"--location={quote(name.location)} " if name.location else ""
    if name.secret:
        yield (
            f"gcloud secrets add-iam-policy-binding {quote(name.secret)} --project={project} {location}\\\n"
            '  --member="$member" --role=roles/secretmanager.secretAccessor\n'
        )
        return
    yield f"gcloud iam roles create confsvc.lister --project={project} --permissions=secretmanager.secrets.list\n"
    grant = f'gcloud projects add-iam-policy-binding {project} --member="$member" \\\n'
    yield f"{grant}  --role=projects/{project}/roles/confsvc.lister --condition=None\n"
    chosen = f'resource.name.extract("/secrets/{{name}}/versions/").startsWith({dumps(name.prefix)})'
    condition = quote(f"title=confsvc,expression={chosen}") if name.prefix else "None"
    yield f"{grant}  --role=roles/secretmanager.secretAccessor --condition={condition}\n"


def _script(backend: Backend, bindings: Sequence[str]) -> str:
    account = str(_auth(backend).get("service_account", "")) if _method(backend) == "impersonate" else ""
    quota = str(_auth(backend).get("quota_project", ""))
    paying = (
        f'gcloud projects add-iam-policy-binding {quote(quota)} --member="$member" \\\n'
        "  --role=roles/serviceusage.serviceUsageConsumer --condition=None\n"
    )
    return _member(account) + "".join(bindings) + (paying if quota else "")


def _member(account: str) -> str:
    if account:
        return f"member={quote(f'serviceAccount:{account}')}\n"
    return "member=serviceAccount:NAME@PROJECT.iam.gserviceaccount.com  # who it is\n"


def _notes(names: Sequence[Name], backend: Backend) -> Iterator[str]:
    if names and _method(backend) != "anonymous":
        yield "where the credentials hold no token, getting one is a call more, which costs nothing"
    if any(name.project == _UNKNOWN for name in names):
        yield f"no project is said here: write `project` in [backends.{backend.name}], or set GOOGLE_CLOUD_PROJECT"
    if any(name.filter for name in names):
        yield "`filter` selects after the permission: the binding is for all that `prefix` selects"


def _auth(backend: Backend) -> Mapping[str, object]:
    table = backend.options.get("auth")
    return table if isinstance(table, Mapping) else {}


def _method(backend: Backend) -> str:
    return str(_auth(backend).get("method", "adc"))
