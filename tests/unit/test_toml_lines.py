"""Lines of TOML: a problem is told with the line where people find it, however they wrote their file."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc._toml_lines import line_of

ODD = '''# say """ and don't
a = 1
[environments.x] # [y]
sources = ["a", # don't
  # don't
  { from = "b{p}", optional = true }, 'c',
  "d#[",
]
closed = """a" # b"""
open = \'\'\'
a = 1
["environments".x.values]
\'\'\'
b = 2   # c = 3
"d.e" = { "f" = 1, g = { h = 2 } }
[q]
empty = [] # "x"
two = ["e", "f"]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("environments", "x"), 3),
        (("environments", "x", "sources"), 4),
        (("environments", "x", "sources", "0"), 4),
        (("environments", "x", "sources", "1"), 6),
        (("environments", "x", "sources", "2"), 6),
        (("environments", "x", "sources", "3"), 7),
        (("environments", "x", "closed"), 9),
        (("environments", "x", "open"), 10),
        (("environments", "x", "b"), 14),
        (("environments", "x", "c"), 3),
        (("environments", "x", "d.e", "f"), 15),
        (("environments", "x", "d.e", "nope"), 15),
        (("q", "empty"), 17),
        (("q", "two", "1"), 18),
        (("x",), 0),
    ],
)
def test_comments_quotes_and_brackets_lead_nobody_astray(path: tuple[str, ...], line: int) -> None:
    tomllib.loads(ODD)
    assert line_of(ODD, path) == line


@pytest.mark.parametrize("odd", ["\u2028", "\u0085", "\u2029", "\\f", "\\u2028"])
def test_lines_are_counted_as_editors_count_them(odd: str) -> None:
    text = f'a = "x{odd}y"\n# {odd}\nb = 1\n'
    tomllib.loads(text)
    assert line_of(text, ("b",)) == 3


def test_line_ends_of_windows_are_line_ends() -> None:
    assert line_of("a = 1\r\n[b]\r\nc = [\r\n  'x',\r\n]\r\nd = 2\r\n", ("b", "d")) == 6


NAMES = st.text("abcdeXYZ_-", min_size=1, max_size=4)
TEXTS = st.text(st.sampled_from("ab #[]{}=.,'$é"), max_size=8)


@st.composite
def manifests(draw: st.DrawFn) -> tuple[str, dict[tuple[str, ...], int]]:
    """Draw a file of tables, and the line of every key in it."""
    lines: list[str] = []
    where: dict[tuple[str, ...], int] = {}
    for table in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        lines += [f"# {comment}" for comment in draw(st.lists(TEXTS, max_size=2))]
        lines.append(f"[{table}]")
        where[table,] = len(lines)
        for key in draw(st.lists(NAMES, max_size=3, unique=True)):
            lines.append(f'{key} = "{draw(TEXTS)}"' + draw(st.sampled_from(["", '  # "', " # ]"])))
            where[table, key] = len(lines)
        if draw(st.booleans()):
            lines.append("list = [")
            where[table, "list"] = len(lines)
            for number, text in enumerate(draw(st.lists(TEXTS, max_size=3))):
                lines.append(draw(st.sampled_from(['  "%s",', '  { from = "%s" },'])) % text)
                where[table, "list", str(number)] = len(lines)
            lines.append("]")
    return "\n".join(lines) + "\n", where


@given(manifests())
def test_every_key_and_every_item_is_found(drawn: tuple[str, dict[tuple[str, ...], int]]) -> None:
    text, where = drawn
    tomllib.loads(text)
    assert {path: line_of(text, path) for path in where} == where


@given(st.text(st.sampled_from("ab=[]{}\"'#\n.,\\ "), max_size=60), st.lists(NAMES, max_size=3))
def test_whatever_the_text_a_line_of_it_is_told(text: str, path: list[str]) -> None:
    assert 0 <= line_of(text, tuple(path)) <= text.count("\n") + 1


def test_the_line_of_a_key_is_where_the_parser_saw_it() -> None:
    """The keys above are those that tomllib finds: nothing inside of a string is taken for one."""
    found: dict[str, Any] = tomllib.loads(ODD)["environments"]["x"]
    assert set(found) == {"sources", "closed", "open", "b", "d.e"}
