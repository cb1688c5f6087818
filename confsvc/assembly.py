"""From decisions to values: validation, text, and every problem in the manifest's order."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from confsvc import _json
from confsvc.adapter import Document
from confsvc.deciding import Absent, Decider, Failed, Found, Look, describe
from confsvc.errors import OutputError, Problem, ResolutionError
from confsvc.fetching import Fetched
from confsvc.manifest import Manifest
from confsvc.manifest_checks import looks_unresolved
from confsvc.plan import Plan
from confsvc.resolution import Resolution, Value
from confsvc.schema import Invalid, Setting
from confsvc.types import Raw

__all__ = ["Assembly", "Resolved"]


class Resolved(NamedTuple):
    """How far it came: what has a value, and what is wrong. Complete only without problems.

    ``looks`` is what every layer says of each setting, the highest first, where all were asked for. ``refusal`` is why
    nothing is handed out at all, where the audit trail cannot be written.
    """

    resolution: Resolution
    problems: tuple[Problem, ...]
    total: int
    looks: Mapping[str, tuple[Look, ...]] = {}
    refusal: OutputError | None = None

    def warned(self, lines: Iterable[str]) -> "Resolved":
        """Return the same, with ``lines``, which hold no value, among the warnings."""
        said = tuple(lines)
        return self._replace(resolution=self.resolution.warning(*said)) if said else self

    def unwrap(self) -> Resolution:
        """Return the resolution.

        Raises:
            ResolutionError: something is wrong with it.
            OutputError: it cannot be recorded.

        """
        if self.refusal:
            raise self.refusal
        if not self.problems:
            return self.resolution
        failed = {problem.name for problem in self.problems if problem.name}
        where = f" for {self.resolution.environment}" if self.resolution.environment else ""
        if failed:
            verb = "setting" if self.total == 1 else "settings"
            message = f"{len(failed)} of {self.total} {verb} could not be resolved{where}"
        elif any(problem.reference for problem in self.problems):
            message = f"a source could not be read{where}"
        else:
            message = f"the settings do not fit together{where}"
        raise ResolutionError(message, self.problems, hint=self._where_to_look())

    def _where_to_look(self) -> str:
        """Return the command that shows every layer of the first setting that failed."""
        name = next((problem.name for problem in self.problems if problem.name), "")
        if not (name and self.resolution.manifest):
            return ""
        environment = f" -e {self.resolution.environment}" if self.resolution.environment else ""
        return f"`confsvc explain {name}{environment}` shows where it was looked for"


class Assembly:
    """From decisions to values: validation, text, and every problem in order."""

    def __init__(
        self, plan: Plan, fetched: Fetched, manifest: Manifest, *, static: bool = False, override: bool = False
    ) -> None:
        self._static = static
        self._override = override
        self._plan = plan
        self._fetched = fetched
        self._manifest = manifest
        self._decider = Decider(plan, fetched, manifest.place)
        self._problems: dict[str, Problem] = {}

    def assemble(self) -> Resolved:
        """Decide, validate, and put together what came of it."""
        plan = self._plan
        declared = dict(plan.schema.settings) if plan.schema else {}
        extra = self._extra_names(declared)
        settings = {name: s for name, s in declared.items() if plan.wanted(name)}
        settings |= {
            name: Setting(name, required=name in plan.values or name in plan.only)
            for name in extra
            if plan.wanted(name)
        }
        found = {name: outcome for name, s in settings.items() if (outcome := self._decide(s)) is not None}
        typed = self._validate(found, declared)
        values = {n: self._value(settings[n], f, typed[n]) for n, f in found.items() if n in typed}
        # A rule across fields has no setting's name; it comes last.
        order = [p for n in (*settings, *(self._problems.keys() - settings)) if (p := self._problems.get(n))]
        resolution = Resolution(
            values,
            environment=plan.environment,
            project=self._manifest.project,
            manifest=self._manifest.file,
            warnings=self._warnings(),
            undeclared=len(self._undeclared(declared) - set(extra)),
        )
        looks = {name: self._decider.looks(name) for name in settings} if plan.read_all else {}
        return Resolved(resolution, (*self._source_problems(), *order), len(settings), looks)

    def _decide(self, setting: Setting) -> Found | None:
        outcome = self._decider.decide(setting.name)
        if isinstance(outcome, Found):
            is_usable = self._is_usable(setting.name, outcome) and self._is_lasting(setting.name, outcome)
            return outcome if is_usable else None
        if isinstance(outcome, Failed):
            self._fail(setting.name, outcome)
        elif setting.required:
            self._miss(setting, outcome)
        return None

    def _is_usable(self, name: str, found: Found) -> bool:
        """A literal that is still a reference is nobody's value; what was fetched is taken as it is."""
        literal = found.origin.layer in {"set", "environment", "default"}
        if not (literal and looks_unresolved(found.raw.reveal(), self._backend_names())):
            return True
        message = f"invalid: it is a reference that was not resolved ({found.origin})"
        hint = "references are resolved in the manifest's `values`, as `${scheme://path#field}`"
        self._problems[name] = Problem("invalid", message, name, exit_status=65, hint=hint)
        return False

    def _is_lasting(self, name: str, found: Found) -> bool:
        """What has a lease ends while the process runs: not for those who want what stays."""
        lease = found.origin.lease
        if lease is None or not self._static:
            return True
        message = f"it has a lease of {lease.duration:.0f} s, which nobody would renew"
        hint = "`--watch` keeps it alive and brings the next one; without `--require-static` it is taken as it is"
        reference = found.origin.reference
        self._problems[name] = Problem("leased", message, name, reference, exit_status=65, hint=hint)
        return False

    def _backend_names(self) -> Mapping[str, object]:
        return self._manifest.environment(self._plan.environment).backends

    def _fail(self, name: str, failed: Failed) -> None:
        error = failed.error
        self._problems[name] = error.problem(
            name=name, reference=failed.reference, place=self._manifest.place(failed.place) if failed.place else ""
        )._replace(message=describe(error))

    def _miss(self, setting: Setting, absent: Absent) -> None:
        if absent.why:
            self._fail(setting.name, absent.why)
            return
        sources = [str(source.reference) for source in reversed(self._plan.sources)]
        looked = ", ".join(f"`{source}`" for source in sources) or "no source"
        message = f"missing: neither {looked} nor the process environment has it"
        if not sources:
            message = "missing: no layer has it"
        elif self._override or self._plan.schema is None:  # then the process environment is no layer
            message = f"missing: it is not in {looked}"
        self._problems[setting.name] = Problem(
            "missing",
            message,
            setting.name,
            exit_status=65,
            hint="add it to one of the sources, or to the environment's `values`" if self._manifest.file else "",
        )

    def _validate(self, found: Mapping[str, Found], declared: Mapping[str, Setting]) -> dict[str, object]:
        raws = {name: f.raw.reveal() for name, f in found.items()}
        typed: dict[str, object] = {}
        invalid: list[Invalid] = []
        if self._plan.schema is not None:
            typed, invalid = self._plan.schema.validate({n: raw for n, raw in raws.items() if n in declared})
        for name in raws.keys() - declared.keys():
            text, reason = _undeclared_text(name, raws[name])
            if reason:
                invalid.append(Invalid(name, "invalid", f"invalid: {reason}"))
            else:
                typed[name] = text
        for item in invalid:
            # With --only, parts of a model are missing that nobody asked for.
            if item.code != "missing" or self._plan.wanted(item.name):
                self._invalid(item, found.get(item.name))
        return {name: value for name, value in typed.items() if name not in self._problems}

    def _invalid(self, item: Invalid, found: Found | None) -> None:
        reference = (found.origin.reference or str(found.origin)) if found else ""
        place = "" if item.name or not self._manifest.schema_target else self._manifest.place(("schema",))
        # What could not be read or decided was told already, and says more than "missing" of a whole model.
        problem = Problem(item.code, item.message, item.name, reference, place, exit_status=65)
        self._problems.setdefault(item.name, problem)

    def _value(self, setting: Setting, found: Found, typed: object) -> Value:
        raw = found.raw.reveal()
        data = typed if setting.type.kind == "bytes" and isinstance(typed, bytes) else None
        return Value(
            setting.name,
            text=_text(raw, data),
            value=typed,
            origin=found.origin,
            secret=found.secret,
            data=data,
            shadowed=self._decider.shadowed(setting.name),
            kind=str(setting.type),
        )

    def _undeclared(self, declared: Mapping[str, Setting]) -> set[str]:
        known = {name for setting in declared.values() for name in setting.names}
        return {n for _, fields in self._decider.readable() for n in fields.values} - known

    def _extra_names(self, declared: Mapping[str, Setting]) -> list[str]:
        """Return the undeclared names to inject, in the order of the layers that have them."""
        names: dict[str, None] = {}
        known = {name for setting in declared.values() for name in setting.names}
        for source, fields in reversed(list(self._decider.readable())):
            if self._plan.schema is None or source.entry.inject_extra:
                names.update(dict.fromkeys(fields.values))
        if self._plan.schema is None:
            names.update(dict.fromkeys([*self._plan.values, *self._plan.given, *sorted(self._plan.only)]))
        return [name for name in names if name not in known]

    def _source_problems(self) -> Iterable[Problem]:
        """Sources that must exist and do not; without a schema, also those that could not be read."""
        failed = [(source, error) for source, error in self._decider.failed_sources]
        if self._plan.schema is None:
            failed += [(s, f.error) for s, f in self._decider.sources if isinstance(f, Failed)]
        for source, error in failed:
            place = self._manifest.place(source.entry.path)
            problem = error.problem(reference=str(source.reference), place=place)
            either = ", or mark the source `optional = true`" if self._manifest.file else ""
            hint = problem.hint or f"create it{either}"
            yield problem._replace(message=describe(error), hint=hint if error.code == "not_found" else problem.hint)

    def _warnings(self) -> tuple[str, ...]:
        notes = (
            (reference, note)
            for reference, document in self._fetched.items()
            if isinstance(document, Document)
            for note in document.notes
        )
        return tuple(f"{reference}: {note}" for reference, note in notes)


def _undeclared_text(name: str, raw: Raw) -> tuple[str, str]:
    """Return the text of a value that no schema describes, and why it cannot be injected."""
    if not name or "=" in name or "\0" in name:
        return "", "its name cannot be that of an environment variable"
    if isinstance(raw, bytes):
        try:
            return raw.decode(), ""
        except UnicodeDecodeError:
            return "", "is not UTF-8 text; declare it as `bytes`"
    return _json.to_text(raw), ""


def _text(raw: Raw, data: bytes | None) -> str:
    """Return a value's text as stored; only bytes, which have none, become base64."""
    if not isinstance(raw, bytes):
        return _json.to_text(raw)
    if data is None:
        return raw.decode()
    from base64 import b64encode

    return b64encode(data).decode()
