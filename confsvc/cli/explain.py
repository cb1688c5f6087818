"""``confsvc explain``: which layer won, what it shadowed, version and age. Prints no value."""

import time

from confsvc._suggest import did_you_mean
from confsvc.cli import output
from confsvc.cli.options import Parser, attempt, request_of
from confsvc.deciding import Look
from confsvc.errors import Problem, UsageError
from confsvc.resolution import Origin, Value
from confsvc.resolver import Request, Resolved
from confsvc.setting import UNSET, Setting

__all__ = ["ORDER", "main", "parser"]

# Low to high, as the design lists them.
ORDER = (
    ("default", "the setting's own default"),
    ("source", "sources, ancestors' first, in the order written"),
    ("values", "the environments' values, ancestors' first"),
    ("environment", "the process environment, for declared settings; off with --override"),
    ("set", "--set NAME=VALUE"),
)

_NONE = "none, and none is required"


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "explain",
        "Show where every setting's value comes from and what it shadows, or all about one setting. Prints no value.",
        "[NAME] [-e ENV] [-f FILE] [options]",
    )
    made.add_argument("name", metavar="NAME", nargs="?", help="one setting")
    made.add_argument("--order", action="store_true", help="show the order of the layers, lowest first, and end")
    made.resolve_options()
    return made


def main(argv: list[str]) -> int:
    """Explain. Returns the status of the one setting's problem, else 0."""
    args = parser().parse_args(argv)
    if args.order:
        _show_order()
        return 0
    request = request_of(args, read_all=True)
    resolved = attempt(request)
    if args.name is None:
        _show_all(resolved)
        return 0
    problems = {problem.name: problem for problem in resolved.problems if problem.name}
    if args.name not in resolved.resolution and args.name not in problems and args.name not in _declared(request):
        near = did_you_mean(args.name, [*resolved.resolution, *_declared(request)])
        raise UsageError(f"no setting is called `{args.name}`{near}")
    _show_one(args.name, request, resolved, problems.get(args.name))
    return problems[args.name].exit_status if args.name in problems else 0


def _declared(request: Request) -> dict[str, Setting]:
    schema = request.schema or request.manifest.schema
    return dict(schema.settings) if schema else {}


def _show_order() -> None:
    if output.is_json():
        output.write_json([{"layer": name, "what": what} for name, what in ORDER])
        return
    rows = [(str(number), name, what) for number, (name, what) in enumerate(ORDER, 1)]
    output.write(output.table(rows) + "\n")


def _show_all(resolved: Resolved) -> None:
    values = resolved.resolution
    named = {problem.name: problem for problem in resolved.problems if problem.name in resolved.looks}
    if output.is_json():
        output.write_json(
            {
                "environment": values.environment,
                "settings": [_data(value) for value in values.values()],
                "problems": [problem._asdict() for problem in resolved.problems],
                "absent": [name for name in resolved.looks if name not in values and name not in named],
            }
        )
        return
    rows: list[tuple[str, ...]] = [("setting", "layer", "reference", "version", "age", "shadows")]
    for name in resolved.looks:
        if name in values:
            rows.append(_row(values[name]))
        elif name in named:
            rows.append(_problem_row(named[name]))
        else:
            rows.append((name, "-", "", "", "", _NONE))
    rows += [_problem_row(problem) for problem in resolved.problems if problem.name not in named]
    output.write(output.table(rows) + "\n")


def _row(value: Value) -> tuple[str, ...]:
    origin = value.origin
    shadowed = ", ".join(str(lower) for lower in value.shadowed)
    return (value.name, origin.layer, origin.reference or origin.place, origin.version, _age(origin), shadowed)


def _problem_row(problem: Problem) -> tuple[str, ...]:
    name, reference = (problem.name, problem.reference) if problem.name else (problem.reference or problem.place, "")
    return (name, "-", reference, "", "", problem.message)


def _show_one(name: str, request: Request, resolved: Resolved, problem: Problem | None) -> None:
    value = resolved.resolution.get(name)
    setting = _declared(request).get(name)
    looks = _every_look(request, setting, resolved.looks.get(name, ()))
    if output.is_json():
        found = _data(value) if value else {"name": name, "problem": problem._asdict() if problem else None}
        declared = _declaration(setting) if setting else None
        output.write_json(found | {"declared": declared, "layers": [_look_data(look) for look in looks]})
        return
    rows: list[tuple[str, str]] = [("setting", name)]
    rows += (
        [(key, text) for key, text in _describe(setting, value).items() if text] if setting else [("declared", "no")]
    )
    if value:
        rows += [("value from", str(value.origin)), ("written at", value.origin.place), ("age", _age(value.origin))]
    elif problem:
        rows += [("value", "none"), ("reference", problem.reference), ("problem", problem.message)]
        rows += [("written at", problem.place), ("hint", problem.hint)]
    else:
        rows.append(("value", _NONE))
    output.write(output.table([row for row in rows if row[1]]) + "\n\n")
    layers = [(look.layer.layer, look.layer.reference or look.layer.place, look.why or look.outcome) for look in looks]
    output.write(output.table([("layer", "where", "outcome"), *layers]) + "\n")


def _every_look(request: Request, setting: Setting | None, looks: tuple[Look, ...]) -> list[Look]:
    """Return ``looks`` with the layers above the manifest's that say nothing, so that every layer is there."""
    held = {look.layer.layer for look in looks}
    given = [look for look in looks if look.layer.layer == "set"] or [Look(Origin("set"), "absent")]
    process = []
    if "environment" not in held and setting is not None:
        outcome = "off" if request.override else "absent"
        process = [Look(Origin("environment", f"env://{name}"), outcome) for name in setting.names]
    return [*given, *process, *(look for look in looks if look.layer.layer != "set")]


def _look_data(look: Look) -> dict[str, str]:
    layer = look.layer
    where = {"layer": layer.layer, "reference": layer.reference, "place": layer.place}
    return where | {"outcome": look.outcome, "message": look.why}


def _declaration(setting: Setting) -> dict[str, object]:
    return {
        "description": setting.description,
        "type": str(setting.type),
        "limits": {key: str(limit) for key, limit in setting.constraints.items()},
        "secret": setting.secret,
        "required": setting.required and setting.default is UNSET,
        "default": setting.default is not UNSET,
    }


def _describe(setting: Setting, value: Value | None) -> dict[str, str]:
    """Return the declaration for people."""
    limits = ", ".join(f"{key} = {limit}" for key, limit in setting.constraints.items())
    found = {key: "yes" if value else "no" for key, value in _declaration(setting).items()}
    if value and value.secret and not setting.secret:
        found |= {"secret": "yes, by where its value is from"}
    return found | {"description": setting.description, "type": str(setting.type), "limits": limits}


def _data(value: Value) -> dict[str, object]:
    origin = value.origin
    return {
        "name": value.name,
        "type": value.kind,
        "secret": value.secret,
        "layer": origin.layer,
        "reference": origin.reference,
        "version": origin.version,
        "place": origin.place,
        "read_at": origin.read_at,
        "cached": origin.cached,
        "shadows": [{"layer": low.layer, "reference": low.reference} for low in value.shadowed],
    }


def _age(origin: Origin) -> str:
    """Say how long ago the value was read."""
    if origin.read_at is None:
        return ""
    seconds = max(0, round(time.time() - origin.read_at))
    if not origin.cached:
        return f"{seconds} s"
    from confsvc.cache.moments import age_text

    return f"{age_text(seconds)}, from the cache"
