"""The walk-through in CONTRIBUTING.md works as it stands there."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from running import Project

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n\$ (.*?)\n(.*?)```", re.DOTALL)


@pytest.fixture
def walked(project: Project) -> Project:
    """Write the walk-through's files, and lay its distribution out as an installer would."""
    files = dict(FILE.findall(PAGE.read_text()))
    assert set(files) == {"confsvc_ini.py", "pyproject.toml", "test_ini.py", "settings.ini", "confsvc.toml"}
    made = tomllib.loads(files.pop("pyproject.toml"))["project"]
    points = "".join(f"{name} = {target}\n" for name, target in made["entry-points"]["confsvc.adapters"].items())
    info = f"site/{made['name'].replace('-', '_')}-{made['version']}.dist-info"
    project.write(
        {
            **files,
            "site/confsvc_ini.py": files.pop("confsvc_ini.py"),
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {made['name']}\nVersion: {made['version']}\n",
            f"{info}/entry_points.txt": f"[confsvc.adapters]\n{points}",
        }
    )
    (project.folder / "confsvc_ini.py").unlink()
    project.environ["PYTHONPATH"] = str(project.folder / "site")
    return project


def test_the_adapter_passes_the_contract(walked: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_ini.py"],
        cwd=walked.folder,
        env=walked.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d\d passed", done.stdout)


def test_the_adapter_is_a_scheme_like_any_other(walked: Project) -> None:
    for command, expected in CONSOLE.findall(PAGE.read_text()):
        done = walked.shell(command)
        assert (done.status, done.out) == (0, expected), done.err


def test_a_wrong_option_of_it_is_told(walked: Project) -> None:
    text = (walked.folder / "confsvc.toml").read_text()
    walked.write({"confsvc.toml": text + "[backends.ini]\nencodng = 'utf-8'\n"})
    done = walked.run("check")
    assert (done.status, "unknown key `encodng` (did you mean `encoding`?)" in done.err) == (78, True)


def test_every_folder_of_the_core_is_told_of() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", PAGE.read_text(), re.MULTILINE)
    told = {name.strip("` ") for row in rows for name in row.split(",")}
    assert told == {path.parent.name for path in (PAGE.parent / "confsvc").glob("*/__init__.py")}
