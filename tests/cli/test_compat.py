"""``confsvc compat``: files, revisions and models, and what an environment really holds."""

import json
import subprocess
from pathlib import Path

import pytest

from confsvc.testing import find_leaks
from running import Done, Project

OLD = """
project = "shop"
[settings]
PORT = { type = "int", default = 8080 }
DB_URL = { secret = true, description = "the orders database" }
[environments.production]
sources = ["dotenv://.env"]
"""
NEW = OLD.replace("DB_URL", "DATABASE_URL").replace('"int", default', '"port", default')

MODEL = """
from pydantic import BaseModel

class Settings(BaseModel):
    port: int = 8080
    db_url: str
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """A repository with two versions: `v1` is tagged, and the second lies in the working folder."""
    (project.folder / ".git").rmdir()
    project.environ |= {"HOME": str(project.folder), "GIT_CONFIG_NOSYSTEM": "1"}
    git(project, "init", "-q", "-b", "main")
    commit(project, {"confsvc.toml": OLD}, "v1")
    project.write({"confsvc.toml": NEW, ".env": "DB_URL=x\n"})
    return project


def git(project: Project, *words: str) -> None:
    names = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    command = ["git", *names, *words]
    subprocess.run(command, cwd=project.folder, env=project.environ, check=True, capture_output=True)


def commit(project: Project, files: dict[str, str], tag: str) -> None:
    project.write(files)
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", tag)
    git(project, "tag", tag)


def findings(done: Done) -> dict[str, str]:
    return {one["name"]: one["change"] for one in json.loads(done.out)["findings"]}


@pytest.mark.parametrize("old", ["v1", "HEAD", "v1:confsvc.toml", "main", "old.toml"])
def test_files_and_revisions_are_compared(shop: Project, old: str) -> None:
    shop.write({"old.toml": OLD})
    done = shop.run("compat", old, "--json")
    assert done.status == 1
    assert findings(done) == {"PORT": "narrowed", "DB_URL": "renamed"}


def test_it_says_which_way_breaks_and_what_to_do(shop: Project) -> None:
    done = shop.run("compat", "v1")
    assert done.out.startswith("v1:confsvc.toml → confsvc.toml\nbreaks:\n")
    assert "renamed  DB_URL  seems to be `DATABASE_URL` now (a guess)" in done.out
    assert "declare both for one version" in done.out
    assert "the new version on the old configuration: may not start: 2 settings\n" in done.out
    assert "the old version on the new configuration: may not start: 1 setting\n" in done.out
    assert done.err == ""


def test_nothing_that_breaks_ends_with_zero(shop: Project) -> None:
    done = shop.run("compat", "v1", "v1", "--json")
    assert (done.status, json.loads(done.out)["ok"]) == (0, True)
    assert shop.run("compat", "v1", "--accept", "PORT,DB_URL").status == 0


def test_what_is_accepted_must_be_there(shop: Project) -> None:
    done = shop.run("compat", "v1", "--accept", "PROT")
    assert (done.status, "did you mean `PORT`" in done.err) == (64, True)


def test_a_manifest_further_down_is_found_in_its_revision(shop: Project) -> None:
    commit(shop, {"app/confsvc.toml": OLD}, "v2")
    shop.write({"app/confsvc.toml": NEW})
    for words in (["v2"], ["v2:app/confsvc.toml"], ["v2:./confsvc.toml"]):
        assert findings(shop.run("compat", *words, "--json", cwd="app"))["DB_URL"] == "renamed"


def test_pyproject_is_read_at_a_revision_too(shop: Project) -> None:
    commit(shop, {"pyproject.toml": "[tool.confsvc.settings]\nPORT = { type = 'int' }\n"}, "v2")
    assert findings(shop.run("compat", "v2:pyproject.toml", "--json"))["PORT"] == "narrowed"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["v9"], "git knows no such revision"),
        (["v9:confsvc.toml"], "git knows no such revision"),
        (["v1:nothing.toml"], "`nothing.toml` is not in the revision `v1`"),
        (["--", "--output=x"], "neither a file nor the name of a revision"),
        (["--", "-x:confsvc.toml"], "neither a file nor the name of a revision"),
        (["v1", "nothing.toml"], "no such revision"),
        (["nothing:Model"], "there is no module `nothing`"),
        (["broken"], "is not TOML"),
        (["wrong"], "unknown key `setting`"),
        (["empty"], "declares no settings"),
        (["binary"], "is no text"),
    ],
)
def test_what_cannot_be_compared_says_why(shop: Project, words: list[str], told: str) -> None:
    shop.manifest(NEW)
    texts = {"broken": "[settings", "wrong": "setting = 1\n", "empty": 'project = "x"\n', "binary": "\x00\x01"}
    for tag in set(texts) & set(words):
        (shop.folder / "confsvc.toml").write_bytes(b"\xff\xfe" if tag == "binary" else texts[tag].encode())
        git(shop, "commit", "-qam", tag)
        git(shop, "tag", tag)
    shop.manifest(NEW)
    done = shop.run("compat", *words)
    assert (done.status, told in done.err) == (78, True), done.err


def test_without_a_repository_it_says_so(project: Project) -> None:
    (project.folder / ".git").rmdir()
    project.manifest(NEW)
    project.environ["GIT_CEILING_DIRECTORIES"] = str(project.folder.parent)
    done = project.run("compat", "HEAD~1")
    assert (done.status, "git knows no repository here" in done.err) == (78, True)
    done = project.run("compat", "HEAD~1", env={"PATH": str(project.folder)})
    assert done.status in {78, 127}


def test_a_model_is_compared_with_what_its_code_was(shop: Project) -> None:
    manifest = 'schema = "shop_settings:Settings"\n[environments.production]\nsources = ["dotenv://.env"]\n'
    commit(shop, {"confsvc.toml": manifest, "shop_settings.py": MODEL}, "v2")
    shop.write({"shop_settings.py": MODEL.replace("db_url: str", "db_url: str\n    new: str")})
    done = shop.run("compat", "v2", "--json")
    assert (done.status, findings(done)) == (1, {"NEW": "required"})
    shop.write({"shop_settings.py": MODEL.replace("port: int", "port: str")})
    assert findings(shop.run("compat", "v2", "--json")) == {"PORT": "retyped"}
    assert findings(shop.run("compat", "v1", "shop_settings:Settings", "--json"))["PORT"] == "retyped"


def test_old_code_that_cannot_be_imported_says_where_and_not_what(shop: Project, canary: str) -> None:
    commit(shop, {"confsvc.toml": 'schema = "old:Settings"\n', "old.py": f"raise ValueError('{canary}')"}, "v2")
    shop.manifest(NEW)
    done = shop.run("compat", "v2")
    assert (done.status, "importing `old` failed with ValueError" in done.err) == (78, True), done.err
    assert find_leaks(canary, done.out, done.err) == []


def test_what_an_environment_holds_decides(shop: Project, canary: str) -> None:
    shop.write({".env": f"DB_URL={canary}\nPORT=70000\n"})
    done = shop.run("compat", "v1", "-e", "production")
    assert done.status == 1
    assert "v1:confsvc.toml fits what production holds now\n" in done.out
    assert "confsvc.toml does not fit what production holds now\n" in done.out
    assert "DATABASE_URL  missing" in done.out
    shop.write({".env": f"DB_URL={canary}\nDATABASE_URL={canary}\nPORT=80\n"})
    done = shop.run("compat", "v1", "-e", "production", "--json")
    assert done.status == 0
    assert [one["fits"] for one in json.loads(done.out)["environments"]] == [True, True]
    assert find_leaks(canary, done.out, done.err) == []


def test_old_code_is_held_against_an_environment_too(shop: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    values = tmp_path_factory.mktemp("values") / "production.env"
    values.write_text("PORT=many\nDB_URL=x\n")
    manifest = f'schema = "shop_settings:Settings"\n[environments.production]\nsources = ["dotenv://{values}"]\n'
    commit(shop, {"confsvc.toml": manifest, "shop_settings.py": MODEL}, "v2")
    shop.write({"shop_settings.py": MODEL.replace("port: int = 8080", "port: str")})
    done = shop.run("compat", "v2", "-e", "production", "--json")
    fits = {one["version"]: one["fits"] for one in json.loads(done.out)["environments"]}
    assert (done.status, fits) == (1, {"v2:confsvc.toml": False, "confsvc.toml": True})
    values.write_text("PORT=80\nDB_URL=x\n")
    assert shop.run("compat", "v2", "-e", "production").status == 0


def test_a_model_alone_has_no_environment(shop: Project) -> None:
    shop.write({"shop_settings.py": MODEL})
    assert shop.run("compat", "shop_settings:Settings", "-e", "production").status == 64


def test_an_environment_that_is_unknown_ends_as_a_wrong_manifest(shop: Project) -> None:
    assert shop.run("compat", "v1", "-e", "staging").status == 78


@pytest.mark.parametrize("words", [[], ["v1", ""], [""], ["v1", "-e", ""], ["v1", "v1", "v1"]])
def test_what_makes_no_sense_is_a_usage_error(shop: Project, words: list[str]) -> None:
    assert shop.run("compat", *words).status == 64


def test_nothing_is_left_behind(shop: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("temporary")
    commit(shop, {"confsvc.toml": 'schema = "shop_settings:Settings"\n', "shop_settings.py": MODEL}, "v2")
    assert shop.run("compat", "v2", env={"TMPDIR": str(folder)}).status == 0
    assert list(Path(folder).iterdir()) == []
