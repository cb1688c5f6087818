"""`k8s-secret` and `k8s-configmap` are objects that Kubernetes takes, with the bytes that were to be in them."""

from base64 import b64decode
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from confsvc.errors import OutputError
from confsvc.inject.kubernetes import kubernetes
from confsvc.inject.yaml_text import Word, document
from confsvc.resolution import Origin, Resolution, Value

MOST = 1024 * 1024
KINDS = ["Secret", "ConfigMap"]
KEYS = st.from_regex(r"[A-Za-z0-9._-]{1,30}", fullmatch=True).filter(lambda name: name != "." and ".." not in name[:2])
TEXTS = st.one_of(
    st.text(),
    st.binary().map(lambda data: data.decode(errors="surrogateescape")),
    st.sampled_from(
        ["", "\n", "no", "null", "0x1", "1e3", "2026-11-24", "a: b", "- a", "'\"\\", "---\n", "\x00", "\x85"]
    ),
)


def resolution(values: dict[str, str], kind: str, **more: bytes) -> Resolution:
    """Return texts, and bytes, as settings that belong into an object of `kind`."""
    is_secret = kind == "Secret"
    made = {n: Value(n, text=t, value=t, origin=Origin("values"), secret=is_secret) for n, t in values.items()}
    for name, data in more.items():
        made[name] = Value(
            name, text="", value=data, origin=Origin("values"), secret=is_secret, data=data, kind="bytes"
        )
    return Resolution(made)


def read(text: str) -> dict[str, Any]:
    """Return an object that Kubernetes takes."""
    found: dict[str, Any] = yaml.safe_load(text)
    kubernetes_validate.validate(found, "1.32", strict=True)
    return found


@pytest.mark.parametrize("kind", KINDS)
@given(values=st.dictionaries(KEYS, TEXTS, max_size=5), data=st.binary())
def test_kubernetes_takes_any_value_and_has_its_bytes(kind: str, values: dict[str, str], data: bytes) -> None:
    found = read(kubernetes(resolution(values, kind, raw=data), kind, "web"))
    assert found["kind"] == kind
    held = {name: text if kind == "ConfigMap" else b64decode(text) for name, text in found["data"].items()}
    held = {name: text.encode() if isinstance(text, str) else text for name, text in held.items()}
    held |= {name: b64decode(text) for name, text in found.get("binaryData", {}).items()}
    assert held == {**{n: t.encode(errors="surrogateescape") for n, t in values.items()}, "raw": data}


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_object_is_one(kind: str) -> None:
    assert read(kubernetes(resolution({}, kind), kind))["data"] == {}


@pytest.mark.parametrize("kind", KINDS)
@given(name=st.text(min_size=1, max_size=300).filter(lambda name: not name.isascii() or " " in name or len(name) > 253))
def test_a_name_that_is_no_key_is_refused(kind: str, name: str) -> None:
    with pytest.raises(OutputError, match="cannot be written as a key"):
        kubernetes(resolution({name: "x"}, kind), kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mebibyte_is_the_most(kind: str) -> None:
    fits = {"A": "a" * (MOST - 3), "B": "bbb"}
    assert len(read(kubernetes(resolution(fits, kind), kind))["data"]) == 2
    with pytest.raises(OutputError) as caught:
        kubernetes(resolution({**fits, "B": "bbbb"}, kind), kind)
    assert f"a {kind} holds at most {MOST} bytes, and these are {MOST + 1}: `A` alone has" in caught.value.message
    assert "aaa" not in str(caught.value)
    assert caught.value.exit_status == 73


def test_bytes_count_as_they_are_not_as_base64() -> None:
    read(kubernetes(resolution({}, "Secret", raw=bytes(MOST)), "Secret"))


JSON = st.recursive(
    st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(st.dictionaries(st.text(), JSON, max_size=4).filter(lambda value: not holds_lists_in_lists(value)))
def test_any_mapping_is_read_back(value: dict[str, Any]) -> None:
    assert yaml.safe_load(document(value) or "{}") == value


def holds_lists_in_lists(value: object) -> bool:
    """Objects have no list in a list, nor an empty mapping in one, and the writer writes none."""
    if isinstance(value, dict):
        return any(map(holds_lists_in_lists, value.values()))
    return isinstance(value, list) and any(
        isinstance(one, list) or not one or holds_lists_in_lists(one) for one in value
    )


def test_only_our_own_words_are_not_quoted() -> None:
    assert (
        document({"kind": Word("Secret"), "name": "Secret", "no": "yes"})
        == 'kind: Secret\nname: "Secret"\n"no": "yes"\n'
    )
