"""Paths and mounts of the vault adapter: whatever the mount, the same secret has the same place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confsvc.errors import Malformed
from confsvc.reference import Reference
from confsvc_vault.mounts import fixed_mount
from confsvc_vault.paths import Mount, Target, escape, read_target

SEGMENT = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=8)
SEGMENTS = st.lists(SEGMENT.filter(lambda one: one.isprintable() and one not in {".", ".."}), min_size=1, max_size=4)


def target(path: str, **parameters: str) -> Target:
    found = read_target(Reference("vault", path, tuple(parameters.items())), "")
    assert isinstance(found, Target)
    return found


@given(SEGMENTS, SEGMENTS)
def test_data_in_the_path_is_the_same_as_none(mount: list[str], inside: list[str]) -> None:
    engine = Mount("/".join(mount) + "/", "kv", 2)
    plain = target("/".join([*mount, *inside]))
    spelt = target("/".join([*mount, "data", *inside]))
    if inside[0] != "data":
        assert plain.place(engine) == spelt.place(engine) == "/".join([*mount, "data", *inside])


@given(SEGMENTS, SEGMENTS)
def test_version_1_is_read_as_it_is_written(mount: list[str], inside: list[str]) -> None:
    path = "/".join([*mount, *inside])
    assert target(path).place(Mount("/".join(mount) + "/", "kv", 1)) == path


@given(SEGMENTS)
def test_an_escaped_path_has_its_slashes_and_nothing_odd(segments: list[str]) -> None:
    escaped = escape("/".join(segments))
    assert escaped.isascii()
    assert escaped.count("/") == len(segments) - 1
    assert not set(escaped) & set(' ?#\r\n"<>\\^`{|}')


def test_a_mount_holds_what_is_below_it_and_not_what_looks_like_it() -> None:
    mount = Mount("team/kv/", "kv", 2)
    assert [mount.holds(path) for path in ("team/kv/a", "team/kv", "team/kv2/a", "team")] == [True, True, False, False]


@pytest.mark.parametrize(("path", "kind"), [("team/kv/a", "kv"), ("other/a", "")])
def test_a_fixed_mount_is_only_for_what_is_in_it(path: str, kind: str) -> None:
    assert fixed_mount(target(path), 2, "team/kv").kind == kind


@pytest.mark.parametrize("version", ["0", "-1", "1.0", "latest", "²", "1" * 10, " 1"])
def test_a_version_is_a_number(version: str) -> None:
    assert isinstance(read_target(Reference("vault", "secret/a", (("version", version),)), ""), Malformed)


@pytest.mark.parametrize(("path", "namespace"), [("secret/a\nb", ""), ("secret/\x1b[31m", ""), ("secret/a", "b\r")])
def test_what_would_spoil_a_terminal_is_no_path(path: str, namespace: str) -> None:
    found = read_target(Reference("vault", path, (("namespace", namespace),)), "")
    assert isinstance(found, Malformed)
    assert found.message.isprintable()


def test_a_namespace_of_the_reference_wins() -> None:
    reference = Reference("vault", "secret/a", (("namespace", "/team-b/"),))
    found = read_target(reference, "team-a")
    assert isinstance(found, Target)
    assert found.namespace == "team-b"
