"""The report as one HTML page: no value, no other file, no request; it can be read, searched and printed anywhere."""

import time
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from importlib.resources import files

from confsvc._version import __version__
from confsvc.overview.survey import PROBLEMS, Standing, State
from confsvc.writers.report.facts import Column, Report, Row

__all__ = ["age_of", "page"]

# Each state with a sign of its own: colour alone says nothing to some, and nothing on paper.
_SIGNS: dict[State, tuple[str, str]] = {
    "present": ("✓", "a source or a value of the manifest has it"),
    "default": ("◦", "the setting's own default"),
    "overridden": ("↑", "the process environment, or --set, decides"),
    "absent": ("\N{EN DASH}", "nothing has it, and it is not required"),
    "missing": ("✕", "required, and nothing has it"),
    "invalid": ("!", "it is there, and does not fit"),
    "unreadable": ("⊘", "its store did not let it be read"),
}
_UNKNOWN = ("?", "unknown")
_STEPS = ((60, "second"), (60, "minute"), (24, "hour"), (365, "day"))


def page(report: Report) -> str:
    """Return the page."""
    style, script = _part("report.css") + f":root {{ --columns: {len(report.columns)}; }}\n", _part("report.js")
    title = f"{report.project or 'Configuration'}: settings by environment"
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n',
            f'<meta name="generator" content="confsvc {__version__}">\n<link rel="icon" href="data:,">\n',
            f"<title>{_text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n",
            '<a class="skip" href="#settings">Skip to the settings</a>\n',
            *_head(report),
            '<main>\n<section aria-labelledby="environments-title">\n',
            '<h2 id="environments-title">Environments</h2>\n<ul class="cards">\n',
            *map(_card, report.columns),
            "</ul>\n</section>\n",
            *_problems(report),
            *_controls(report),
            *_table(report),
            f"</main>\n<script>{script}</script>\n</body>\n</html>\n",
        )
    )


def age_of(made_at: float, now: float) -> str:
    """Say how old something is, in the largest unit that fits: ``3 days old``."""
    if now - made_at < _STEPS[0][0]:
        return "under a minute old"
    number, unit = max(0.0, now - made_at), "second"
    for size, name in _STEPS:
        unit = name
        if number < size:
            break
        if name == "day":
            return _counted(int(number // size), "year") + " old"
        number /= size
    return _counted(int(number), unit) + " old"


def _head(report: Report) -> Iterator[str]:
    project = f"<strong>{_text(report.project)}</strong>" if report.project else "Configuration"
    where = f" from <code>{_text(report.manifest)}</code>" if report.manifest else ""
    yield f"<header>\n<h1>{project} <span>settings by environment</span></h1>\n"
    yield f"<p>Read {_moment(report.at)}{where} with confsvc {__version__}. No value is in this page.</p>\n</header>\n"


def _card(column: Column) -> str:
    total = sum(column.counts.values())
    bad = sum(number for state, number in column.counts.items() if state in PROBLEMS)
    if not column.problems:
        verdict = (
            f'<p class="verdict good"><span aria-hidden="true">✓</span> {_counted(total, "setting")}, all well</p>'
        )
    else:
        wrong = f"{bad} of {_counted(total, 'setting')}" if bad else _counted(len(column.problems), "problem")
        verdict = f'<p class="verdict bad"><span aria-hidden="true">✕</span> {wrong} would keep it from starting</p>'
    states = "".join(
        f'<li class="s-{state}"><span aria-hidden="true">{sign}</span> {column.counts[state]} {state}</li>'
        for state, (sign, _) in _SIGNS.items()
        if state in column.counts
    )
    return f'<li class="card"><h3>{_text(column.name or "all")}</h3>{verdict}<ul class="tally">{states}</ul></li>\n'


def _problems(report: Report) -> Iterator[str]:
    """Tell what is wrong with environments as such: what is wrong with a setting stands in its cell."""
    lines = [(column.name, problem) for column in report.columns for problem in column.problems if not problem.name]
    if not lines:
        return
    yield '<section class="trouble" aria-labelledby="trouble-title">\n'
    yield '<h2 id="trouble-title">Problems of whole environments</h2>\n<ul>\n'
    for name, problem in lines:
        where = f" <code>{_text(problem.reference)}</code>" if problem.reference else ""
        place = f" <small>{_text(problem.place)}</small>" if problem.place else ""
        yield f"<li><strong>{_text(name)}</strong>{where} {_text(problem.message)}{place}</li>\n"
    yield "</ul>\n</section>\n"


def _controls(report: Report) -> Iterator[str]:
    problems = sum(row.has_problem for row in report.rows)
    differences = sum(row.differs for row in report.rows)
    secrets = sum(row.secret for row in report.rows)
    shows = (
        ("all", "everything", len(report.rows)),
        ("problem", "problems", problems),
        ("differs", "differences", differences),
        ("secret", "secrets", secrets),
    )
    radios = "".join(
        f'<label><input type="radio" name="show" value="{value}"{" checked" * (value == "all")}>'
        f"<span>{text} <b>{number:,}</b></span></label>"
        for value, text, number in shows
    )
    states = "".join(f"<option>{state}</option>" for state in _SIGNS)
    names = "".join(
        f'<option value="{number}">{_text(column.name)}</option>' for number, column in enumerate(report.columns)
    )
    yield '<section id="settings" aria-labelledby="settings-title" tabindex="-1">\n'
    yield '<h2 id="settings-title">Settings</h2>\n<form class="controls" role="search" hidden>\n'
    yield '<label class="search">Search <input type="search" id="search" autocomplete="off" spellcheck="false">'
    yield "</label>\n"
    yield f"<fieldset><legend>Show</legend>{radios}</fieldset>\n"
    yield f'<label>State <select id="state"><option value="">any</option>{states}</select></label>\n'
    yield f'<label>in environment <select id="environment"><option value="">any</option>{names}</select></label>\n'
    yield '<button type="reset">Clear</button>\n</form>\n'
    yield f'<p id="count" role="status">{_counted(len(report.rows), "setting")}</p>\n'


def _table(report: Report) -> Iterator[str]:
    legend = "".join(
        f'<li class="s-{state}"><b><i aria-hidden="true">{sign}</i> {state}</b> <span>{meaning}</span></li>'
        for state, (sign, meaning) in _SIGNS.items()
    )
    heads = "".join(f'<th scope="col">{_text(column.name or "all")}</th>' for column in report.columns)
    yield '<div class="scroller" role="region" aria-labelledby="caption" tabindex="0">\n<table>\n'
    yield '<caption id="caption"><span>How each setting stands in each environment, and where it comes from</span>'
    yield "</caption>\n"
    yield f'<thead><tr><th scope="col">Setting</th>{heads}</tr></thead>\n<tbody>\n'
    for row in report.rows:
        yield from _row(row, report)
    yield "</tbody>\n</table>\n</div>\n"
    yield '<p id="nothing" hidden>No setting matches.</p>\n'
    yield f'<h3>What the signs mean</h3>\n<ul class="legend">{legend}</ul>\n'
    yield "</section>\n"


def _row(row: Row, report: Report) -> Iterator[str]:
    flags = {"problem": row.has_problem, "differs": row.differs, "secret": row.secret}
    kinds = " ".join(name for name, holds in flags.items() if holds)
    marks = (' <em class="mark differs"><span aria-hidden="true">≠</span> differs</em>' if row.differs else "") + (
        ' <em class="mark secret">secret</em>' if row.secret else ""
    )
    about = f"<p>{_text(row.description)}</p>" if row.description else ""
    name = f"<code>{_text(row.name)}</code> <small>{_text(row.kind)}</small>"
    yield f'<tr class="{kinds}"><th scope="row">{name}{marks}{about}</th>'
    for cell in row.cells:
        yield _cell(cell, report.at)
    yield "</tr>\n"


def _cell(cell: Standing | None, now: float) -> str:
    if cell is None:
        return f'<td class="s-unknown"><b><i aria-hidden="true">{_UNKNOWN[0]}</i> {_UNKNOWN[1]}</b></td>'
    state = f'<b><i aria-hidden="true">{_SIGNS[cell.state][0]}</i> {cell.state}</b>'
    if cell.problem:
        where = f" <code>{_text(cell.reference)}</code>" if cell.reference else ""
        message = _text(cell.problem.message.removeprefix(f"{cell.state}: "))
        return f'<td class="s-{cell.state}">{state}<small>{message}{where}</small></td>'
    parts = [_text(cell.layer)] if cell.layer not in {"", "default"} else []
    if cell.reference:
        parts.append(f"<code>{_text(cell.reference)}</code>")
    if cell.version:
        parts.append(f"version {_text(cell.version)}")
    if cell.is_leased:
        parts.append("with a lease")
    if cell.made_at:
        parts.append(f'<time datetime="{_rfc3339(cell.made_at)}">{age_of(cell.made_at, now)}</time>')
    small = f"<small>{', '.join(parts)}</small>" if parts else ""
    return f'<td class="s-{cell.state}">{state}{small}</td>'


def _moment(seconds: float) -> str:
    text = time.strftime("%-d %B %Y, %H:%M UTC", time.gmtime(seconds))
    return f'<time datetime="{_rfc3339(seconds)}">{text}</time>'


def _rfc3339(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _text(text: str) -> str:
    """Return ``text`` for HTML. Names come from stores: what would turn the text around, or not show, is marked."""
    shown = (
        text
        if text.isprintable()
        else "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    )
    return escape(shown)


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _part(name: str) -> str:
    return files("confsvc.writers.report").joinpath(name).read_text(encoding="utf-8")
