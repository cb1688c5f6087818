"""A check as SARIF 2.1.0, which code scanning shows at the lines of the manifest.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from json import dumps

from confsvc._version import __version__
from confsvc.errors import ConfsvcError, Problem, printable
from confsvc.overview.checking import Checked, Finding
from confsvc.reference import quote

__all__ = ["sarif"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
_MORE_RULES = {
    "missing": "No layer has a setting that is required.",
    "leased": "A value has a lease where it must not.",
}


def sarif(checked: Sequence[Checked], findings: Sequence[Finding], project: str) -> str:
    """Return the log of one run. A rule is an error's code; an environment's name stands in each message."""
    codes = list(dict.fromkeys(found.problem.code for found in findings))
    texts = _rule_texts()
    run: dict[str, object] = {
        "tool": {
            "driver": {
                "name": "confsvc",
                "version": __version__,
                "rules": [{"id": code, "shortDescription": {"text": texts.get(code, code)}} for code in codes],
            }
        },
        "automationDetails": {"id": f"confsvc/check/{printable(project)}"},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _notifications(checked)}],
        "results": [_result(found, codes.index(found.problem.code)) for found in findings],
    }
    return dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _result(found: Finding, rule: int) -> dict[str, object]:
    problem = found.problem
    subject = problem.name or problem.reference
    where = f" ({found.environment})" if found.environment else ""
    reference = f" [{problem.reference}]" if problem.name and problem.reference else ""
    hint = f" — {problem.hint}" if problem.hint else ""
    result: dict[str, object] = {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": printable(f"{subject}{where}: {problem.message}{reference}{hint}")},
        "partialFingerprints": {"confsvcProblem/v1": _fingerprint(found.environment, problem)},
    }
    if found.file:
        location: dict[str, object] = {"artifactLocation": {"uri": _uri(found.file)}}
        if found.line:
            location["region"] = {"startLine": found.line}
        result["locations"] = [{"physicalLocation": location}]
    return result


def _fingerprint(environment: str, problem: Problem) -> str:
    """Return what makes a problem the same one in two runs: no value is in it."""
    parts = (environment, problem.code, problem.name, problem.reference)
    return sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:32]


def _uri(file: str) -> str:
    path = quote(file, _SAFE)
    return f"file://{path}" if os.path.isabs(file) else path


def _notifications(checked: Sequence[Checked]) -> list[dict[str, object]]:
    texts = []
    for one in checked:
        texts += [f"{case.name} ({one.environment}): {case.skipped}" for case in one.cases if case.skipped]
        texts += [f"{one.environment}: {', '.join(one.unchecked)}"] if one.unchecked else []
    return [{"level": "note", "message": {"text": printable(f"not checked: {text}")}} for text in texts]


def _rule_texts() -> Mapping[str, str]:
    """Return what each error's code means, from the tree of errors."""
    found = dict(_MORE_RULES)
    todo: list[type[ConfsvcError]] = [ConfsvcError]
    while todo:
        error = todo.pop()
        if "code" in vars(error):
            found.setdefault(error.code, str(error.__doc__).splitlines()[0].replace("``", "`"))
        todo += error.__subclasses__()
    return found
