"""``confsvc doctor``: what is wrong with the backends, the way to them and what opens them, each with its fix."""

import os
import platform
from collections.abc import Iterator, Sequence

from confsvc._version import __version__
from confsvc.adapter import Deadline
from confsvc.cli import output
from confsvc.cli.options import Parser, positive_seconds, request_of
from confsvc.diagnosis import Finding, Level
from confsvc.discovery import display
from confsvc.errors import ConfsvcError, ManifestError
from confsvc.overview.examining import Examined, examine
from confsvc.overview.survey import plan_all
from confsvc.plan import Plan
from confsvc.resolver import Request

__all__ = ["main", "parser"]

_TIMEOUT = 10.0
_SIGNS: dict[Level, str] = {"ok": "✓", "note": "·", "warning": "!", "problem": "✕"}


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "doctor",
        "Look at every backend that the environments read from: is it there, does its certificate hold, do the clocks\n"
        "agree, who are we there and for how long, may we read, how far is it. Everything that could be better comes\n"
        "with its fix. No value is printed. Ends with 0 when nothing keeps a program from starting, else as `exec`.",
        "[-e ENV] [-f FILE] [--timeout TIME] [options]",
    )
    made.manifest_options()
    group = made.add_argument_group("resolving")
    group.add_argument("-s", "--schema", metavar="MOD:NAME", help="a pydantic model or dataclass as the schema")
    group.add_argument("--source", metavar="REF", action="append", default=[], help="a source; no manifest needed")
    group.add_argument("--timeout", metavar="TIME", help=f"for everything together, default {_TIMEOUT:g}s")
    made.set_defaults(set=[], only=[], override=True, offline=False, no_cache=True)
    return made


def main(argv: list[str]) -> int:
    """Examine, and return the exit status."""
    args = parser().parse_args(argv)
    positive_seconds("--timeout", args.timeout, _TIMEOUT)
    args.timeout = args.timeout or f"{_TIMEOUT:g}s"
    general = [Finding("confsvc", "ok", f"{__version__}, on Python {platform.python_version()}")]
    plans: list[Plan] = []
    request: Request | None = None
    try:
        request = request_of(args)
        general += _manifest(request)
        names = [args.env] if args.env else list(request.manifest.environments or ("",))
        for name, plan in plan_all(request, names).items():
            if isinstance(plan, Plan):
                plans.append(plan)
            else:
                general += _wrong(plan, name)
    except ManifestError as error:
        general += _wrong(error, "manifest")
    _tell("this machine", general)
    timeout = request.timeout if request else _TIMEOUT
    examined = []
    for one in examine(plans, Deadline(timeout)):
        examined.append(one)
        _tell(_title(one), one.findings)
    findings = [*general, *(finding for one in examined for finding in one.findings)]
    _tell_all(general, examined, findings)
    return output.verdict(finding.exit_status or 1 for finding in findings if finding.level == "problem")


def _manifest(request: Request) -> Iterator[Finding]:
    manifest = request.manifest
    if not manifest.file:
        yield Finding("manifest", "note", "none: sources were named")
        return
    overlay = os.path.join(manifest.directory, "confsvc.local.toml")
    also = f", and on top of it `{display(overlay)}`" if os.path.exists(overlay) else ""
    yield Finding("manifest", "ok", f"`{display(manifest.file)}`{also}")
    if not manifest.environments:
        yield Finding("manifest", "warning", "it has no environments", "write [environments.NAME] with its sources")


def _wrong(error: ConfsvcError, topic: str) -> Iterator[Finding]:
    for problem in error.problems:
        place = f"{problem.place}: " if problem.place else ""
        yield Finding(topic, "problem", f"{place}{problem.message}", problem.hint or error.hint, problem.exit_status)


def _title(one: Examined) -> str:
    backend = one.backend
    adapter = "" if backend.adapter == backend.name else f" ({backend.adapter})"
    environments = ", ".join(filter(None, one.environments))
    return f"{backend.name}{adapter}{f', for {environments}' if environments else ''}"


def _tell(title: str, findings: Sequence[Finding]) -> None:
    if output.is_json():
        return
    rows = [(_SIGNS[one.level], one.level, one.topic, one.message) for one in findings]
    lines = output.table(rows).splitlines()
    width = 2 + sum(max(len(row[n]) for row in rows) + 2 for n in range(3)) if rows else 0
    told = [title]
    for line, one in zip(lines, findings, strict=True):
        told.append(line)
        if one.fix:
            told.append(f"{'':{width}}fix: {output.printable(one.fix)}")
    output.write("\n".join(told) + "\n\n")


def _tell_all(general: Sequence[Finding], examined: Sequence[Examined], findings: Sequence[Finding]) -> None:
    if output.is_json():
        order = sorted(examined, key=lambda one: one.backend.name)
        output.write_json({"this_machine": [_data(one) for one in general], "backends": [_case(one) for one in order]})
        return
    counts = [(sum(one.level == level for one in findings), level) for level in ("problem", "warning")]
    told = " and ".join(output.count(number, level) for number, level in counts if number)
    output.write(f"{told or 'all is well'}\n")


def _case(one: Examined) -> dict[str, object]:
    return {
        "backend": one.backend.name,
        "adapter": one.backend.adapter,
        "environments": list(one.environments),
        "findings": [_data(finding) for finding in one.findings],
    }


def _data(finding: Finding) -> dict[str, object]:
    return finding._asdict()
