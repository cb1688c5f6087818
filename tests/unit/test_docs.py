"""What the pages show is true: every fenced block is run or checked, every link leads somewhere.

A block after `<!-- file: NAME -->` is written into the page's folder; files accumulate down the page. What a `toml`
block after `<!-- fragment -->` leaves out is in the page's manifest so far. A `console` block holds `$ command` lines,
each run by a shell of its own and ending with 0, with all that it prints.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from confsvc.loading import load_manifest
from running import Project

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*PAGES, *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))]

BLOCK = re.compile(r"(?:<!-- (file|fragment)(?:: (\S+))? -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^\$ (.*(?:\n> .*)*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
AGE = re.compile(r"\b\d+ s(?=  |$)", re.MULTILINE)
BASE = 'project = "shop"\n[environments.development]\n'


class Block(NamedTuple):
    """One fenced block: where it stands, what the comment before it says, and what it holds."""

    place: str
    role: str
    name: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found = [(text[: match.start()].count("\n") + 1, match.groups(default="")) for match in BLOCK.finditer(text)]
    assert len(found) * 2 == len(re.findall("^```", text, re.MULTILINE)), f"{page.name}: a block does not end"
    return [Block(f"{page.name}:{line}", *parts) for line, parts in found]


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """A project folder with the name that the pages use, which no manifest above it reaches into."""
    (tmp_path / "shop").mkdir(mode=0o755)  # whatever the umask: a group that could write here would get no agent
    (tmp_path / "shop" / ".git").mkdir()
    return Project(tmp_path / "shop")


@pytest.mark.usefixtures("confsvc_memory")  # the page about testing has a manifest that reads it
@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_block_is_true(page: Path, shop: Project) -> None:
    for block in blocks(page):
        if block.role == "file":
            shop.write({block.name: block.text})
        CHECKS[block.language](block, shop)


@pytest.mark.parametrize("page", LINKED, ids=[page.name for page in LINKED])
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_the_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def check_toml(block: Block, shop: Project) -> None:
    if block.role == "file":
        load_manifest(str(shop.folder / block.name))
        return
    folder = shop.folder.parent / "alone"
    folder.mkdir(exist_ok=True)
    written = shop.folder / "confsvc.toml"
    base = written.read_text() if written.exists() else BASE
    files = {"confsvc.toml": base, "confsvc.local.toml": block.text} if block.role else {"confsvc.toml": block.text}
    for name in ("confsvc.toml", "confsvc.local.toml"):
        (folder / name).write_text(files.get(name, ""))
    load_manifest(str(folder / "confsvc.toml"))


def check_python(block: Block, shop: Project) -> None:
    if block.name.startswith("test_"):
        done = shop.shell(f"python -m pytest -q -p no:cacheprovider {block.name}")
    else:
        shop.write({"block.py": block.text})
        done = shop.shell("python block.py")
    assert done.status == 0, f"{block.place}: {done.out}{done.err}"


def check_console(block: Block, shop: Project) -> None:
    assert block.text.startswith("$ "), block.place
    for command, expected in COMMAND.findall(block.text):
        done = shop.shell("exec 2>&1\n" + command.replace("\n> ", "\n"))
        out = AGE.sub("0 s", done.out)  # how long ago a value was read is nobody's promise
        assert (block.place, done.status, out) == (block.place, 0, expected), command


def check_sh(block: Block, shop: Project) -> None:
    shop.write({"block.sh": block.text})
    done = shop.shell("bash -n block.sh")
    assert done.status == 0, f"{block.place}: {done.err}"


CHECKS: dict[str, Callable[[Block, Project], object]] = {
    "console": check_console,
    "dotenv": lambda _block, _shop: None,
    "jinja": lambda _block, _shop: None,  # the commands that follow render it
    "json": lambda block, _shop: json.loads(block.text),
    "python": check_python,
    "sh": check_sh,
    "text": lambda _block, _shop: None,
    "toml": check_toml,
    "yaml": lambda block, _shop: yaml.safe_load(block.text),
}
