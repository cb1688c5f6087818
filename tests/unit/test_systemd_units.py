"""The units of the agent, as systemd reads them."""

import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from confsvc.cli.agent import parser
from confsvc.thin.place import place_of

UNITS = Path(__file__).parents[2] / "systemd"


def read(name: str) -> ConfigParser:
    made = ConfigParser(strict=False, interpolation=None)
    made.optionxform = str  # type: ignore[assignment,method-assign]
    made.read(UNITS / name)
    return made


def test_the_socket_is_where_clients_of_a_service_look() -> None:
    assert read("confsvc-agent.socket")["Socket"]["ListenStream"] == place_of({})[0]


def test_the_service_runs_the_command_there_is() -> None:
    words = read("confsvc-agent.service")["Service"]["ExecStart"].split()
    assert words[:2] == ["confsvc", "agent"]
    assert parser().parse_args(["--allow-gid", "990"]).allow_gid == ["990"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace("=confsvc ", f"={sys.executable} "))
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "confsvc-agent" in line] == []
