"""What AWS does on a bad day, answered by a small server as the services' documentation says."""

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from aws import ENVIRON, fetch
from confsvc.adapter import Backend, Conflict, Deadline, Document
from confsvc.errors import (
    AdapterError,
    DeadlineError,
    Denied,
    Malformed,
    NotFound,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from confsvc.reference import parse_reference
from confsvc.testing import find_leaks, make_canary
from confsvc_aws.adapter import ParameterStoreAdapter

Handle = Callable[[socket.socket, bytes], None]
Serve = Callable[[Handle], tuple[int, list[bytes]]]

GOOD = {"Name": "x", "ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:x-abcdef", "SecretString": "v", "VersionId": "1"}


def reply(body: Any, status: int = 200, **headers: str) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{lines}\r\n".encode() + text


def said(code: str, status: int = 400, message: str = "no") -> bytes:
    return reply({"__type": f"com.amazonaws#{code}", "Message": message}, status)


def backend(port: int, adapter: str = "aws-sm") -> Backend:
    options = {"endpoint_url": f"http://127.0.0.1:{port}"}
    return Backend(adapter, adapter, options, "/", ENVIRON)


def answers(serve: Serve, *replies: bytes) -> tuple[int, list[bytes]]:
    """Run a server that gives ``replies`` in turn, the last one for ever."""
    left = list(replies)

    def handle(connection: socket.socket, request: bytes) -> None:
        del request
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return serve(handle)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDeniedException", 400, Denied),
        ("ResourceNotFoundException", 400, NotFound),
        ("DecryptionFailure", 400, Malformed),
        ("InvalidRequestException", 400, Malformed),
        ("ExpiredTokenException", 400, Unauthenticated),
        ("UnrecognizedClientException", 400, Unauthenticated),
        ("InternalServiceError", 500, Unavailable),
        ("SomethingNobodyKnows", 400, Malformed),
        ("SomethingNobodyKnows", 403, Denied),
        ("SomethingNobodyKnows", 503, Unavailable),
    ],
)
def test_each_code_is_what_it_says(code: str, status: int, kind: type[AdapterError], serve: Serve) -> None:
    canary = make_canary()
    port, _ = answers(serve, said(code, status, canary))
    (found,) = fetch(backend(port), ["aws-sm://x"], seconds=3)
    assert type(found) is kind
    assert find_leaks(canary, found) == []


def test_codes_are_found_in_headers_and_xml_too(serve: Serve) -> None:
    header = reply(b"", 400, x_amzn_errortype="AccessDeniedException:http://internal/")
    xml = reply(b"<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>", 403)
    for answer, kind in ((header, Denied), (xml, Unauthenticated)):
        port, _ = answers(serve, answer)
        assert type(fetch(backend(port), ["aws-sm://x"])[0]) is kind


@pytest.mark.parametrize("code", ["ThrottlingException", "TooManyRequestsException"])
def test_throttled_reads_are_tried_again_until_they_work(code: str, serve: Serve) -> None:
    port, requests = answers(serve, said(code), said(code), reply(GOOD))
    (found,) = fetch(backend(port), ["aws-sm://x"])
    assert isinstance(found, Document)
    assert len(requests) == 3


def test_throttling_without_end_ends_at_the_deadline(serve: Serve) -> None:
    port, requests = answers(serve, said("ThrottlingException"))
    began = time.monotonic()
    (found,) = fetch(backend(port), ["aws-sm://x"], seconds=2.0)
    assert isinstance(found, Throttled | DeadlineError)
    assert len(requests) > 1
    assert time.monotonic() - began < 5


def test_a_clock_that_is_wrong_is_corrected_once(serve: Serve) -> None:
    # It is another hour there, whatever the time is here.
    late = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 5400))
    skewed = reply({"__type": "InvalidSignatureException"}, 400, Date=late)
    port, requests = answers(serve, skewed, reply(GOOD))
    (found,) = fetch(backend(port), ["aws-sm://x"])
    assert isinstance(found, Document)
    stamps = [request.lower().partition(b"x-amz-date: ")[2][:11] for request in requests]
    assert stamps[0] != stamps[1]


def test_a_signature_that_is_wrong_is_not_tried_again(serve: Serve) -> None:
    now = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    port, requests = answers(serve, reply({"__type": "InvalidSignatureException"}, 400, Date=now))
    (found,) = fetch(backend(port), ["aws-sm://x"])
    assert isinstance(found, Unauthenticated)
    assert "secret access key" in found.hint
    assert len(requests) == 1


def operation(request: bytes) -> str:
    return request.lower().partition(b"x-amz-target: ")[2].partition(b"\r\n")[0].decode().rpartition(".")[2]


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnknownOperationException", "InvalidParameterException"])
def test_without_groups_each_secret_is_read_by_itself(code: str, serve: Serve) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        is_group = operation(request) == "batchgetsecretvalue"
        connection.sendall(said(code) if is_group else reply(GOOD))

    port, requests = serve(handle)
    found = fetch(backend(port), ["aws-sm://x", "aws-sm://y"])
    assert all(isinstance(one, Document) for one in found)
    assert sorted(map(operation, requests)) == ["batchgetsecretvalue", "getsecretvalue", "getsecretvalue"]


def test_failures_inside_a_group_are_told_apart(serve: Serve) -> None:
    errors = [
        {"SecretId": "denied", "ErrorCode": "AccessDeniedException", "Message": "m"},
        {"SecretId": "locked", "ErrorCode": "DecryptionFailure", "Message": "m"},
        {"SecretId": "gone", "ErrorCode": "ResourceNotFoundException", "Message": "m"},
    ]
    port, requests = answers(serve, reply({"SecretValues": [GOOD], "Errors": errors}))
    found = fetch(backend(port), [f"aws-sm://{name}" for name in ("x", "denied", "locked", "gone")])
    assert [type(one) for one in found] == [Document, Denied, Malformed, NotFound]
    assert len(requests) == 1


def test_secrets_of_a_group_are_known_by_their_name_and_by_both_forms_of_their_arn(serve: Serve) -> None:
    port, requests = answers(serve, reply({"SecretValues": [GOOD], "Errors": []}))
    arn = GOOD["ARN"]
    found = fetch(backend(port), ["aws-sm://x", f"aws-sm://{arn}", f"aws-sm://{arn.removesuffix('-abcdef')}"])
    assert [one.content.reveal() for one in found] == ["v", "v", "v"]
    assert len(requests) == 1


def test_a_server_may_answer_with_the_version_behind_the_name(serve: Serve) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        entries = [{"Name": one, "Type": "String", "Value": one, "Version": 3} for one in body_of(request)["Names"]]
        connection.sendall(reply({"Parameters": entries, "InvalidParameters": []}))

    port, _ = serve(handle)
    (found,) = fetch(backend(port, "aws-ssm"), ["aws-ssm:///x/y?version=3"])
    assert found.content.reveal() == "/x/y:3"


@pytest.mark.parametrize(("made", "over"), [(2, ""), (3, "2")])
def test_a_version_that_came_between_is_told_of_after_the_writing(made: int, over: str, serve: Serve) -> None:
    """Parameter Store takes no condition: only the number of the new version tells."""

    def handle(connection: socket.socket, request: bytes) -> None:
        described = {"Parameters": [{"Name": "/x", "Type": "String", "Version": 1}]}
        connection.sendall(reply({"Version": made} if operation(request) == "putparameter" else described))

    port, _ = serve(handle)
    adapter = ParameterStoreAdapter(backend(port, "aws-ssm"))
    told = None
    try:
        version = adapter.store(parse_reference("aws-ssm:///x"), "new", deadline=Deadline(20), expected="1")
    except Conflict as conflict:
        version, told = conflict.written, conflict
    adapter.close()
    assert version == str(made)
    assert (told.over if told else "") == over


def test_what_a_group_leaves_out_is_asked_for_by_itself(serve: Serve) -> None:
    port, requests = answers(serve, reply({"SecretValues": [GOOD], "Errors": []}), reply({**GOOD, "Name": "y"}))
    found = fetch(backend(port), ["aws-sm://x", "aws-sm://y"])
    assert all(isinstance(one, Document) for one in found)
    assert list(map(operation, requests)) == ["batchgetsecretvalue", "getsecretvalue"]


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError"])
def test_what_is_busy_inside_a_group_is_asked_for_again(code: str, serve: Serve) -> None:
    """Decrypting has limits of its own: one secret of a group may meet them, and the group is answered all the same."""
    group = {"SecretValues": [GOOD], "Errors": [{"SecretId": "y", "ErrorCode": code, "Message": "m"}]}
    port, requests = answers(serve, reply(group), said(code, 500), reply({**GOOD, "Name": "y"}))
    found = fetch(backend(port), ["aws-sm://x", "aws-sm://y"])
    assert [type(one) for one in found] == [Document, Document]
    assert list(map(operation, requests)) == ["batchgetsecretvalue", "getsecretvalue", "getsecretvalue"]


def test_a_parameter_that_is_denied_spoils_no_other(serve: Serve) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        names = json.loads(request.partition(b"\r\n\r\n")[2])["Names"]
        if "/secret" in names:
            connection.sendall(said("AccessDeniedException"))
        else:
            entries = [{"Name": name, "Type": "String", "Value": "v", "Version": 1} for name in names]
            connection.sendall(reply({"Parameters": entries, "InvalidParameters": []}))

    port, _ = serve(handle)
    found = fetch(backend(port, "aws-ssm"), ["aws-ssm:///a", "aws-ssm:///secret", "aws-ssm:///b"])
    assert [type(one) for one in found] == [Document, Denied, Document]


def test_groups_have_ten_parameters_and_none_twice(serve: Serve) -> None:
    def handle(connection: socket.socket, request: bytes) -> None:
        names = json.loads(request.partition(b"\r\n\r\n")[2])["Names"]
        assert len({name.partition(":")[0] for name in names}) == len(names) <= 10
        entries = [{"Name": name.partition(":")[0], "Type": "String", "Value": name, "Version": 1} for name in names]
        connection.sendall(reply({"Parameters": entries, "InvalidParameters": []}))

    port, requests = serve(handle)
    texts = [f"aws-ssm:///p{number}" for number in range(30)] + [f"aws-ssm:///p0?version={n}" for n in range(1, 4)]
    found = fetch(backend(port, "aws-ssm"), texts)
    assert [one.content.reveal() for one in found[30:]] == ["/p0:1", "/p0:2", "/p0:3"]
    assert len(requests) == 4


def body_of(request: bytes) -> Any:
    return json.loads(request.partition(b"\r\n\r\n")[2])


def answer_of(request: bytes) -> bytes:
    """Answer a group of either service with all that it asks for."""
    asked = body_of(request)
    if "Names" in asked:
        entries = [{"Name": name, "Type": "String", "Value": name, "Version": 1} for name in asked["Names"]]
        return reply({"Parameters": entries, "InvalidParameters": []})
    entries = [{**GOOD, "Name": name, "SecretString": name} for name in asked["SecretIdList"]]
    return reply({"SecretValues": entries, "Errors": []})


@pytest.mark.parametrize(
    ("adapter", "prefix", "most", "sizes"), [("aws-sm", "s", 20, [15, 15, 15]), ("aws-ssm", "/p", 10, [9, 9, 9, 9, 9])]
)
def test_groups_are_asked_for_all_at_once(adapter: str, prefix: str, most: int, sizes: list[int], serve: Serve) -> None:
    """None is answered before all of them have come."""
    together = threading.Barrier(len(sizes))

    def handle(connection: socket.socket, request: bytes) -> None:
        together.wait(20)
        connection.sendall(answer_of(request))

    port, requests = serve(handle)
    found = fetch(backend(port, adapter), [f"{adapter}://{prefix}{number}" for number in range(45)], seconds=30)
    assert [one.content.reveal() for one in found] == [f"{prefix}{number}" for number in range(45)]
    groups = [body_of(request) for request in requests]
    assert sorted(len(group.get("Names") or group["SecretIdList"]) for group in groups) == sizes
    assert max(sizes) <= most


def test_a_great_tree_is_read_page_by_page_and_its_progress_is_told(serve: Serve) -> None:
    from confsvc.adapter import on_progress

    def handle(connection: socket.socket, request: bytes) -> None:
        page = int(json.loads(request.partition(b"\r\n\r\n")[2]).get("NextToken", 0))
        entries = [{"Name": f"/t/{page}-{n}", "Type": "String", "Value": "v", "Version": 1} for n in range(10)]
        more = {"NextToken": str(page + 1)} if page < 1099 else {}
        connection.sendall(reply({"Parameters": entries, **more}))

    told: list[tuple[str, int]] = []
    on_progress(lambda what, done: told.append((what, done)))
    try:
        port, _ = serve(handle)
        (tree,) = fetch(backend(port, "aws-ssm"), ["aws-ssm:///t/"], seconds=60)
    finally:
        on_progress(None)
    assert len(tree.content.reveal()) == 11_000
    assert told[0] == ("aws-ssm:///t/", 10)
    assert told[-1][1] == 10_990


def test_a_tree_has_a_bound_so_that_memory_has_one(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confsvc_aws.parameters._MOST", 25)

    def handle(connection: socket.socket, request: bytes) -> None:
        page = int(body_of(request).get("NextToken", 0))
        entries = [{"Name": f"/t/{page}-{n}", "Type": "String", "Value": "v", "Version": 1} for n in range(10)]
        connection.sendall(reply({"Parameters": entries, "NextToken": str(page + 1)}))

    port, requests = serve(handle)
    (found,) = fetch(backend(port, "aws-ssm"), ["aws-ssm:///t/"])
    assert isinstance(found, Malformed)
    assert found.message == "more than 25 parameters are under `/t/`: name a smaller tree"
    assert len(requests) == 3


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"SecretString": 5}', b'{"SecretBinary": "*"}'])
def test_an_answer_that_is_none_is_no_value(body: bytes, serve: Serve) -> None:
    port, _ = answers(serve, reply(body))
    (found,) = fetch(backend(port), ["aws-sm://x"])
    assert isinstance(found, Malformed)


def test_no_call_lists_or_describes_anything(serve: Serve) -> None:
    port, requests = answers(serve, reply({"SecretValues": [GOOD, {**GOOD, "Name": "y"}], "Errors": []}))
    fetch(backend(port), ["aws-sm://x", "aws-sm://y"])
    port, more = answers(serve, reply({"Parameters": [{"Name": "/x", "Type": "String", "Value": "v", "Version": 1}]}))
    fetch(backend(port, "aws-ssm"), ["aws-ssm:///x"])
    assert {operation(request) for request in requests + more} == {"batchgetsecretvalue", "getparameters"}


def test_pages_that_go_round_in_a_circle_are_noticed(serve: Serve) -> None:
    entries = [{"Name": "/t/a", "Type": "String", "Value": "v", "Version": 1}]
    port, requests = answers(serve, reply({"Parameters": entries, "NextToken": "again"}))
    (found,) = fetch(backend(port, "aws-ssm"), ["aws-ssm:///t/"])
    assert isinstance(found, Malformed)
    assert len(requests) == 2


def test_a_page_with_nothing_on_it_is_not_the_last(serve: Serve) -> None:
    entries = [{"Name": "/t/a", "Type": "String", "Value": "v", "Version": 1}]
    pages = [{"Parameters": [], "NextToken": "1"}, {"Parameters": [], "NextToken": "2"}, {"Parameters": entries}]
    port, _ = answers(serve, *map(reply, pages))
    (found,) = fetch(backend(port, "aws-ssm"), ["aws-ssm:///t/"])
    assert found.content.reveal() == {"a": "v"}


def test_parameters_are_asked_for_in_clear(serve: Serve) -> None:
    """What is not decrypted looks like a value and is none."""
    entries = [{"Name": "/t/a", "Type": "String", "Value": "v", "Version": 1}]
    port, requests = answers(serve, reply({"Parameters": entries}))
    fetch(backend(port, "aws-ssm"), ["aws-ssm:///t/", "aws-ssm:///t/a"])
    assert len(requests) == 2
    assert all(json.loads(one.partition(b"\r\n\r\n")[2])["WithDecryption"] is True for one in requests)


def test_a_store_that_is_not_there_is_tried_as_often_as_any_other(serve: Serve) -> None:
    port, requests = serve(lambda connection, _: connection.close())
    (found,) = fetch(backend(port), ["aws-sm://x"])
    assert isinstance(found, Unavailable)
    assert len(requests) == 4
