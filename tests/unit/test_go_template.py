"""Templates for the operator give what our own do, whatever the texts and the values are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.extract import code_pattern, runs_code
from confsvc.inject.go_template import Part, decoded, every_field, field, field_or, filtered, render, some_fields
from confsvc.template import FILTERS
from go_templates import BadTemplateError
from go_templates import render as fill_in

# What is odd to a template, to its strings and to its filters, more often than anything else.
ODD = st.text(st.one_of(st.sampled_from('{}$"\\|%.- +\n\t\v\x7f\u00a0\u2028é😀'), st.characters(codec="utf-8")))
DATA = st.fixed_dictionaries({"A": ODD, "B.1": ODD})
FILTER_NAMES = st.lists(st.sampled_from(sorted(FILTERS)), max_size=3)
# What is written, and what it comes to.
PART = st.one_of(
    st.tuples(st.just("text"), ODD, FILTER_NAMES),
    st.tuples(st.just("field"), st.sampled_from(["A", "B.1"]), FILTER_NAMES),
    st.tuples(st.just("or"), ODD, FILTER_NAMES),
)


def through(text: str, filters: list[str]) -> str:
    data = text.encode()
    for name in filters:
        data = FILTERS[name](data)
    return data.decode()


@given(st.lists(PART), FILTER_NAMES, DATA)
def test_a_template_comes_to_what_ours_does(
    written: list[tuple[str, str, list[str]]], filters: list[str], data: dict[str, str]
) -> None:
    parts: list[Part] = []
    expected = ""
    for kind, text, names in written:
        made = field(text) if kind == "field" else field_or("MISSING", text) if kind == "or" else text
        parts += filtered([made], names)
        expected += through(data[text] if kind == "field" else text, names)
        if kind == "or":  # a default is the same wherever it is named
            break
    assert fill_in(render(filtered(parts, filters)), data) == through(expected, filters)


@pytest.mark.parametrize("name", ["key", "value", "A"])
def test_what_was_fetched_is_above_the_default(name: str) -> None:
    template = render([field_or(name, "default"), "/", field_or(name, "default")])
    assert fill_in(template, {name: "", "other": "x"}) == "/"
    assert fill_in(template, {"other": "x"}) == "default/default"


def test_what_is_missing_is_an_error() -> None:
    with pytest.raises(BadTemplateError):
        fill_in(render([field("A")]), {})


def test_bytes_are_decoded() -> None:
    assert fill_in(render([decoded("/w==")]), {}).encode(errors="surrogateescape") == b"\xff"


def test_a_mapping_has_what_was_fetched() -> None:
    data = {"A": 'a "b"', "B": "b", "B.1": "a part", "LD_PRELOAD": "x.so"}
    assert fill_in(some_fields(["A", "C"]), data) == '"A": "a \\"b\\""\n'
    assert fill_in(every_field(code_pattern()), data) == '"A": "a \\"b\\""\n"B": "b"\n'


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "PYTHONPATH", "PYTHONPATHS", "DYLD_X", "PATH", "MY_LD_X", "BASH_FUNC_a"]
)
def test_the_pattern_is_the_rule(name: str) -> None:
    data = {name: "x"}
    assert bool(fill_in(every_field(code_pattern()), data)) is not runs_code(name)
