"""``confsvc k8s external-secret``: manifests for the External Secrets Operator, from the same confsvc manifest."""

import argparse
import re

from confsvc.cli import output
from confsvc.cli.options import Parser, request_of
from confsvc.errors import UsageError
from confsvc.external import Cluster
from confsvc.inject.external_objects import CLUSTER_WIDE, STORE_KINDS, Wanted
from confsvc.inject.external_secret import external_secret
from confsvc.inject.kubernetes import check_name, default_name
from confsvc.inject.yaml_text import document
from confsvc.resolver import plan_request

__all__ = ["main", "parser"]

_OBJECTS = ("external-secret",)
# https://pkg.go.dev/time#ParseDuration
_INTERVAL = re.compile(r"0|(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|ms|s|m|h))+")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
_LABEL = re.compile("[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "k8s",
        "Print a SecretStore for each store that an environment reads, and an ExternalSecret that makes one Secret of\n"
        "all its settings: for clusters that run the External Secrets Operator. Nothing is asked, and no value read.",
        "external-secret [-e ENV] [-f FILE] [options]",
    )
    made.add_argument("object", choices=_OBJECTS, metavar="OBJECT", help="one of: " + ", ".join(_OBJECTS))
    made.manifest_options()
    settings = made.add_argument_group("settings")
    settings.add_argument("-s", "--schema", metavar="MOD:NAME", help="a pydantic model or dataclass as the schema")
    settings.add_argument("--only", metavar="A,B", action="append", default=[], help="these settings alone")
    group = made.add_argument_group("objects")
    group.add_argument("--name", metavar="NAME", default="", help="of the Secret; else project-environment")
    group.add_argument("--namespace", metavar="NAME", default="", help="that it is in; else left to who applies it")
    group.add_argument(
        "--store-kind", choices=STORE_KINDS, default=STORE_KINDS[0], metavar="KIND", help=" or ".join(STORE_KINDS)
    )
    group.add_argument("--refresh-interval", metavar="TIME", default="1h", help="how often values are read, default 1h")
    group.add_argument("--service-account", metavar="NAME", default="", help="that the operator logs in as")
    return made


def main(argv: list[str]) -> int:
    """Print them."""
    args = parser().parse_args(argv)
    _check(args)
    without_others = {"source": [], "set": [], "override": True, "timeout": None}
    without_others |= {"offline": False, "no_cache": False}
    request = request_of(argparse.Namespace(**vars(args), **without_others))
    plan = plan_request(request)
    is_cluster_wide = args.store_kind == CLUSTER_WIDE
    name = check_name(args.name or default_name(request.manifest.project, plan.environment))
    cluster = Cluster(name, args.service_account, args.namespace if is_cluster_wide else "")
    wanted = Wanted(cluster, args.namespace, args.store_kind, args.refresh_interval)
    made = external_secret(plan, wanted, request.manifest.place)
    if made.helpers and is_cluster_wide and not args.namespace:
        raise UsageError("a ClusterSecretStore has to say where its Secrets are", hint="--namespace NAME")
    for helper in made.helpers:
        output.warn(f"the operator needs {helper}, which is yours to make")
    output.write("---\n".join(map(document, made.objects)))
    return 0


def _check(args: argparse.Namespace) -> None:
    if not _INTERVAL.fullmatch(args.refresh_interval):
        raise UsageError("--refresh-interval takes a duration such as 1h or 90s")
    if args.namespace and not _LABEL.fullmatch(args.namespace):
        raise UsageError("--namespace takes a name of lower-case letters, digits and hyphens, 63 at most")
    if args.service_account:
        check_name(args.service_account)
    if args.service_account and args.store_kind == CLUSTER_WIDE and not args.namespace:
        raise UsageError("a ClusterSecretStore has to say where its service account is", hint="--namespace NAME")
