"""What the command line says, word for word.

Each file under `transcripts/` holds a project's files and the commands run in it. A line of stderr begins with `! `,
and the exit status, where it is not 0, stands behind `? `. `python tests/cli/test_transcripts.py` writes them anew:
read the difference before you commit it.
"""

import re
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from running import Done, Project

FILES = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
_SECTION = re.compile(r"^=== (.+)\n", re.MULTILINE)


def replay(text: str, project: Project) -> str:
    """Run a transcript's commands in `project`. Returns the transcript with what they say now."""
    head, *sections = _SECTION.split(text)
    project.write(dict(zip(sections[::2], sections[1::2], strict=True)))
    commands = [line for line in head.splitlines() if line.startswith("$ ")]
    title = head.partition("\n$ ")[0].rstrip() + "\n\n"
    said = title + "\n".join(say(command, project.shell(command[2:])) for command in commands)
    files = "".join(f"=== {name}\n{body}" for name, body in zip(sections[::2], sections[1::2], strict=True))
    return f"{said}\n{files}"


def say(command: str, done: Done) -> str:
    """Return one command and what it said."""
    errors = "".join(f"! {line}".rstrip() + "\n" for line in done.err.splitlines())
    status = f"? {done.status}\n" if done.status else ""
    return f"{command}\n{done.out}{errors}{status}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_command_line_says_this(file: Path, project: Project) -> None:
    expected = file.read_text()
    assert replay(expected, project) == expected


def test_there_are_transcripts() -> None:
    assert len(FILES) >= 15


if __name__ == "__main__":
    for transcript in FILES:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / ".git").mkdir()
            transcript.write_text(replay(transcript.read_text(), Project(Path(folder))))
