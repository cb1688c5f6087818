"""Who we are at Google: what google-auth finds, or what the manifest says."""

import os
from importlib import import_module
from typing import Any

from confsvc.adapter import Backend, Deadline
from confsvc.errors import ConfsvcError, DeadlineError, ManifestError, Unauthenticated, Unavailable
from confsvc_gcp.sending import Sender

__all__ = ["Identity"]

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_LIFE = 900  # seconds of an impersonation: longer than a start, short enough to be of little use to others
_PROJECT_VARIABLES = ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT")
_HINT = (
    "gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS with the file of a service account or a "
    "workload identity; on Google Cloud, a service account for the machine or pod"
)


class Identity:
    """The credentials of one backend, looked for when they are first needed, and kept fresh."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        table = backend.options.get("auth")
        self._auth: dict[str, Any] = dict(table) if isinstance(table, dict) else {}
        self._method = str(self._auth.get("method", "adc"))
        self._found: Any = None
        self._project = ""

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is who we are."""
        return self._method == "anonymous"

    def project(self, deadline: Deadline) -> str:
        """Return the project where references name none.

        Raises:
            ManifestError: nobody says one.
            ConfsvcError: as `headers`.

        """
        written = str(self._backend.options.get("project", ""))
        environ = self._backend.environ
        found = written or next(filter(None, (environ.get(name, "") for name in _PROJECT_VARIABLES)), "")
        if not found and self._method != "anonymous":
            self.credentials(deadline, wants_project=True)
            found = self._project
        if not found:
            raise ManifestError(
                f"the backend `{self._backend.name}` has no project",
                hint=f"write `project` in [backends.{self._backend.name}], name it in the reference, or set "
                "GOOGLE_CLOUD_PROJECT",
            )
        return found

    def headers(self, deadline: Deadline) -> dict[str, str]:
        """Return the headers that say who we are, with a token that is good now.

        Raises:
            Unauthenticated: there are no credentials, or Google does not accept them.
            Unavailable: who gives out tokens cannot be reached.
            DeadlineError: it did not answer in time.
            ManifestError: the table cannot be used, or google-auth is not installed.

        """
        if self._method == "anonymous":
            return {}
        found: dict[str, str] = {}
        credentials = self.credentials(deadline)
        sender = Sender(self._backend, deadline)
        self._ask(
            lambda: credentials.before_request(sender, "GET", "https://secretmanager.googleapis.com/", found), sender
        )
        return {name: value for name, value in found.items() if name in {"authorization", "x-goog-user-project"}}

    def credentials(self, deadline: Deadline, *, wants_project: bool = False) -> Any:
        """Return google-auth's credentials. Raises what `headers` does."""
        if self._found is None:
            sender = Sender(self._backend, deadline, wants_project=wants_project)
            self._found = self._ask(lambda: self._find_quietly(sender), sender)
        return self._found

    def name(self) -> str:
        """Return what the credentials in use are called, empty where they do not say."""
        found = (getattr(self._found, name, "") for name in ("service_account_email", "signer_email", "account"))
        return next((text for text in found if isinstance(text, str) and text.isprintable() and text), "")

    def left(self) -> float | None:
        """Return for how many seconds the token in use lives, None where that is not known."""
        from datetime import UTC, datetime

        end = getattr(self._found, "expiry", None)
        return max(0.0, (end.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()) if end else None

    def forget(self) -> None:
        """Look for credentials anew."""
        self._found = None

    def _find_quietly(self, sender: Sender) -> Any:
        """Keep google-auth from telling people about metadata servers, quotas, and files that it did not check."""
        import logging
        import warnings

        logging.getLogger("google.auth").addHandler(logging.NullHandler())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._find(sender)

    def _find(self, sender: Sender) -> Any:
        if self._method == "anonymous":
            return _import("google.auth.credentials").AnonymousCredentials()
        file = str(self._auth.get("file", ""))
        if self._method == "service-account":
            found = self._from_file(file)
        elif file:
            found, self._project = self._load(file, sender)
        else:
            found, self._project = self._default(sender)
        if self._method == "impersonate":
            found = self._impersonated(found)
        quota = self._auth.get("quota_project")
        if quota and hasattr(found, "with_quota_project"):
            found = found.with_quota_project(str(quota))
        # A token that the key signs itself needs nobody to be asked.
        direct = getattr(found, "with_always_use_jwt_access", None)
        return direct(True) if callable(direct) else found

    def _default(self, sender: Sender) -> tuple[Any, str]:
        found, project = _import("google.auth").default(scopes=_SCOPES, request=sender)
        return found, str(project or "")

    def _load(self, file: str, sender: Sender) -> tuple[Any, str]:
        path = os.path.join(self._backend.directory, file)
        found, project = _import("google.auth").load_credentials_from_file(path, scopes=_SCOPES, request=sender)
        return found, str(project or "")

    def _from_file(self, file: str) -> Any:
        path = file or self._backend.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
        if not path:
            raise ManifestError("`service-account` needs `file`, or GOOGLE_APPLICATION_CREDENTIALS")
        library = _import("google.oauth2.service_account")
        path = os.path.join(self._backend.directory, path)
        found = library.Credentials.from_service_account_file(path, scopes=_SCOPES)
        self._project = str(found.project_id or "")
        return found

    def _impersonated(self, source: Any) -> Any:
        target = str(self._auth.get("service_account", ""))
        if not target:
            raise ManifestError("`impersonate` needs `service_account`, the e-mail address to become")
        library = _import("google.auth.impersonated_credentials")
        return library.Credentials(source, target_principal=target, target_scopes=list(_SCOPES), lifetime=_LIFE)

    def _ask(self, question: Any, sender: Sender) -> Any:
        """Ask google-auth, and say in our words what it says no with."""
        failure: ConfsvcError
        try:
            return question()
        except ConfsvcError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - of google-auth: its texts hold what servers and files say
            failure = self._translated(type(error).__name__, sender)
        failure.__context__ = failure.__cause__ = None
        raise failure.with_traceback(None)

    def _translated(self, name: str, sender: Sender) -> ConfsvcError:
        if name in {"RefreshError", "TransportError"} and isinstance(sender.failure, Unavailable | DeadlineError):
            return type(sender.failure)(f"no token from Google: {sender.failure.message}", hint=sender.failure.hint)
        file = self._auth.get("file") or self._backend.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
        if name in {"RefreshError", "ReauthFailError", "OAuthError"}:
            who = (
                f"the service account `{self._auth['service_account']}`" if self._method == "impersonate" else "a token"
            )
            return Unauthenticated(
                f"Google does not give us {who}", hint="is the login still good, the key not deleted, the role granted?"
            )
        if file:
            return Unauthenticated(f"`{file}` is no file of Google credentials that can be used", hint=_HINT)
        return Unauthenticated("there are no Google credentials", hint=_HINT)


def _import(name: str) -> Any:
    found: Any = None
    try:
        found = import_module(name)
    except ImportError:
        found = None
    if found is None:
        raise ManifestError("this needs google-auth, which is not installed", hint="pip install 'confsvc[gcp]'")
    return found
