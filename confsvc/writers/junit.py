"""A check as JUnit XML: a suite for each environment, a case for each thing that was looked at."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from confsvc.errors import Problem, printable
from confsvc.overview.checking import Case, Checked, Finding

__all__ = ["junit"]

_DATA = 65


def junit(checked: Sequence[Checked], findings: Sequence[Finding], project: str) -> str:
    """Return the document. What would be 65 is a failure; what kept us from looking is an error."""
    places = {(found.environment, found.problem): found for found in findings}
    root = Element("testsuites", name="confsvc check")
    for one in checked:
        suite = SubElement(root, "testsuite", name=printable(one.environment or "settings"))
        if one.unchecked:
            SubElement(SubElement(suite, "properties"), "property", name="not checked", value=", ".join(one.unchecked))
        for case in one.cases:
            found = places.get((one.environment, case.problem)) if case.problem else None
            suite.append(_case(case, found, ".".join(part for part in (project, one.environment) if part)))
        _count(suite)
    _count(root)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _case(case: Case, found: Finding | None, classname: str) -> Element:
    element = Element("testcase", classname=printable(classname or "confsvc"), name=printable(case.name))
    if found and found.file:
        element.set("file", printable(found.file))
        element.set("line", str(found.line))
    if case.problem:
        kind = "failure" if case.problem.exit_status == _DATA else "error"
        told = SubElement(element, kind, type=case.problem.code, message=printable(case.problem.message))
        told.text = printable(_more(case.problem))
    elif case.skipped:
        SubElement(element, "skipped", message=printable(case.skipped))
    return element


def _more(problem: Problem) -> str:
    return " — ".join(text for text in (problem.reference, problem.place, problem.hint) if text)


def _count(element: Element) -> None:
    """Say how many cases there are below ``element``, and what became of them."""
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(len(list(element.iter(tag)))))
