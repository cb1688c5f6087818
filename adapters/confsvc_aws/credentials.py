"""Who we are: two variables, or whatever botocore finds in its own order."""

import os
import time
from importlib import import_module
from typing import Any

from confsvc.adapter import Backend, Deadline
from confsvc.errors import ConfsvcError, DeadlineError, ManifestError, Unauthenticated, Unavailable
from confsvc_aws.signing import Credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from confsvc_aws.programs import Programs

__all__ = ["Identity"]

_TRIED = (
    "tried, in this order: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a role with a web identity, {profile} with SSO "
    "and processes, the container's endpoint, the instance's metadata"
)
_PAIR = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_CONFIG = 1024 * 1024  # bytes of a configuration file that are looked at
_PATIENCE = 5  # seconds for one connection of botocore's, which has no deadline of its own


class Identity:
    """The credentials of one backend, and what its profile says of the region, looked for when they are needed.

    Static credentials in the environment are taken as they are, without botocore: it would find the same ones first.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._session: Any = None
        self._found: Any = None
        self._programs: Programs | None = None
        self._deadline: Deadline | None = None

    def credentials(self, deadline: Deadline | None = None) -> Credentials:
        """Return what to sign with now; botocore renews what ends. A program that is asked has until ``deadline``.

        Raises:
            DeadlineError: such a program was not done by then.
            Unauthenticated: there are none, or a role is not given to us.
            Unavailable: who gives them cannot be reached.
            ManifestError: botocore is needed and not installed, or there is no such profile.

        """
        self._check_pair()
        static = self._static()
        if static and not self._backend.options.get("role_arn"):
            return static
        self._deadline = deadline
        if self._programs:
            self._programs.until(deadline)
        frozen = self._ask(lambda: self._botocore().get_frozen_credentials())
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")

    def region(self) -> str:
        """Return the region of the profile, empty where there is none. Raises as `credentials` does."""
        found = self._ask(lambda: self._open().get_config_variable("region"))
        return str(found or "")

    def forget(self) -> None:
        """Look for credentials anew: those there were are not accepted any more."""
        self._session = self._found = None

    def needs_boto3(self) -> bool:
        """Tell whether two variables are not enough."""
        return bool(not self._static() or self._backend.options.get("role_arn"))

    def left(self) -> float | None:
        """Return for how many seconds the credentials live, where they end and botocore knows when."""
        end = getattr(self._found, "_expiry_time", None)
        return max(0.0, end.timestamp() - time.time()) if end else None

    def endpoint(self, service: str) -> str:
        """Return the address that the profile has for ``service``, empty where it has none. Raises as `credentials`."""
        if not self._may_have_endpoints():
            return ""

        def ask() -> object:
            session = self._open()
            provider = self._import("botocore.configprovider").ConfiguredEndpointProvider(
                full_config=session.full_config,
                scoped_config=session.get_scoped_config(),
                client_name=service,
                environ={},
            )
            return provider.provide()

        return str(self._ask(ask) or "")

    def _may_have_endpoints(self) -> bool:
        """Tell whether it is worth to ask botocore, which takes longer than reading a whole store."""
        environ = self._backend.environ
        file = environ.get("AWS_CONFIG_FILE") or os.path.join(environ.get("HOME", ""), ".aws", "config")
        try:
            with open(os.path.expanduser(file), "rb") as config:
                return b"endpoint_url" in config.read(_CONFIG)
        except OSError:
            return False

    def _check_pair(self) -> None:
        """Raise `Unauthenticated` where one of the two variables is set, and the other one is not."""
        environ = self._backend.environ
        there = [name for name in _PAIR if environ.get(name)]
        if len(there) == 1 and not self._backend.options.get("profile"):
            missing = next(name for name in _PAIR if name not in there)
            raise Unauthenticated(f"`{there[0]}` is set and `{missing}` is not")

    def _static(self) -> Credentials | None:
        environ = self._backend.environ
        key, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
        if not (key and secret) or self._backend.options.get("profile"):
            return None
        return Credentials(key, secret, environ.get("AWS_SECURITY_TOKEN", "") or environ.get("AWS_SESSION_TOKEN", ""))

    def _ask(self, question: Any) -> Any:
        """Ask botocore, and say in our words what it says no with."""
        from confsvc_aws.quiet import quiet  # it imports logging, which static credentials do without

        failure: ConfsvcError
        try:
            with quiet():
                return question()
        except ConfsvcError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - of botocore: its texts may hold what a process or a server said
            failure = self._late() or self._translated(type(error).__name__, error)
        failure.__context__ = failure.__cause__ = None
        raise failure.with_traceback(None)

    def _late(self) -> ConfsvcError | None:
        if self._deadline and self._programs and self._programs.is_late:
            return DeadlineError(f"no answer within {self._deadline.seconds:g} s")
        return None

    def _translated(self, name: str, error: Any) -> ConfsvcError:
        options = self._backend.options
        if name == "ProfileNotFound":
            profile = options.get("profile") or self._backend.environ.get("AWS_PROFILE", "")
            return ManifestError(f"there is no AWS profile `{profile}`", hint="aws configure list-profiles")
        if name == "ClientError":
            code = str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
            who = f"the role `{options['role_arn']}`" if options.get("role_arn") else "the role of the profile"
            return Unauthenticated(
                f"{who} is not given to these credentials ({code})",
                hint="does its trust policy allow them, and is `external_id` right?",
            )
        if name in {"ConnectTimeoutError", "EndpointConnectionError", "ReadTimeoutError", "ConnectionClosedError"}:
            return Unavailable("who gives out the AWS credentials cannot be reached")
        if name in {"SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError"}:
            return Unauthenticated("the SSO login has ended", hint="aws sso login")
        return Unauthenticated(f"the AWS credentials cannot be had ({name})", hint=self._tried())

    def _botocore(self) -> Any:
        if self._found is None:
            session = self._open()
            self._watch_programs(session)
            found = session.get_credentials()
            if found is None:
                raise Unauthenticated("there are no AWS credentials", hint=self._tried())
            self._found = self._assumed(session, found) if self._backend.options.get("role_arn") else found
        return self._found

    def _watch_programs(self, session: Any) -> None:
        from confsvc_aws.programs import Programs

        self._programs = Programs()
        self._programs.until(self._deadline)
        self._programs.use_in(session, self._import("botocore.credentials"))

    def _open(self) -> Any:
        if self._session is None:
            module = self._import("botocore.session")
            profile = str(self._backend.options.get("profile", "")) or None
            self._session = module.Session(profile=profile)
            config = self._import("botocore.config").Config(connect_timeout=_PATIENCE, read_timeout=_PATIENCE)
            self._session.set_default_client_config(config)
        return self._session

    def _assumed(self, session: Any, source: Any) -> Any:
        """Return credentials of the role, which botocore asks STS for when they are first needed, and renews."""
        options = self._backend.options
        library = self._import("botocore.credentials")
        extra = {"RoleSessionName": str(options.get("role_session_name", "confsvc"))}
        if options.get("external_id"):
            extra["ExternalId"] = str(options["external_id"])

        def create_client(*args: Any, **kwargs: Any) -> Any:
            region = str(options.get("region", "")) or self._backend.environ.get("AWS_REGION") or None
            # `endpoint_url` is the store's, which STS is not behind; what the environment says of STS is botocore's to
            # read. But what is asked in plain text is a test server, which stands for all of AWS.
            endpoint = str(options.get("endpoint_url", ""))
            is_said = any(self._backend.environ.get(f"AWS_ENDPOINT_URL{suffix}") for suffix in ("", "_STS"))
            ours = {"endpoint_url": endpoint} if endpoint.startswith("http://") and not is_said else {}
            return session.create_client(*args, **{"region_name": region, **ours, **kwargs})

        fetcher = library.AssumeRoleCredentialFetcher(create_client, source, str(options["role_arn"]), extra_args=extra)
        return library.DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")

    def _import(self, name: str) -> Any:
        found: Any = None
        try:
            found = import_module(name)
        except ImportError:
            found = None
        if found is None:
            raise ManifestError(
                "profiles, roles and all but two variables of AWS need boto3, which is not installed",
                hint="pip install 'confsvc[aws]'",
            )
        return found

    def _tried(self) -> str:
        profile = self._backend.options.get("profile") or self._backend.environ.get("AWS_PROFILE") or "default"
        return _TRIED.format(profile=f"the profile `{profile}`")
