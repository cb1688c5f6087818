"""``confsvc agent``: one process of a host, or of a pod, that reads the settings and hands them to the others."""

import argparse
import os
import re
import sys

from confsvc.cli import output
from confsvc.cli.options import Parser, positive_seconds
from confsvc.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from confsvc.agent.running import Access
    from confsvc.agent.tcp import Remote

__all__ = ["main", "parser"]

_INTERVAL = 30.0
_TIMEOUT = 30.0
_LEAST = 1.0


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "agent",
        "Stay, read the settings of one environment, keep them fresh, and hand them to other processes over a Unix\n"
        "socket: they start without asking a store. Its log is JSON, on stderr, without a value.",
        "[--socket PATH] [-e ENV] [-f FILE] [options]",
    )
    made.manifest_options()
    reading = made.add_argument_group("reading")
    reading.add_argument("--interval", metavar="TIME", help="how often to look for changes (30s)")
    reading.add_argument("--timeout", metavar="TIME", help="for one reading of everything (30s)")
    serving = made.add_argument_group("serving")
    serving.add_argument("--socket", metavar="PATH", help="else CONFSVC_AGENT_SOCKET, else the runtime folder")
    serving.add_argument(
        "--allow-uid", metavar="UID", action="append", default=[], help="let this user ask; repeatable"
    )
    serving.add_argument(
        "--allow-gid", metavar="GID", action="append", default=[], help="let this group ask; repeatable"
    )
    serving.add_argument("--health-address", metavar="HOST:PORT", help="answer /healthz and /readyz there, over TCP")
    serving.add_argument(
        "--listen", metavar="HOST:PORT", help="over TCP besides: on loopback with a token, or with TLS"
    )
    serving.add_argument("--token-file", metavar="FILE", help="the token for --listen on loopback")
    serving.add_argument("--tls-cert", metavar="FILE", help="our certificate for --listen, PEM")
    serving.add_argument("--tls-key", metavar="FILE", help="its key, PEM")
    serving.add_argument("--tls-client-ca", metavar="FILE", help="who signs the certificates of clients, PEM")
    return made


def main(argv: list[str]) -> int:
    """Serve until a signal ends it."""
    args = parser().parse_args(argv)
    if sys.platform != "linux":
        raise UsageError("the agent needs Linux: only there the kernel says who is on the other side of a socket")
    for option, text in (("-e", args.env), ("-f", args.file), ("--socket", args.socket)):
        if text == "":
            raise UsageError(f"{option} names nothing")
    interval = positive_seconds("--interval", args.interval, _INTERVAL)
    if interval < _LEAST:
        raise UsageError(f"--interval is at least {_LEAST:g}s: each look asks the stores")
    from confsvc.agent.log import Log
    from confsvc.agent.ordering import Order
    from confsvc.agent.running import run_agent

    order = Order(args.file or "", args.env or "", positive_seconds("--timeout", args.timeout, _TIMEOUT), interval)
    return run_agent(order, _access(args), Log(quiet=args.quiet, verbose=output.is_verbose()))


def _access(args: argparse.Namespace) -> "Access":
    from confsvc.agent.peers import Peers
    from confsvc.agent.running import Access
    from confsvc.health import parse_address

    uids = frozenset({os.geteuid(), *(_id("--allow-uid", text) for text in args.allow_uid)})
    gids = frozenset(_id("--allow-gid", text) for text in args.allow_gid)
    health = parse_address("--health-address", args.health_address) if args.health_address is not None else None
    return Access(args.socket or "", Peers(uids, gids), _remote(args), health)


def _remote(args: argparse.Namespace) -> "Remote | None":
    tls = [args.tls_cert, args.tls_key, args.tls_client_ca]
    if args.listen is None:
        if args.token_file or any(tls):
            raise UsageError("--token-file and --tls-… need --listen")
        return None
    if any(tls) and (args.token_file or not all(tls)):
        raise UsageError("--listen takes --token-file, or all of --tls-cert, --tls-key and --tls-client-ca")
    if not args.token_file and not any(tls):
        raise UsageError("--listen needs --token-file, or --tls-cert, --tls-key and --tls-client-ca")
    from confsvc.agent.tcp import Certificates, Remote, read_token
    from confsvc.health import parse_address

    address = parse_address("--listen", args.listen)
    if any(tls):
        return Remote(address, certificates=Certificates(*tls))
    return Remote(address, read_token(args.token_file))


def _id(option: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise UsageError(f"{option} takes a number, not `{text}`")
    return int(text)
