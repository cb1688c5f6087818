"""Where an API is: the region, and the address that goes with it."""

import re
from collections.abc import Callable, Mapping
from importlib import import_module

from confsvc.adapter import Backend
from confsvc.errors import ManifestError
from confsvc.http import Origin, parse_origin

__all__ = ["default_endpoint", "domain_of", "endpoint_of", "is_unknown", "partition_of", "region_of"]

_REGION = r"[a-z]{2,}(-[a-z]+)+-[0-9]+"
_HINT = "pip install 'confsvc[aws]'"
_TRUE = frozenset({"true", "1"})

# By how regions begin, their partition and how names in it end; those of the partition `aws` by none of these.
_PARTITIONS = {
    "cn-": ("aws-cn", "amazonaws.com.cn"),
    "eu-isoe-": ("aws-iso-e", "cloud.adc-e.uk"),
    "eusc-": ("aws-eusc", "amazonaws.eu"),
    "us-gov-": ("aws-us-gov", "amazonaws.com"),
    "us-iso-": ("aws-iso", "c2s.ic.gov"),
    "us-isob-": ("aws-iso-b", "sc2s.sgov.gov"),
    "us-isof-": ("aws-iso-f", "csp.hci.ic.gov"),
}
# What the variables and the services' host names call each.
_VARIABLES = {
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "ssm": "AWS_ENDPOINT_URL_SSM",
    "sts": "AWS_ENDPOINT_URL_STS",
}


def region_of(backend: Backend, found: str = "") -> str:
    """Return the backend's region: what the manifest says, else the environment, else ``found`` in the profile.

    Raises:
        ManifestError: there is none, or it cannot be one.

    """
    environ = backend.environ
    written = str(backend.options.get("region", ""))
    region = written or environ.get("AWS_REGION", "") or environ.get("AWS_DEFAULT_REGION", "") or found
    if not region:
        raise ManifestError(
            f"the backend `{backend.name}` has no region",
            hint=f"write `region` in [backends.{backend.name}], or set AWS_REGION",
        )
    if not re.fullmatch(_REGION, region):
        raise ManifestError(f"the region of the backend `{backend.name}` is none", hint="such as `eu-west-1`")
    return region


def endpoint_of(backend: Backend, service: str, region: str, in_profile: Callable[[str], str] = lambda _: "") -> Origin:
    """Return where ``service`` is to be asked; ``in_profile`` says what the profile has for it.

    Raises:
        ManifestError: the address is none.

    """
    environ = backend.environ
    address = str(backend.options.get("endpoint_url", ""))
    if not address and environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() not in _TRUE:
        address = environ.get(_VARIABLES[service], "") or environ.get("AWS_ENDPOINT_URL", "") or in_profile(service)
    insecure = bool(backend.options.get("insecure", False))
    return parse_origin(address or default_endpoint(service, region, environ), insecure=insecure)


def default_endpoint(service: str, region: str, environ: Mapping[str, str]) -> str:
    """Return the public address of ``service`` in ``region``, as botocore's rules have it; a test compares them.

    Where AWS_USE_FIPS_ENDPOINT or AWS_USE_DUALSTACK_ENDPOINT asks for another, botocore is asked, as these differ from
    service to service.

    Raises:
        ManifestError: then it is not installed, or there is none.

    """
    fips, dual = (environ.get(f"AWS_USE_{name}_ENDPOINT", "").lower() in _TRUE for name in ("FIPS", "DUALSTACK"))
    if fips or dual:
        return _by_botocore(service, region, fips=fips, dual=dual)
    return f"https://{service}.{region}.{domain_of(region)}"


def partition_of(region: str) -> str:
    """Return the partition of ``region``, which its ARNs begin with."""
    return _partition(region)[0]


def domain_of(region: str) -> str:
    """Return how the names of hosts in ``region`` end."""
    return _partition(region)[1]


def _partition(region: str) -> tuple[str, str]:
    return next((found for start, found in _PARTITIONS.items() if region.startswith(start)), ("aws", "amazonaws.com"))


def _by_botocore(service: str, region: str, *, fips: bool, dual: bool) -> str:
    found = ""
    problem, hint = f"{service} has no such endpoint in {region}", ""
    try:
        provider, session = import_module("botocore.endpoint_provider"), import_module("botocore.session")
        loader = session.get_session().get_component("data_loader")
        rules = loader.load_service_model(service, "endpoint-rule-set-1")
        endpoints = provider.EndpointProvider(rules, loader.load_data("partitions"))
        found = str(endpoints.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual).url)
    except ImportError:
        problem, hint = "FIPS and dual-stack endpoints need boto3, which is not installed", _HINT
    except Exception:  # noqa: BLE001 - of botocore's rules, whichever it is
        found = ""
    if not found:
        raise ManifestError(problem, hint=hint)
    return found


def is_unknown(service: str, region: str) -> bool:
    """Tell whether botocore knows all regions of ``service``, and ``region`` is none of them."""
    try:
        session = import_module("botocore.session").get_session()
        known = [
            one
            for partition in session.get_available_partitions()
            for one in session.get_available_regions(service, partition)
        ]
    except Exception:  # noqa: BLE001 - of botocore, which may be missing or old: then nothing is known
        return False
    return bool(known) and region not in known
