"""``confsvc export``: all values, in the format that another tool reads."""

import argparse
import os

from confsvc.cli import output
from confsvc.cli.options import Parser, request_of, resolve
from confsvc.cli.revealing import deliver, output_options, refuse_terminal
from confsvc.errors import OutputError, UsageError
from confsvc.inject.formats import FORMATS, github_commands, github_environment
from confsvc.inject.kubernetes import kubernetes
from confsvc.resolution import Resolution

__all__ = ["CHOICES", "main", "parser"]

_KUBERNETES = {"k8s-secret": "Secret", "k8s-configmap": "ConfigMap"}
CHOICES = (*FORMATS, *_KUBERNETES, "github")


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "export",
        "Print every value in a format that another tool reads.\n"
        "k8s-secret holds the secret settings, k8s-configmap the plain ones. github masks the secrets in the job's\n"
        "log, and hands all settings to the following steps through GITHUB_ENV.",
        "--format FORMAT [-e ENV] [-f FILE] [-o FILE] [options]",
    )
    made.add_argument(
        "--format", choices=CHOICES, required=True, help="one of: " + ", ".join(CHOICES), metavar="FORMAT"
    )
    made.add_argument("--name", metavar="NAME", default="", help="metadata.name for k8s-*; else project-environment")
    made.resolve_options()
    made.lock_options()
    output_options(made)
    return made


def main(argv: list[str]) -> int:
    """Print the values."""
    args = parser().parse_args(argv)
    if args.name and args.format not in _KUBERNETES:
        raise UsageError("--name is for k8s-secret and k8s-configmap")
    if args.format == "github":
        if args.output is not None:
            raise UsageError("github writes to the file that GITHUB_ENV names, not to --output")
        _github(args, resolve(request_of(args)))
        return 0
    resolution = resolve(request_of(args))
    if args.format in _KUBERNETES:
        text = kubernetes(resolution, _KUBERNETES[args.format], args.name)
        secret = args.format == "k8s-secret" and any(value.secret for value in resolution.values())
    else:
        text = FORMATS[args.format](resolution)
        secret = any(value.secret for value in resolution.values())
    deliver(args, text, secret=secret)
    return 0


def _github(args: argparse.Namespace, resolution: Resolution) -> None:
    """Mask first: whatever goes wrong afterwards, no later line of the log shows a secret."""
    masks = github_commands(resolution)
    if masks:
        refuse_terminal(args)
    output.write(masks)
    file = os.environ.get("GITHUB_ENV")
    if not file:
        output.warn("GITHUB_ENV is not set: the secrets are masked, and no value is handed on")
        return
    data = github_environment(resolution).encode(errors="surrogateescape")
    failure = ""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(handle, "ab") as stream:
            # What an earlier command of the step left there need not end its line; the runner skips empty ones.
            stream.write(b"\n" + data if os.fstat(handle).st_size else data)
    except OSError as error:
        failure = os.strerror(error.errno or 0).lower()
    if failure:
        raise OutputError(f"the file that GITHUB_ENV names cannot be written: {failure}")
