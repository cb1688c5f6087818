"""Our signatures and addresses are the ones that botocore makes."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.adapter import Backend, Deadline
from confsvc.errors import Denied, ManifestError, Unavailable
from confsvc.http import Client
from confsvc.testing import find_leaks, make_canary
from confsvc_aws.api import Api, Failure, Operation
from confsvc_aws.credentials import Identity
from confsvc_aws.errors import CODES
from confsvc_aws.names import ParameterName, SecretName
from confsvc_aws.parameters import subject_of as subject_of_parameter
from confsvc_aws.places import default_endpoint, endpoint_of, region_of
from confsvc_aws.saying import error_of
from confsvc_aws.secrets import subject_of as subject_of_secret
from confsvc_aws.signing import Credentials, signed_headers

NOW = 1_700_000_000.0
TEXT = st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


@given(TEXT, TEXT, st.one_of(st.just(""), TEXT), st.binary(max_size=200), st.sampled_from(["ssm", "secretsmanager"]))
def test_a_signature_is_botocores(access: str, secret: str, token: str, body: bytes, service: str) -> None:
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{service}.Do"}
    host = f"{service}.eu-west-1.amazonaws.com"
    ours = signed_headers(
        Credentials(access, secret, token),
        service=service,
        region="eu-west-1",
        host=host,
        headers=headers,
        body=body,
        now=NOW,
    )
    request: Any = botocore.awsrequest.AWSRequest("POST", f"https://{host}/", headers=headers, data=body)
    credentials = botocore.credentials.Credentials(access, secret, token or None)
    moment = dt.datetime.fromtimestamp(NOW, dt.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment, create=True):
        botocore.auth.SigV4Auth(credentials, service, "eu-west-1").add_auth(request)
    assert ours["Authorization"] == request.headers["Authorization"]
    assert ours["X-Amz-Date"] == request.headers["X-Amz-Date"]


def test_credentials_show_nothing() -> None:
    canary = make_canary()
    assert find_leaks(canary, repr(Credentials("id", canary, canary))) == []


def places() -> Iterator[tuple[str, str]]:
    session = botocore.session.get_session()
    for partition in session.get_available_partitions():
        for service in ("secretsmanager", "ssm"):
            for region in session.get_available_regions(service, partition):
                if "fips" not in region:
                    yield service, region


@pytest.mark.parametrize("fips", [False, True])
@pytest.mark.parametrize("dual", [False, True])
def test_addresses_are_botocores(fips: bool, dual: bool) -> None:
    session = botocore.session.get_session()
    resolver = _resolver(session)
    environ = {"AWS_USE_FIPS_ENDPOINT": str(fips), "AWS_USE_DUALSTACK_ENDPOINT": str(dual)}
    found = set(places())
    assert len(found) > 60
    for service, region in sorted(found):
        theirs = resolver(service, region, fips, dual)
        if theirs:
            assert default_endpoint(service, region, environ) == theirs


def _resolver(session: Any) -> Any:
    from botocore.endpoint_provider import EndpointProvider

    loader = session.get_component("data_loader")
    partitions = loader.load_data("partitions")
    providers = {
        service: EndpointProvider(loader.load_service_model(service, "endpoint-rule-set-1"), partitions)
        for service in ("secretsmanager", "ssm")
    }

    def resolve(service: str, region: str, fips: bool, dual: bool) -> str:
        from botocore.exceptions import EndpointProviderError

        try:
            return str(providers[service].resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual).url)
        except EndpointProviderError:  # this partition has no such thing
            return ""

    return resolve


OPERATIONS = {
    "secretsmanager": [
        "BatchGetSecretValue",
        "GetSecretValue",
        "DescribeSecret",
        "PutSecretValue",
        "CreateSecret",
        "ListSecretVersionIds",
    ],
    "ssm": ["GetParameters", "GetParametersByPath", "DescribeParameters", "PutParameter"],
}


@pytest.mark.parametrize("service", OPERATIONS)
def test_every_error_that_the_models_know_is_in_the_table(service: str) -> None:
    model = botocore.session.get_session().get_service_model(service)
    codes = {
        shape.metadata.get("error", {}).get("code", shape.name)
        for operation in OPERATIONS[service]
        for shape in model.operation_model(operation).error_shapes
    }
    names = {shape.name for operation in OPERATIONS[service] for shape in model.operation_model(operation).error_shapes}
    assert len(names) >= 8
    assert (codes | names) - CODES.keys() == set()


def backend(environ: dict[str, str] | None = None, **options: object) -> Backend:
    return Backend("aws-sm", "aws-sm", options, "/", environ or {})


def test_the_manifest_then_the_environment_says_the_region() -> None:
    both = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}
    assert region_of(backend(both, region="us-east-1")) == "us-east-1"
    assert region_of(backend(both)) == "eu-west-1"
    assert region_of(backend({"AWS_DEFAULT_REGION": "eu-west-2"})) == "eu-west-2"
    assert region_of(backend(), "ap-south-1") == "ap-south-1"


@pytest.mark.parametrize("region", ["", "Ireland", "eu-west", "eu-west-1/../x", "eu_west_1"])
def test_what_is_no_region_is_refused(region: str) -> None:
    with pytest.raises(ManifestError):
        region_of(backend({"AWS_REGION": region}))


def test_an_endpoint_of_the_manifest_then_of_the_service_then_of_all() -> None:
    environ = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:2"}
    assert endpoint_of(backend(environ, endpoint_url="http://127.0.0.1:3"), "ssm", "eu-west-1").port == 3
    assert endpoint_of(backend(environ), "ssm", "eu-west-1").port == 2
    assert endpoint_of(backend(environ), "secretsmanager", "eu-west-1").port == 1
    ignoring = {**environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert endpoint_of(backend(ignoring), "ssm", "eu-west-1").host == "ssm.eu-west-1.amazonaws.com"


def test_plain_http_goes_to_loopback_only() -> None:
    with pytest.raises(ManifestError):
        endpoint_of(backend(endpoint_url="http://aws.example.com"), "ssm", "eu-west-1")
    assert endpoint_of(backend(endpoint_url="http://aws.example.com", insecure=True), "ssm", "eu-west-1").port == 80


def test_operations_and_failures_show_nothing() -> None:
    canary = make_canary()
    assert find_leaks(canary, repr(Operation("PutSecretValue", {"SecretString": canary})), json.dumps([])) == []


@pytest.mark.parametrize(("region", "is_named"), [("eu-west-99", True), ("eu-west-1", False)])
def test_an_address_that_leads_nowhere_names_a_region_that_is_none(
    region: str, is_named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    api = Api(backend(environ), Identity(backend(environ)), "ssm", region)
    monkeypatch.setattr(Client, "send", lambda *_, **__: [Unavailable("the name was not found")])
    (found,) = api.call([Operation("GetParameters", {})], Deadline(5))
    assert isinstance(found, Unavailable)
    assert (f"`{region}` is no region" in found.message) == is_named


@pytest.mark.parametrize(
    ("region", "start"),
    [("eu-west-1", "arn:aws:"), ("cn-north-1", "arn:aws-cn:"), ("us-gov-west-1", "arn:aws-us-gov:")],
)
def test_what_would_allow_it_is_said_with_the_partition_of_the_region(region: str, start: str) -> None:
    secret, parameter = SecretName("shop/db"), ParameterName("/shop/url")
    denied = Failure("AccessDeniedException", Denied)
    for subject in (
        subject_of_secret(secret, region, "GetSecretValue"),
        subject_of_parameter(parameter, region, "GetParameters"),
    ):
        assert subject.resource.startswith(start)
        assert f'"Resource": "{start}' in error_of(denied, subject).hint
