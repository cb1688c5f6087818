"""Formats: what is written is read back, byte for byte, by the tools they are for."""

import io
import json
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Mapping

import dotenv
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from confsvc.errors import OutputError
from confsvc.inject.formats import FORMATS, github_commands, github_environment
from confsvc.inject.kubernetes import kubernetes
from confsvc.resolution import Origin, Resolution, Value

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
HARD = st.text(st.sampled_from("'\"\\$`{}#=:-|>&!%\n\r\t é🔑\u2028\x07\x7f\x85\ufeff"), max_size=20)
VALUES = st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), TEXT | HARD, max_size=5)
SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh", "ksh") if shutil.which(shell)]


def resolution(values: Mapping[str, str], *, secret: bool = True) -> Resolution:
    """Make a resolution of texts."""
    made = {n: Value(n, text=t, value=t, origin=Origin("source"), secret=secret) for n, t in values.items()}
    return Resolution(made, environment="Prod_1", project="shop")


@given(VALUES)
def test_dotenv_is_read_back_by_python_dotenv(values: dict[str, str]) -> None:
    text = FORMATS["dotenv"](resolution(values))
    assert dotenv.dotenv_values(stream=io.StringIO(text, newline=None)) == values


def test_dotenv_is_read_back_by_older_python_dotenv_too() -> None:
    """Up to 1.2.1 it took the last backslash of a value for the escape of the quote behind it."""
    values = {"A": "C:\\dir\\", "B": "\r\\", "C": "$\\"}
    text = FORMATS["dotenv"](resolution(values))
    assert "\\'" not in text
    assert '\\"' not in text
    assert dotenv.dotenv_values(stream=io.StringIO(text, newline=None)) == values


@given(VALUES)
def test_json_is_read_back(values: dict[str, str]) -> None:
    assert json.loads(FORMATS["json"](resolution(values))) == values


@given(VALUES)
def test_yaml_is_read_back(values: dict[str, str]) -> None:
    assert yaml.safe_load(FORMATS["yaml"](resolution(values))) == values


@settings(max_examples=25, deadline=None)
@given(values=VALUES, raw=st.binary(max_size=20))
@pytest.mark.parametrize("shell", SHELLS)
def test_shell_is_read_back(shell: str, values: dict[str, str], raw: bytes) -> None:
    values = {f"X_{name}": text for name, text in values.items()}
    values["X_RAW"] = raw.replace(b"\0", b"").decode(errors="surrogateescape")
    script = FORMATS["shell"](resolution(values)).encode(errors="surrogateescape") + b"exec env -0\n"
    done = subprocess.run([shell], input=script, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
    found = dict(entry.split(b"=", 1) for entry in done.stdout.rstrip(b"\0").split(b"\0"))
    assert {k.encode(): v.encode(errors="surrogateescape") for k, v in values.items()}.items() <= found.items()


@given(VALUES)
def test_docker_has_one_line_each_or_refuses(values: dict[str, str]) -> None:
    if any("\n" in text or "\r" in text for text in values.values()):
        with pytest.raises(OutputError, match="more than one line"):
            FORMATS["docker"](resolution(values))
        return
    lines = FORMATS["docker"](resolution(values)).split("\n")[:-1]
    assert dict(line.split("=", 1) for line in lines) == values


def test_docker_refuses_a_line_that_its_scanner_does_not_take() -> None:
    assert FORMATS["docker"](resolution({"A": "é" * 32766 + "x"})).startswith("A=é")
    with pytest.raises(OutputError, match="longer than 65535 bytes"):
        FORMATS["docker"](resolution({"A": "é" * 32767}))


@given(VALUES)
def test_kubernetes_objects_are_read_back(values: dict[str, str]) -> None:
    found = yaml.safe_load(kubernetes(resolution(values), "Secret"))
    assert {name: b64decode(text).decode() for name, text in found["data"].items()} == values
    assert (found["kind"], found["metadata"]["name"], found["type"]) == ("Secret", "shop-prod-1", "Opaque")
    found = yaml.safe_load(kubernetes(resolution(values, secret=False), "ConfigMap", "my-name"))
    assert found["data"] == values
    assert found["metadata"]["name"] == "my-name"


def test_secrets_and_plain_settings_go_to_their_own_objects() -> None:
    made = {**resolution({"A": "1"}), **resolution({"B": "2"}, secret=False)}
    both = Resolution(made)
    assert yaml.safe_load(kubernetes(both, "Secret"))["data"] == {"A": "MQ=="}
    assert yaml.safe_load(kubernetes(both, "ConfigMap"))["data"] == {"B": "2"}
    assert yaml.safe_load(kubernetes(both, "Secret"))["metadata"]["name"] == "confsvc"


def test_bytes_are_binary_in_a_configmap() -> None:
    value = Value("A", text="/w==", value=b"\xff", data=b"\xff", origin=Origin("source"), secret=False, kind="bytes")
    found = yaml.safe_load(kubernetes(Resolution({"A": value}), "ConfigMap"))
    assert found["binaryData"] == {"A": "/w=="}


@pytest.mark.parametrize("name", ["Not_A_Name", "a..b", "a.-b", "-a", "a.", "a\n", "a" * 254])
def test_a_name_that_kubernetes_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(OutputError, match="not a name"):
        kubernetes(resolution({}), "Secret", name)


@given(st.text(max_size=300), st.text(st.sampled_from("aA0._-"), max_size=300))
def test_any_project_and_environment_make_a_name_that_kubernetes_takes(project: str, environment: str) -> None:
    made = Resolution({}, project=project, environment=environment)
    name = yaml.safe_load(kubernetes(made, "Secret"))["metadata"]["name"]
    assert len(name) <= 253
    assert all(re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", label) for label in name.split("."))


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
@pytest.mark.parametrize("name", ["a b", "..data", ".", "é", "A" * 254])
def test_a_key_that_kubernetes_does_not_take_is_refused_by_name(kind: str, name: str) -> None:
    with pytest.raises(OutputError, match="cannot be written as a key of a"):
        kubernetes(resolution({name: "x"}, secret=kind == "Secret"), kind)


def test_github_masks_whole_lines_without_the_space_around_them() -> None:
    """A log ends its lines at CR and LF alone: pieces of a line would mask every `a` there is."""
    text = github_commands(resolution({"A": "  a\x0bb\u2028c\t\r\n \r\rlast"}))
    assert text == "::add-mask::a\x0bb\u2028c\n::add-mask::last\n"


def test_github_masks_every_line_of_every_secret() -> None:
    text = github_commands(resolution({"A": "one\ntwo 50%\n\none"}))
    assert text == "::add-mask::one\n::add-mask::two 50%25\n"
    assert github_commands(resolution({"A": "one"}, secret=False)) == ""


@given(VALUES)
def test_github_environment_is_read_back(values: dict[str, str]) -> None:
    text = github_environment(resolution(values))
    found = {}
    while text:
        name, _, text = text.partition("<<")
        mark, _, text = text.partition("\n")
        found[name], _, text = text.partition(f"\n{mark}\n")
    assert found == values


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_resolution_is_still_a_document(form: str) -> None:
    text = FORMATS[form](resolution({}))
    assert text == {"json": "{}\n", "yaml": "{}\n"}.get(form, "")


@pytest.mark.parametrize("form", ["dotenv", "json", "yaml", "docker"])
@pytest.mark.parametrize("text", ["a\0b", "\udcff"])
def test_what_a_format_cannot_hold_is_refused_by_name(form: str, text: str) -> None:
    with pytest.raises(OutputError, match="`A` cannot be written"):
        FORMATS[form](resolution({"A": text}))


def test_shell_holds_bytes_but_no_nul() -> None:
    with pytest.raises(OutputError, match="NUL"):
        FORMATS["shell"](resolution({"A": "a\0b"}))


@pytest.mark.parametrize("form", ["dotenv", "shell", "docker"])
def test_a_name_that_is_no_variable_is_refused(form: str) -> None:
    with pytest.raises(OutputError, match="its name"):
        FORMATS[form](resolution({"a b;id": "x"}))
