"""A plan as manifests for the External Secrets Operator. Nothing is read: it says where, and the operator does.

Layers become what the operator has: sources are ``dataFrom``, the lowest first, each over the one before; values are
``data``, over them; and a template picks what is declared, fills in texts around, and falls back on defaults.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from confsvc.errors import AdapterError, Malformed, ManifestError, Problem, ResolutionError
from confsvc.extract import code_pattern
from confsvc.inject.external_objects import Content, Entry, Wanted, objects
from confsvc.inject.external_stores import Stores
from confsvc.inject.external_values import Values, raw_of, remote_ref
from confsvc.inject.go_template import every_field, render, some_fields
from confsvc.manifest import KeyPath
from confsvc.plan import Plan, Source

__all__ = ["Manifests", "external_secret"]

# What `confsvc.extract.setting_name` does, in the operator's words.
_REWRITE: list[dict[str, object]] = [
    {"regexp": {"source": "^(?:.*/)?([^/]+)/*$", "target": "$1"}},
    {"transform": {"template": "{{ .value | upper }}"}},
    {"regexp": {"source": "[^A-Z0-9_]+", "target": "_"}},
]

_Place = Callable[[KeyPath], str]


class Manifests(NamedTuple):
    """The objects to print, and what people have to make besides, in words."""

    objects: list[Mapping[str, object]]
    helpers: list[str]


def external_secret(plan: Plan, wanted: Wanted, place: _Place) -> Manifests:
    """Return the manifests for ``plan``.

    Raises:
        ResolutionError: some settings cannot be written so; it has all of them.
        ManifestError: nothing is left for an operator to fetch.
        UsageError: something has to be said on the command line.

    """
    stores = Stores(plan.backends, wanted.cluster)
    values = Values(plan, stores)
    names = _names(plan)
    problems = list(_literal_problems(plan, names, place))
    template = _template(values, names, plan, problems)
    takes_all = _takes_all(plan)
    data_from = _data_from(plan, stores, problems, place) if takes_all or values.needs_sources else []
    _raise(plan, names, problems)
    if not data_from and not values.fetched:
        raise ManifestError(
            "nothing is read from a store, so there is nothing for an operator to fetch",
            hint="confsvc export --format k8s-configmap",
        )
    lines = [every_field(code_pattern())] if takes_all else [some_fields(values.optional)] if values.optional else []
    content = Content(data_from, list(values.fetched.values()), template, lines)
    return Manifests(objects(stores.providers, content, wanted), stores.helpers())


def _names(plan: Plan) -> list[str]:
    names = [*plan.schema.settings] if plan.schema else [*plan.values, *sorted(plan.only - {*plan.values})]
    return [name for name in names if plan.wanted(name)]


def _literal_problems(plan: Plan, names: list[str], place: _Place) -> Iterator[Problem]:
    """Yield which values, as they are written, do not fit their settings: nobody checks them later."""
    written = {n: plan.values[n][0] for n in names if n in plan.values and plan.values[n][0].is_certain}
    if plan.schema is None or not written:
        return
    for item in plan.schema.validate({name: raw_of(template) for name, template in written.items()})[1]:
        if item.name in written:
            where = place(written[item.name].place)
            yield Problem("invalid", item.message, item.name, place=where, exit_status=65)


def _template(values: Values, names: list[str], plan: Plan, problems: list[Problem]) -> dict[str, str]:
    """Return the template of each setting; what cannot be written is added to ``problems``."""
    wrong = {problem.name for problem in problems}
    template = {}
    for name in names:
        if name in wrong:
            continue
        try:
            parts = values.parts(name)
        except AdapterError as error:
            problems.append(_problem(error, name=name, reference=_references(plan, name)))
            continue
        if parts is not None:
            template[name] = render(parts)
    return template


def _references(plan: Plan, name: str) -> str:
    templates = plan.values.get(name, ())
    return " ".join(map(str, templates[0].references.values())) if templates else ""


def _takes_all(plan: Plan) -> bool:
    """Whether the sources' undeclared fields are wanted too."""
    if plan.only or not plan.sources:
        return False
    return plan.schema is None or any(source.entry.inject_extra for source in plan.sources)


def _data_from(plan: Plan, stores: Stores, problems: list[Problem], place: _Place) -> list[Entry]:
    """Return the sources, the lowest first; those that cannot be written are added to ``problems``."""
    entries = []
    is_mixed = _takes_all(plan) and plan.schema is not None
    for source in reversed(plan.sources):
        try:
            entries.append(_entry(source, stores, takes_all=is_mixed))
        except AdapterError as error:
            reference = str(source.reference)
            problems.append(_problem(error, reference=reference, place=place(source.entry.path)))
    return entries


def _entry(source: Source, stores: Stores, *, takes_all: bool) -> Entry:
    store, remote = stores.find(source.reference)
    if source.entry.optional:
        raise Malformed("the operator has no source that may be missing", hint="take its `optional` away")
    if takes_all and not source.entry.inject_extra:
        raise Malformed("the operator mixes the sources' fields, so `extra` has to be the same for all of them")
    found = {"find": remote.find} if remote.find is not None else {"extract": remote_ref(remote, source.reference)}
    return Entry(store, {**found, "rewrite": _REWRITE})


def _problem(error: AdapterError, *, name: str = "", reference: str = "", place: str = "") -> Problem:
    problem = error.problem(name=name, reference=reference, place=place)
    return problem._replace(code="manifest.operator", exit_status=78)


def _raise(plan: Plan, names: list[str], problems: list[Problem]) -> None:
    """Raise what is wrong, if anything is: settings in their order, then sources."""
    if problems:
        order = {name: number for number, name in enumerate(names)}
        problems.sort(key=lambda problem: order.get(problem.name, len(order)))
        count = "1 setting or source" if len(problems) == 1 else f"{len(problems)} settings or sources"
        where = f" of {plan.environment}" if plan.environment else ""
        raise ResolutionError(f"{count}{where} cannot be written for the External Secrets Operator", problems)
