"""Real `.env` files: `init` makes a manifest that loads, `check` passes, the child gets what python-dotenv reads."""

import io
from pathlib import Path

import dotenv
import pytest

from confsvc.loading import load_manifest
from running import Project

ROOT = Path(__file__).parents[2]
OWN = sorted((ROOT / "tests" / "samples").glob("*.env"))
# Samples of well-known applications, where they lie beside the checkout.
REAL = sorted((ROOT.parent / "shared" / "field" / "dotenv").glob("*.env"))


def read(text: bytes, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> dict[str, str]:
    """Return what python-dotenv reads in `environ`, without bare keys."""
    with monkeypatch.context() as patch:
        patch.setattr("os.environ", environ)
        found = dotenv.dotenv_values(stream=io.StringIO(text.decode("utf-8-sig"), newline=None))
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("sample", [*OWN, *REAL], ids=lambda path: path.name)
def test_a_real_file_works_from_init_to_exec(project: Project, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = sample.read_bytes()
    project.write({".env": content})
    expected = read(content, monkeypatch, project.environ)
    made = project.run("init", "-q")
    assert made.status == 0, made.err
    manifest = load_manifest(str(project.folder / "confsvc.toml"))
    assert manifest.schema is not None
    told = repr([setting._replace(description="") for setting in manifest.schema.settings.values()])
    assert not [n for n, v in expected.items() if manifest.schema.settings[n].secret and len(v) > 6 and v in told]
    checked = project.run("check", "-q")
    assert (checked.status, checked.err) == (0, "")
    done = project.run("exec", "-q", "--", "env", "-0")
    assert done.status == 0, done.err
    child = dict(entry.split(b"=", 1) for entry in done.raw.rstrip(b"\0").split(b"\0"))
    ours = {"CONFSVC_ENV", "CONFSVC_FILE"} | project.environ.keys()
    assert {n.decode(): v for n, v in child.items() if n.decode() not in ours} == {
        name: value.encode() for name, value in expected.items() if name not in ours
    }


@pytest.mark.parametrize("sample", [*OWN, *REAL], ids=lambda path: path.name)
def test_a_real_file_needs_no_manifest(project: Project, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = sample.read_bytes()
    project.write({"my.env": content})
    expected = read(content, monkeypatch, project.environ)
    done = project.run("exec", "-q", "--source", "dotenv://my.env", "--", "env", "-0")
    assert done.status == 0, done.err
    child = dict(entry.split(b"=", 1) for entry in done.raw.rstrip(b"\0").split(b"\0"))
    assert {n.decode(): v.decode() for n, v in child.items()} == {**project.environ, **expected}


def test_there_are_samples() -> None:
    assert len(OWN) >= 8
