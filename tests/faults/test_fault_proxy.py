"""The proxy itself: each toxic does what it says, in the direction it is for, and can be switched while it runs."""

import asyncio
import dataclasses
import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from fault_proxy import FaultProxy, run_proxy
from openbao import free_port
from toxics import Bandwidth, Latency, LimitData, ResetPeer, Slicer, SlowClose, Timeout, Toxic

SHORT, LONG = 0.3, 20.0  # seconds: what a toxic takes, and what nothing here may take


@pytest.fixture
def proxy(echo: int) -> Iterator[FaultProxy]:
    """A proxy in front of a server that sends back what it hears."""
    with run_proxy(echo) as started:
        yield started


def connect(proxy: FaultProxy, data: bytes = b"") -> socket.socket:
    """Return a connection through ``proxy``, over which ``data`` was sent."""
    one = socket.create_connection(("127.0.0.1", proxy.port), timeout=LONG)
    if data:
        one.sendall(data)
    return one


def receive(one: socket.socket, count: int) -> bytes:
    """Return ``count`` bytes, fewer where the other side closes before."""
    data = b""
    while len(data) < count and (piece := one.recv(count - len(data))):
        data += piece
    return data


def is_quiet(one: socket.socket, seconds: float = SHORT) -> bool:
    """Tell whether nothing comes for a while, not even a close."""
    return not select.select([one], [], [], seconds)[0]


def test_without_toxics_every_byte_passes_and_is_counted(proxy: FaultProxy) -> None:
    data = bytes(range(256)) * 4096
    with connect(proxy) as one:
        one.setblocking(True)
        for start in range(0, len(data), 65536):
            one.sendall(data[start : start + 65536])
            assert receive(one, 65536) == data[start : start + 65536]
    assert proxy.connections == 1
    assert proxy.first_at > 0
    assert bytes(proxy.heard[0]) == data


def test_requests_are_counted_also_where_several_share_a_connection(proxy: FaultProxy) -> None:
    request = b"GET /v1/a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(proxy, request + request.replace(b"GET", b"POST")) as one:
        receive(one, 2 * len(request) + 1)
    assert proxy.requests() == ["GET /v1/a?b=c", "POST /v1/a?b=c"]
    proxy.forget()
    assert (proxy.requests(), proxy.connections) == ([], 0)


@pytest.mark.parametrize("side", ["up", "down"])
@pytest.mark.parametrize(
    "toxic", [Latency(SHORT), Latency(2 * SHORT, SHORT), Bandwidth(4 / SHORT), Slicer(1, 0, SHORT / 3)], ids=repr
)
def test_what_is_slow_arrives_late_and_whole(proxy: FaultProxy, toxic: Toxic, side: str) -> None:
    proxy.use(on(toxic, side))
    started = time.monotonic()
    with connect(proxy, b"abcd") as one:
        assert receive(one, 4) == b"abcd"
    assert time.monotonic() - started >= SHORT * 0.9


def on(toxic: Toxic, side: str) -> Toxic:
    """Return ``toxic`` for the direction ``side``."""
    return dataclasses.replace(toxic, side=side)


def test_slices_differ_in_size() -> None:
    """As they are made: who receives them may find several at once."""

    async def sizes() -> list[int]:
        return [len(piece) async for piece in Slicer(5, 4).pieces(Nowhere(), b"x" * 60)]

    made = asyncio.run(sizes())
    assert sum(made) == 60
    assert len(set(made)) > 1


class Nowhere:
    """A link that nothing happens to."""

    passed = 0

    async def until_changed(self, seconds: float | None) -> bool:
        del seconds
        return False

    def close(self) -> None:
        """Do nothing."""

    def reset(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("side", ["up", "down"])
@pytest.mark.parametrize("count", [0, 3])
def test_a_limit_ends_the_connection_behind_it(proxy: FaultProxy, side: str, count: int) -> None:
    proxy.use(LimitData(count=count, side=side))
    with connect(proxy, b"abcdef") as one:
        assert b"abc"[:count].startswith(receive(one, 10)) if side == "up" else receive(one, 10) == b"abc"[:count]


@pytest.mark.parametrize("side", ["up", "down"])
def test_a_black_hole_lets_nothing_through_until_it_is_gone(proxy: FaultProxy, side: str) -> None:
    proxy.use(Timeout(side=side))
    with connect(proxy, b"abc") as one:
        assert is_quiet(one)
        proxy.clear()
        assert receive(one, 3) == b"abc"


def test_a_black_hole_may_begin_later_and_end_in_a_close(proxy: FaultProxy) -> None:
    proxy.use(Timeout(SHORT, count=2))
    started = time.monotonic()
    with connect(proxy, b"abc") as one:
        assert receive(one, 3) == b"ab"
    assert time.monotonic() - started >= SHORT * 0.9


def test_a_close_may_come_late(proxy: FaultProxy) -> None:
    proxy.use(SlowClose(SHORT))
    with connect(proxy, b"abc") as one:
        assert receive(one, 3) == b"abc"
        started = time.monotonic()
        one.shutdown(socket.SHUT_WR)
        assert receive(one, 1) == b""
        assert time.monotonic() - started >= SHORT * 0.9


@pytest.mark.parametrize("toxic", [ResetPeer(), ResetPeer(SHORT), ResetPeer(count=2), ResetPeer(side="up")], ids=repr)
def test_a_reset_is_a_reset(proxy: FaultProxy, toxic: ResetPeer) -> None:
    proxy.use(toxic)
    with connect(proxy, b"abc") as one, pytest.raises(ConnectionResetError):
        receive(one, 4)


def test_down_refuses_and_up_again_serves_at_the_same_port(proxy: FaultProxy) -> None:
    with connect(proxy, b"a") as one:
        assert receive(one, 1) == b"a"
        proxy.refuse()
        with suppress(ConnectionResetError):
            assert receive(one, 1) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.clear()
    with connect(proxy, b"b") as one:
        assert receive(one, 1) == b"b"


def test_stalled_it_takes_no_connection_and_refuses_none(proxy: FaultProxy) -> None:
    proxy.stall()
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=SHORT)
    proxy.clear()
    with connect(proxy, b"a") as one:
        assert receive(one, 1) == b"a"


def test_toxics_are_switched_on_connections_there_are(proxy: FaultProxy) -> None:
    with connect(proxy, b"a") as one:
        assert receive(one, 1) == b"a"
        proxy.use(Timeout())
        one.sendall(b"b")
        assert is_quiet(one)
        proxy.use(Latency(0.01))
        assert receive(one, 1) == b"b"


def test_a_toxic_may_be_for_the_next_connections_only(proxy: FaultProxy) -> None:
    proxy.use(LimitData(count=0), times=2)
    for expected in (b"", b"", b"a", b"a"):
        with connect(proxy, b"a") as one:
            assert receive(one, 1) == expected


def test_toxics_come_one_after_the_other(proxy: FaultProxy) -> None:
    proxy.use(Slicer(1), LimitData(count=2))
    with connect(proxy, b"abc") as one:
        assert receive(one, 3) == b"ab"


def test_a_server_that_is_gone_closes() -> None:
    with run_proxy(free_port()) as proxy, connect(proxy) as one:
        assert receive(one, 1) == b""
