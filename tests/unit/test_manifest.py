"""The manifest: section 2 of the design, and what is said when it is wrong."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from confsvc.discovery import find_manifest
from confsvc.errors import ManifestError, UnknownEnvironmentError, UsageError
from confsvc.loading import load_manifest
from confsvc.manifest import Manifest

DESIGN = """
project = "shop"
default_environment = "development"

[settings]
DATABASE_URL = { type = "url", secret = true, description = "PostgreSQL DSN of the orders database" }
PORT         = { type = "int", default = 8080, ge = 1, le = 65535 }
LOG_LEVEL    = { type = "enum", choices = ["debug", "info", "warning"], default = "info" }
CACHE_TTL    = { type = "duration", default = "5m" }
FEATURES     = { type = "list[str]", default = [] }
SENTRY_DSN   = { type = "url", secret = true, required = false }
SMTP_PASSWORD = { type = "str", secret = true }

[backends.vault]
address = "https://vault.example.com"
auth = { method = "kubernetes", role = "shop" }

[backends.billing]
adapter = "aws-sm"
region = "eu-west-1"
role_arn = "arn:aws:iam::123456789012:role/billing-reader"

[environments.development]
sources = ["dotenv://.env", { from = "dotenv://.env.local", optional = true }]

[environments.staging]
sources = ["vault://secret/{project}/{environment}"]

[environments.production]
extends = "staging"
sources = ["aws-ssm:///{project}/{environment}/"]
[environments.production.values]
PORT = "80"
DATABASE_URL = "postgres://shop:${vault://secret/shop/db#password|urlencode}@db.internal/shop"
SMTP_PASSWORD = "${billing://smtp#/credentials/password}"
[environments.production.backends.vault]
address = "https://vault.prod.example.com"
"""


def load(folder: Path, text: str, overlay: str = "") -> Manifest:
    """Load a manifest, with an overlay."""
    (folder / "confsvc.toml").write_text(text)
    if overlay:
        (folder / "confsvc.local.toml").write_text(overlay)
    return load_manifest(str(folder / "confsvc.toml"))


def problems(folder: Path, text: str, overlay: str = "") -> list[str]:
    """Return `line: message` of everything wrong with a manifest."""
    with pytest.raises(ManifestError) as caught:
        load(folder, text, overlay)
    assert caught.value.exit_status == 78
    assert caught.value.__context__ is None
    return [f"{problem.place.rpartition(':')[2]}: {problem.message}" for problem in caught.value.problems]


def test_the_manifest_of_the_design_loads(tmp_path: Path) -> None:
    manifest = load(tmp_path, DESIGN)
    assert manifest.project == "shop"
    assert manifest.environments == ("development", "staging", "production")
    production = manifest.environment("production")
    assert [source.reference for source in production.sources] == [
        "vault://secret/{project}/{environment}",
        "aws-ssm:///{project}/{environment}/",
    ]
    assert production.backends["vault"] == {
        "address": "https://vault.prod.example.com",
        "auth": {"method": "kubernetes", "role": "shop"},
    }
    assert manifest.environment("staging").backends["vault"]["address"] == "https://vault.example.com"


def test_the_environment_is_chosen(tmp_path: Path) -> None:
    manifest = load(tmp_path, DESIGN)
    assert manifest.choose("") == "development"
    assert manifest.choose("staging") == "staging"
    with pytest.raises(UnknownEnvironmentError, match=r"unknown environment `stagin` \(did you mean `staging`\?\)"):
        manifest.choose("stagin")


def test_with_several_environments_and_no_default_one_must_be_named(tmp_path: Path) -> None:
    manifest = load(tmp_path, "[environments.a]\n[environments.b]\n")
    with pytest.raises(UsageError):
        manifest.choose("")
    assert load(tmp_path, "[environments.only]\n").choose("") == "only"
    assert load(tmp_path, "[settings]\n").choose("") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('projekt = "x"', "1: unknown key `projekt` (did you mean `project`?)"),
        ('[settings]\nA = { typ = "int" }', "2: unknown key `typ` (did you mean `type`?)"),
        ('[settings]\nA = { type = "itn" }', "2: `itn` is not a type (did you mean `int`?)"),
        ("[settings]\nA = 5", "2: `settings.A` must be a table"),
        ('[settings]\n"a-b" = {}', "2: `a-b` is not a name: it must match `^[A-Za-z_][A-Za-z0-9_]*$`"),
        ('[settings]\nA = { type = "int", default = "x" }', "2: the default of `A` is not an integer"),
        ('[settings]\nA = { type = "int", min_length = 1 }', "2: `min_length` does not apply to the type `int`"),
        ('default_environment = "x"\n[environments.y]', "1: unknown environment `x`"),
        ('[environments.a]\nextends = "b"', "2: `a` extends the unknown environment `b`"),
        ('[environments.a]\nsources = "dotenv://x"', "2: `environments.a.sources` must be an array"),
        ("[environments.a]\nsources = [{ optional = true }]", "2: `environments.a.sources.0` needs the key `from`"),
        ('schema = "a.b"', "1: `schema` must match `^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$`"),
        ('schema = "a:B"\n[settings]', "1: `schema` and `[settings]` say the same thing twice: keep one of them"),
        ('[settings]\nA = {}\n[environments.a.values]\nB = "x"', "4: no setting is called `B`"),
        ('[settings]\nA = {}\n[environments.a.values]\nA = "${B}"', "4: `A`: `${B}` names no setting"),
        ('[settings]\nA = {}\n[environments.a.values]\nA = "${A}"', "4: values need each other: `A` → `A`"),
        ('[settings]\nA = {}\n[environments.a.values]\nA = "${"',
         "4: `A`: a `${` is not closed (a literal `${` is written `$${`)"),
        ('[settings]\nA = {}\n[environments.a.values]\nA = "dotenv://.env#A"',
         "4: `A` is a reference where a value is meant; write it as `${…}` in an environment's `values`"),
        ('[backends.vault]\nauth = { method = "token", token = "x" }',
         "2: `token` cannot stand in the manifest: write { env = … } or { file = … }"),
        ('[backends.dotenv]\nregion = "x"', "2: backend `dotenv`: unknown key `region`"),
        ('[backends.x]\nadapter = "dotenvv"',
         "1: backend `x`: no adapter is called `dotenvv` (did you mean `dotenv`?)"),
        ('extra = "injekt"', "1: `extra` must be one of `ignore`, `inject` (did you mean `inject`?)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(tmp_path, text) == [expected]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("nope://x", "no backend or adapter is called `nope`"),
        ("doten://x", "no backend or adapter is called `doten` (did you mean `dotenv`?)"),
        ("dotenv://.env?interpolat=x", "no parameter `interpolat` (did you mean `interpolate`?)"),
        ("vault://a/../b", "`.` and `..` cannot be segments of a remote path"),
        ("dotenv://{projct}", "`{projct}` is not filled in (did you mean `project`?)"),
        ("dotenv://{project}", "`{project}` has no value here"),
        (".env", "this one has no `://`"),
    ],
)
def test_bad_references_are_told(tmp_path: Path, reference: str, expected: str) -> None:
    (found,) = problems(tmp_path, f'[environments.a]\nsources = ["{reference}"]\n')
    assert found.startswith("2: bad reference")
    assert expected in found


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, 'a = 1\nb = 2\n[settings]\nX = { typ = "int", secrt = true }\n')
    assert [line.partition(":")[0] for line in found] == ["1", "2", "4", "4"]


def test_extends_in_a_circle_is_told(tmp_path: Path) -> None:
    text = '[environments.a]\nextends = "b"\n[environments.b]\nextends = "a"\n'
    found = problems(tmp_path, text)
    assert found == [
        "2: `extends` goes round in a circle: `a` → `b` → `a`",
        "4: `extends` goes round in a circle: `b` → `a` → `b`",
    ]


def test_values_in_a_circle_are_told(tmp_path: Path) -> None:
    text = '[settings]\nA = {}\nB = {}\n[environments.a.values]\nA = "${B}"\nB = "x${A}"\n'
    assert problems(tmp_path, text)[0] == "5: values need each other: `A` → `B` → `A`"


def test_malformed_toml_is_told(tmp_path: Path) -> None:
    assert "is not TOML" in problems(tmp_path, "a = [1,")[0]
    assert "nested too deeply" in problems(tmp_path, "a = " + "[" * 5000)[0]


def test_a_manifest_is_utf8_and_not_huge(tmp_path: Path) -> None:
    for content, expected in ((b"\xff", "is not UTF-8"), (b"#" * (1024 * 1024 + 1), "is larger than 1 MiB")):
        (tmp_path / "confsvc.toml").write_bytes(content)
        with pytest.raises(ManifestError, match=expected):
            load_manifest(str(tmp_path / "confsvc.toml"))
    with pytest.raises(ManifestError, match="no such file"):
        load_manifest(str(tmp_path / "nope.toml"))


def test_the_overlay_merges_key_by_key(tmp_path: Path) -> None:
    base = (
        '[settings]\nPORT = { type = "int", ge = 1 }\n[backends.vault]\naddress = "a"\n'
        'auth = { method = "token" }\n[environments.a]\nsources = ["dotenv://x", "dotenv://y"]\n'
    )
    overlay = (
        '[settings]\nPORT = { default = 8081 }\n[backends.vault]\nauth = { role = "me" }\n'
        '[environments.a]\nsources = ["dotenv://z"]\n'
    )
    manifest = load(tmp_path, base, overlay)
    assert manifest.schema is not None
    assert manifest.schema.settings["PORT"].default == 8081
    assert manifest.schema.settings["PORT"].constraints == {"ge": 1}
    environment = manifest.environment("a")
    assert [source.reference for source in environment.sources] == ["dotenv://z"]
    assert environment.backends["vault"] == {"address": "a", "auth": {"role": "me"}}


def test_problems_of_the_overlay_name_the_overlay(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        load(tmp_path, "[settings]\nA = {}\n", '\n\n[settings]\nA = { type = "nope" }\n')
    assert caught.value.problems[0].place.endswith("confsvc.local.toml:4")


def test_pyproject_holds_a_manifest(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\n[tool.confsvc]\nproject = "x"\n[tool.confsvc.settings]\nA = { typ = "int" }\n'
    file = tmp_path / "pyproject.toml"
    file.write_text(text)
    with pytest.raises(ManifestError) as caught:
        load_manifest(str(file))
    assert caught.value.problems[0].place.endswith("pyproject.toml:6")
    file.write_text(text.replace("typ ", "type "))
    assert load_manifest(str(file)).project == "x"


def test_the_search_goes_upward_to_the_repository(tmp_path: Path) -> None:
    deep = tmp_path / "repository" / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "confsvc.toml").write_text("")
    assert find_manifest(str(deep), {}) == str(tmp_path / "confsvc.toml")
    (tmp_path / "repository" / ".git").mkdir()
    assert find_manifest(str(deep), {}) == ""
    (tmp_path / "repository" / "pyproject.toml").write_text("[tool.confsvc]\n")
    assert find_manifest(str(deep), {}) == str(tmp_path / "repository" / "pyproject.toml")
    (tmp_path / "repository" / "confsvc.toml").write_text("")
    assert find_manifest(str(deep), {}) == str(tmp_path / "repository" / "confsvc.toml")


def test_the_search_stops_at_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "confsvc.toml").write_text("")
    assert find_manifest(str(home), {"HOME": str(home)}) == ""


def test_a_pyproject_without_our_table_is_passed_over(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (tmp_path / "confsvc.toml").write_text("")
    assert find_manifest(str(inner), {}) == str(tmp_path / "confsvc.toml")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_manifest_of_another_user_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "confsvc.toml"
    file.write_text("")
    os.chown(file, 12345, 12345)
    with pytest.raises(ManifestError, match="belongs to another user"):
        find_manifest(str(tmp_path), {})
    assert load_manifest(str(file)).file == str(file)  # named, it is trusted
    overlay = tmp_path / "confsvc.local.toml"
    overlay.write_text("")
    os.chown(overlay, 54321, 54321)
    with pytest.raises(ManifestError, match="belongs to another user"):
        load_manifest(str(file))


def test_a_fifo_in_the_manifests_place_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "confsvc.toml")
    with pytest.raises(ManifestError, match="is not a regular file"):
        load_manifest(str(tmp_path / "confsvc.toml"))


def test_inherited_layers_lie_below(tmp_path: Path) -> None:
    text = (
        '[settings]\nA = {}\n[environments.base]\nsources = ["dotenv://1"]\nvalues = { A = "low" }\n'
        '[environments.mid]\nextends = "base"\nsources = ["dotenv://2"]\n'
        '[environments.top]\nextends = "mid"\nsources = ["dotenv://3"]\nvalues = { A = "high" }\n'
    )
    top = load(tmp_path, text).environment("top")
    assert [source.reference for source in top.sources] == ["dotenv://1", "dotenv://2", "dotenv://3"]
    assert [entry.value for entry in top.values["A"]] == ["high", "low"]


def test_names_that_backends_read_credentials_from_are_known(tmp_path: Path) -> None:
    text = '[backends.vault]\nauth = { method = "approle", secret_id = { env = "MY_SECRET_ID" } }\n'
    assert load(tmp_path, text).credential_names("") == {"MY_SECRET_ID"}


WORDS = st.sampled_from(
    "project settings environments backends sources values extends from optional extra type default A B dev".split()
)
TEXTS = st.text(max_size=4) | st.sampled_from(
    [
        "int",
        "enum",
        "list[int]",
        "A",
        "dev",
        "${A}",
        "${",
        "${file://x|trim}",
        "dotenv://.env",
        "vault://{project}",
        "(",
    ]
)
THINGS: st.SearchStrategy[Any] = st.recursive(
    TEXTS | st.booleans() | st.integers() | st.floats() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
SETTING = st.dictionaries(st.sampled_from(["type", "default", "ge", "choices", "pattern"]), THINGS, max_size=3)
ENVIRONMENT = st.fixed_dictionaries(
    {},
    optional={
        "extends": st.sampled_from(["dev", "live", ""]),
        "sources": st.lists(TEXTS, max_size=2),
        "values": st.dictionaries(WORDS, THINGS, max_size=3),
        "backends": st.dictionaries(st.sampled_from(["vault", "mine"]), THINGS, max_size=1),
    },
)
MANIFESTS = st.dictionaries(WORDS, THINGS, max_size=4) | st.fixed_dictionaries(
    {},
    optional={
        "settings": st.dictionaries(WORDS, SETTING, max_size=3),
        "environments": st.dictionaries(st.sampled_from(["dev", "live"]), ENVIRONMENT),
        "project": TEXTS,
    },
)


def toml(value: object) -> str:
    """Write a value as TOML would have it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
    return str(value).lower()


@given(MANIFESTS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_it_says_it_loads_or_is_told_where_it_is_wrong(tmp_path: Path, data: dict[str, Any]) -> None:
    text = "".join(f"{toml(key)} = {toml(value)}\n" for key, value in data.items())
    try:
        load(tmp_path, text)
    except ManifestError as error:
        assert error.__context__ is None
        assert all(problem.message for problem in error.problems)
        assert all("confsvc.toml" in problem.place + problem.message for problem in error.problems)
