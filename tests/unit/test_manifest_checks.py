"""What a manifest means is checked as a whole, in every environment, before anything is fetched."""

from pathlib import Path
from typing import Any

import pytest

from confsvc.errors import ManifestError
from confsvc.loading import load_manifest
from confsvc.manifest_checks import looks_unresolved, read_reference

SETTINGS = "[settings]\nA = {}\nB = {}\nC = {}\n"


def found(folder: Path, text: str, overlay: str = "") -> list[str]:
    """Return the place and message of everything wrong with a manifest; nothing if it loads."""
    (folder / "confsvc.toml").write_text(text)
    if overlay:
        (folder / "confsvc.local.toml").write_text(overlay)
    try:
        load_manifest(str(folder / "confsvc.toml"))
    except ManifestError as error:
        return [f"{problem.place.rpartition('/')[2]}: {problem.message}" for problem in error.problems]
    return []


def values(*lines: str) -> str:
    """Return a manifest with these values; the first is in its line 6."""
    return SETTINGS + "[environments.app.values]\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('A = "${A}"', "values need each other: `A` → `A`"),
        ('A = "${nope://x#y}"', "`A`: bad reference `nope://x#y`: no backend or adapter is called `nope`"),
        ('A = "${file://{project}/x}"', "`{project}` has no value here"),
        ('A = "${file://{word}/x}"', "`{word}` is not filled in"),
        ('A = "${file://x?y=z}"', "`file` references take no parameter `y`"),
        ('A = "${vault://a//b#c}"', "a remote path cannot have an empty segment (`//`)"),
        ('A = "${vault://a/%2E%2E/b#c}"', "`.` and `..` cannot be segments of a remote path"),
        ('A = "${file://x#}"', "nothing follows the `#`"),
        ('A = "${B|base46}"', "unknown filter `base46` (did you mean `base64`?)"),
        ('A = "${BB}"', "`${BB}` names no setting (did you mean `B`?)"),
        ('A = ["${B}"]', "`${…}` is filled in text only"),
        ('A = { x = "${B}" }', "`${…}` is filled in text only"),
        ('A = "vault://a/b#c"', "`A` is a reference where a value is meant"),
        ('A = "ref+vault://a/b#c"', "`A` is a reference where a value is meant"),
        ('A = "vault://a/${B}#c"', "`A` is a reference where a value is meant"),
        ('AA = "x"', "no setting is called `AA` (did you mean `A`?)"),
    ],
)
def test_what_is_wrong_with_a_value_is_told(tmp_path: Path, line: str, message: str) -> None:
    (problem,) = found(tmp_path, values(line))
    assert problem.startswith("confsvc.toml:6: ")
    assert message in problem


@pytest.mark.parametrize(
    "line",
    [
        'A = "{project} {environment} {anything}"',  # placeholders are for references
        'A = "$${vault://a#b}"',
        'A = "see vault://a/b#c"',
        'A = "https://example.com"',
        'A = "file:///etc/hosts"',
        'A = "${file://{environment}/x#y|trim|base64}-${B}"',
        'A = "${vault://secret/{environment}#password}"',
        'A = "${file://../x}"',  # on this machine `..` is fine
        "A = 5",
        'A = ["x", "y"]',
        'A = ""',
    ],
)
def test_what_is_fine_is_not_complained_about(tmp_path: Path, line: str) -> None:
    assert found(tmp_path, values(line)) == []


def test_a_cycle_is_told_from_every_value_in_it(tmp_path: Path) -> None:
    problems = found(tmp_path, values('A = "${B}"', 'B = "x${C}"', 'C = "${file://x}${A}"'))
    assert problems == [
        "confsvc.toml:6: values need each other: `A` → `B` → `C` → `A`",
        "confsvc.toml:7: values need each other: `B` → `C` → `A` → `B`",
        "confsvc.toml:8: values need each other: `C` → `A` → `B` → `C`",
    ]


def test_values_that_need_the_same_are_no_cycle(tmp_path: Path) -> None:
    assert found(tmp_path, values('A = "${B}${C}"', 'B = "${C}"', 'C = "x"')) == []


def test_a_cycle_through_what_is_inherited_is_told(tmp_path: Path) -> None:
    text = values('A = "${B}"') + '[environments.child]\nextends = "app"\nvalues = { B = "${A}" }\n'
    assert [problem.partition(": ")[2] for problem in found(tmp_path, text)] == [
        "values need each other: `A` → `B` → `A`",
        "values need each other: `B` → `A` → `B`",
    ]


def test_a_cycle_that_an_environment_breaks_is_fine_there_and_told_where_it_is_not(tmp_path: Path) -> None:
    text = values('A = "${B}"', 'B = "${A}"') + '[environments.child]\nextends = "app"\nvalues = { B = "x" }\n'
    assert [problem.partition(":")[2].partition(":")[0] for problem in found(tmp_path, text)] == ["6", "7"]


def test_what_is_inherited_is_wrong_once(tmp_path: Path) -> None:
    text = values('A = "${nope://x}"') + "".join(f'[environments.e{n}]\nextends = "app"\n' for n in range(3))
    assert len(found(tmp_path, text)) == 1


def test_extends_in_a_circle_does_not_hang_what_extends_it(tmp_path: Path) -> None:
    text = '[environments.a]\nextends = "b"\n[environments.b]\nextends = "c"\n[environments.c]\nextends = "b"\n'
    assert [problem.partition(":")[2] for problem in found(tmp_path, text)] == [
        "4: `extends` goes round in a circle: `b` → `c` → `b`",
        "6: `extends` goes round in a circle: `c` → `b` → `c`",
    ]


def test_the_environment_in_inherited_references_is_the_one_resolved(tmp_path: Path) -> None:
    (tmp_path / "confsvc.toml").write_text(
        'project = "shop"\n[environments.base]\nsources = ["vault://{project}/{environment}"]\n'
        '[environments.app]\nextends = "base"\n'
    )
    manifest = load_manifest(str(tmp_path / "confsvc.toml"))
    environment = manifest.environment("app")
    reference, message = read_reference(manifest, environment, environment.sources[0].reference)
    assert (str(reference), message) == ("vault://shop/app", "")


@pytest.mark.parametrize("key", ["token", "password", "secret_id"])
@pytest.mark.parametrize(
    "table",
    ["[backends.vault]\n%s\n", "[backends.vault]\nauth = { %s }\n", "[environments.a.backends.vault.auth]\n%s\n",
     "[backends.store]\nadapter = 'gcp-sm'\n[backends.store.auth.deeper]\n%s\n"],
)  # fmt: skip
def test_a_credential_in_the_manifest_is_an_error_and_not_repeated(tmp_path: Path, table: str, key: str) -> None:
    problems = found(tmp_path, table % f'{key} = "cnry-3d1f"')
    assert any(f"`{key}` cannot stand in the manifest" in problem for problem in problems)
    assert "cnry" not in "".join(problems)


def test_a_credential_may_be_named(tmp_path: Path) -> None:
    text = '[backends.vault]\nauth = { method = "token", token = { env = "MY_TOKEN" } }\n'
    assert found(tmp_path, text) == []
    assert found(tmp_path, text.replace('env = "MY_TOKEN"', 'file = "/run/token"')) == []


def test_a_credential_is_no_better_in_the_overlay(tmp_path: Path) -> None:
    base = '[backends.vault]\naddress = "https://v"\n'
    (problem,) = found(tmp_path, base, '[backends.vault.auth]\nmethod = "token"\ntoken = "x"\n')
    assert problem.startswith("confsvc.local.toml:3: `token` cannot stand in the manifest")


def test_every_environment_is_checked_not_only_the_one_used(tmp_path: Path) -> None:
    text = 'default_environment = "a"\n[environments.a]\n[environments.b]\nsources = ["nope://x"]\n'
    assert len(found(tmp_path, text)) == 1


def test_options_of_a_backend_are_checked_where_its_adapter_is_there(tmp_path: Path) -> None:
    assert "unknown key `adress` (did you mean `address`?)" in found(tmp_path, "[backends.vault]\nadress = 'x'\n")[0]


def test_an_environment_may_have_a_backend_of_its_own(tmp_path: Path) -> None:
    text = (
        "[environments.a]\nsources = ['mine://x']\n[environments.a.backends.mine]\nadapter = 'dotenv'\n"
        "[environments.b]\nsources = ['mine://x']\n"
    )
    assert [problem.partition(": ")[0] for problem in found(tmp_path, text)] == ["confsvc.toml:6"]


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ('{ type = "int", default = "many" }', "the default of `A` is not an integer"),
        ('{ type = "int", default = 5, le = 4 }', "the default of `A` must be at most 4"),
        ('{ type = "int", default = "" }', "the default of `A` is empty"),
        ('{ type = "list[int]", default = ["x"] }', "the default of `A` is not an integer at item 1"),
        ('{ type = "enum", choices = ["a"], default = "b" }', "the default of `A` is not one of 'a'"),
        ('{ type = "int", choices = ["1"] }', "the `choices` of an `int` are integers"),
        ('{ type = "str", pattern = "(" }', "`A`: its constraints (`pattern`) do not fit its type"),
        ('{ type = "int", ge = "soon" }', "`A`: its constraints (`ge`) do not fit its type"),
        ('{ type = "duration", ge = "soon" }', "`ge` is not a duration"),
        ('{ default = "vault://a/b#c" }', "`A` is a reference where a value is meant"),
        ('{ default = "${vault://a/b#c}" }', "`A` is a reference where a value is meant"),
        ("{ min_length = -1 }", "`settings.A.min_length` must be at least 0"),
        ('{ choices = [] , type = "enum" }', "`settings.A.choices` must not be empty"),
        ('{ secret = "yes" }', "`settings.A.secret` must be a boolean"),
    ],
)
def test_what_is_wrong_with_a_declaration_is_told(tmp_path: Path, declaration: str, message: str) -> None:
    (problem,) = found(tmp_path, f"[settings]\nA = {declaration}\n")
    assert problem.startswith("confsvc.toml:2: ")
    assert message in problem


@pytest.mark.parametrize("line", ['"A\\n" = {}', '"A=B" = {}', '"" = {}', '"1A" = {}'])
def test_a_setting_has_the_name_of_a_variable(tmp_path: Path, line: str) -> None:
    (problem,) = found(tmp_path, f"[settings]\n{line}\n")
    assert "is not a name" in problem


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".x", "x y", "x\\n", "%2e"])
def test_projects_and_environments_have_names_that_fit_a_path(tmp_path: Path, name: str) -> None:
    for text in (f'project = "{name}"\n', f'[environments."{name}"]\n'):
        assert len(found(tmp_path, text)) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("vault://a", True),
        ("dotenv://a", True),
        ("aws-sm://a", True),
        ("mine://a", True),
        ("${vault://a#b|trim}", True),
        ("file:///a", False),
        ("${file:///a}", True),
        ("https://a", False),
        ("vault:a", False),
        ("x vault://a", False),
        ("${HOME}", False),
        ("", False),
        (5, False),
        (["vault://a"], False),
    ],
)
def test_a_reference_that_nobody_resolves_is_recognised(value: Any, expected: bool) -> None:
    assert looks_unresolved(value, {"mine": {}}) is expected
