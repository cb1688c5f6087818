"""Bad input gets a clear error, the right exit status, and nothing starts; a secret of the same run shows nowhere."""

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from running import CONFSVC, Project

HEAD = '[settings]\nTOKEN = { secret = true }\nX = { type = "int", ge = 1 }\n[environments.app]\n'
SOURCE = HEAD + 'sources = ["dotenv://.env"]\n'


def refused(project: Project, status: int, *expected: str, canary: str, argv: tuple[str, ...] = ("exec",)) -> str:
    """Run a command that must be refused, and check all that is always so. Returns what was said."""
    for options in ((), ("--json",), ("-v",)):
        done = project.run(*argv, *options, "--", "touch", "started")
        assert done.status == status, done.err
        assert not project.started()
        assert canary not in done.out + done.err
        assert "Traceback" not in done.err
    done = project.run(*argv, "--", "touch", "started")
    for text in expected:
        assert text in done.err
    assert done.out == ""
    return done.err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "X  missing: neither `dotenv://.env` nor the process environment has it"),
        ("X=cnry-9f2b7c41d8", "X  dotenv://.env  invalid: is not an integer"),
        ("X=0", "X  dotenv://.env  invalid: must be at least 1"),
        ("X=", "X  dotenv://.env  invalid: is empty"),
    ],
)
def test_a_setting_that_is_missing_or_does_not_fit(project: Project, canary: str, line: str, expected: str) -> None:
    project.manifest(SOURCE, env=f"TOKEN={canary}\n{line}\n")
    refused(project, 65, "error: 1 of 2 settings could not be resolved for app", expected, canary=canary)


MANIFESTS: list[tuple[str, str]] = [
    ("[settings]\nX = { tpye = 'int' }", "confsvc.toml:2: unknown key `tpye` (did you mean `type`?)"),
    ("[settings]\nX = { type = 'integer' }", "confsvc.toml:2: `integer` is not a type"),
    ("[settings\nX = {}", "is not TOML"),
    ("[environments.a]\nsources = ['dotenvv://x']", "confsvc.toml:2: bad reference `dotenvv://x`"),
    ("[environments.a]\nextends = 'a'", "confsvc.toml:2: `extends` goes round in a circle: `a` → `a`"),
    ("[settings]\nA = {}\n[environments.a.values]\nA = '${A}'", "confsvc.toml:4: values need each other"),
    (
        "[backends.vault]\nauth = { method = 'token', token = 'cnry-9f2b7c41d8' }",
        "confsvc.toml:2: `token` cannot stand in the manifest",
    ),
    ("[settings]\nA = { type = 'int', default = 'cnry-9f2b7c41d8' }", "the default of `A` is not an integer"),
    ("[environments.a]\nsources = ['vault://secret/../x']", "`.` and `..` cannot be segments of a remote path"),
]


@pytest.mark.parametrize(("text", "expected"), MANIFESTS)
def test_a_wrong_manifest(project: Project, canary: str, text: str, expected: str) -> None:
    project.manifest(text + "\n")
    refused(project, 78, expected, canary=canary)


def test_an_unknown_environment(project: Project, canary: str) -> None:
    project.manifest(SOURCE, env=f"TOKEN={canary}\nX=1\n")
    refused(project, 78, "unknown environment `ap` (did you mean `app`?)", canary=canary, argv=("exec", "-e", "ap"))


def test_no_manifest_at_all(project: Project, canary: str) -> None:
    refused(project, 78, "no confsvc.toml here or above", "confsvc init", canary=canary)


def test_a_backend_that_is_not_installed(project: Project, canary: str) -> None:
    project.manifest('[settings]\nX = {}\n[environments.a]\nsources = ["gcp-sm://p/?prefix=a"]\n')
    refused(project, 78, "the adapter `gcp-sm` is not installed", "confsvc[gcp]", canary=canary)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_nul(path: Path) -> None:
    path.write_bytes(b"TOKEN=cnry-9f2b7c41d8\nX=1\0\n")


def make_latin1(path: Path) -> None:
    path.write_bytes(b"TOKEN=cnry-9f2b7c41d8\nX=\xe9\n")


def make_large(path: Path) -> None:
    path.write_bytes(b"TOKEN=cnry-9f2b7c41d8\n" + b"#" * (4 * 1024 * 1024))


FILES: list[tuple[Callable[[Path], None], str]] = [
    (make_folder, "malformed: it is a folder, not a file"),
    (make_fifo, "malformed: it is not a regular file"),
    (make_nul, "malformed: line 2 holds a NUL byte"),
    (make_latin1, "malformed: line 2 is not UTF-8"),
    (make_large, "malformed: it is larger than 4 MiB"),
]


@pytest.mark.parametrize(("make", "expected"), FILES)
def test_a_source_that_cannot_be_used(
    project: Project, canary: str, make: Callable[[Path], None], expected: str
) -> None:
    project.manifest(SOURCE)
    make(project.folder / ".env")
    refused(project, 65, "error: 2 of 2 settings", expected, canary=canary)


def test_a_source_that_does_not_exist(project: Project, canary: str) -> None:
    project.manifest(SOURCE)
    refused(project, 65, "confsvc.toml:5  dotenv://.env  not found: no such file", "optional = true", canary=canary)


def test_a_file_that_may_not_be_read(project: Project, canary: str) -> None:
    """Root reads everything, so as root this is run as somebody else."""
    project.manifest(SOURCE, env=f"TOKEN={canary}\nX=1\n")
    (project.folder / ".env").chmod(0)
    command = [CONFSVC, "exec", "-f", "confsvc.toml", "--", "touch", "started"]
    if os.geteuid() == 0:
        if not reachable(project.folder, Path(CONFSVC)):
            pytest.skip("another user cannot reach this checkout")
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    done = subprocess.run(command, cwd=project.folder, env=project.environ, capture_output=True, check=False)
    assert done.returncode == 77, done.stderr
    assert b"denied: this user may not read it" in done.stderr


def reachable(*paths: Path) -> bool:
    """Whether any user may get to `paths`; opens the test's own folders, which pytest makes private."""
    own = paths[0]
    for folder in (own, own.parent, own.parent.parent, own.parent.parent.parent):
        if folder.owner() == Path(own).owner() and "pytest" in str(folder):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    probe = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(paths[1]), "--version"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


def test_odd_lines_and_double_keys_are_one_warning_each(project: Project) -> None:
    project.manifest(SOURCE, env="TOKEN=t\nnot a line\nX=1\nX=2\n")
    done = project.run("exec", "--", "sh", "-c", "echo $X")
    assert (done.status, done.out) == (0, "2\n")
    assert done.err == (
        "warning: dotenv://.env: line 2 cannot be read and is skipped\n"
        "warning: dotenv://.env: line 4 sets `X` again, after line 3; the last one wins\n"
    )
    assert project.run("exec", "-q", "--", "true").err == ""


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfTOKEN=t\nX=1\n", b"TOKEN=t\r\nX=1\r\n"])
def test_marks_and_line_ends_of_windows_are_understood(project: Project, content: bytes) -> None:
    project.manifest(SOURCE, env=content)
    done = project.run("exec", "--", "sh", "-c", 'printf "%s|" "$TOKEN" "$X"')
    assert (done.out, done.err) == ("t|1|", "")


def test_fields_that_collide(project: Project, canary: str) -> None:
    project.manifest(HEAD + 'sources = ["dir://secrets/"]\n')
    project.write({"secrets/to.ken": canary, "secrets/to-ken": canary, "secrets/x": "1"})
    text = (project.folder / "confsvc.toml").read_text().replace("TOKEN", "TO_KEN")
    project.manifest(text)
    refused(project, 65, "the fields `to-ken` and `to.ken` both become `TO_KEN`", canary=canary)


def test_the_longest_variable_that_fits_and_one_byte_more(project: Project) -> None:
    project.manifest("[settings]\nLONG = {}\n[environments.app.values]\nLONG = '${file://long}'\n")
    fits = 131_071 - len("LONG=")
    project.write({"long": "x" * fits})
    done = project.run("exec", "--", "sh", "-c", "printenv LONG | wc -c")
    assert (done.status, done.out.strip()) == (0, str(fits + 1))
    project.write({"long": "x" * (fits + 1)})
    done = project.run("exec", "--", "touch", "started")
    assert done.status == 65
    assert "LONG  file://long  invalid: too large for an environment variable" in done.err
    assert not project.started()


def test_an_environment_that_is_too_large_in_all(project: Project) -> None:
    names = [f"PART_{number}" for number in range(30)]
    declared = "".join(f"[settings.{name}]\n" for name in names)
    project.manifest(
        declared + '[environments.a]\nsources = ["dotenv://.env"]\n',
        env="".join(f"{name}={'x' * 120_000}\n" for name in names),
    )
    done = project.run("exec", "--", "touch", "started")
    assert done.status == 65
    assert "the environment is too large" in done.err
    assert not project.started()


def test_a_nul_byte_cannot_be_in_the_environment(project: Project, canary: str) -> None:
    project.manifest("[settings]\nX = {}\n[environments.app.values]\nX = '${file://nul}'\n")
    project.write({"nul": f"{canary}\0"})
    refused(project, 65, "X  file://nul  invalid: it holds a NUL byte", canary=canary)


@pytest.mark.parametrize(
    ("name", "content", "mode", "status", "expected"),
    [
        ("./missing", None, 0, 127, "command not found: `./missing`: no such file"),
        ("./plain", "x", 0o644, 126, "cannot run `./plain`: it is not executable"),
        ("./folder", "", None, 126, "cannot run `./folder`: it is a folder"),
        ("./script", "#!/no/such/interpreter\n", 0o755, 127, "its interpreter `/no/such/interpreter` is missing"),
        ("./data", "\x7fnot a program", 0o755, 126, "cannot run `./data`: exec format error"),
        ("", None, 0, 127, "the command is empty"),
    ],
)
def test_commands_that_cannot_be_run(
    project: Project, name: str, content: str | None, mode: int | None, status: int, expected: str
) -> None:
    project.manifest(SOURCE, env="TOKEN=t\nX=1\n")
    path = project.folder / name
    if mode is None:
        path.mkdir()
    elif content is not None:
        path.write_text(content)
        path.chmod(mode)
    done = project.run("exec", "--", name)
    assert (done.status, expected in done.err) == (status, True), done.err


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("exec", "true"), "`--` must stand before the command `true`"),
        (("exec",), "the command is missing"),
        (("exec", "--"), "nothing follows the `--`"),
        (("exec", "--prsitine", "--", "true"), "unknown option `--prsitine` (did you mean `--pristine`?)"),
        (("exec", "--set", "X", "--", "true"), "--set takes NAME=VALUE"),
        (("exec", "--set", "Y=1", "--", "true"), "no setting is called `Y`"),
        (("exec", "--only", "TOKN", "--", "true"), "no setting is called `TOKN` (did you mean `TOKEN`?)"),
        (("exec", "--timeout", "soon", "--", "true"), "--timeout takes a duration such as 30s, not `soon`"),
        (("exec", "--timeout", "0", "--", "true"), "--timeout takes a duration"),
        (("exec", "-e"), "expected one argument"),
        (("exce", "--", "true"), "unknown command `exce` (did you mean `exec`?)"),
        (("--nope",), "unknown option `--nope`"),
        (("exec", "--source", "dotenv://a", "-f", "b", "--", "true"), "exclude each other"),
        (("check", "--all", "-e", "x"), "--all and --env exclude each other"),
        (("get",), "the following arguments are required: NAME"),
        (("export",), "the following arguments are required: --format"),
        (("export", "--format", "xml"), "invalid choice"),
    ],
)
def test_bad_command_lines(project: Project, argv: tuple[str, ...], expected: str) -> None:
    project.manifest(SOURCE, env="TOKEN=t\nX=1\n")
    done = project.run(*argv)
    assert done.status == 64, done.err
    assert expected in done.err
    assert done.err.startswith("error: ")


def test_closed_output_is_told(project: Project) -> None:
    project.manifest(SOURCE, env="TOKEN=t\nX=1\n")
    for command in ("get X", "export --format json", "check"):
        done = project.shell(f"confsvc {command} >&-")
        assert (done.status, "stdout is closed" in done.err) == (73, True)


def test_a_full_disk_is_told(project: Project) -> None:
    project.manifest(SOURCE, env="TOKEN=t\nX=1\n")
    done = project.shell("confsvc get X > /dev/full")
    assert (done.status, "no space left on device" in done.err) == (73, True)


def test_a_closed_pipe_is_no_error(project: Project) -> None:
    project.manifest(SOURCE, env=f"TOKEN={'t' * 100_000}\nX=1\n")
    done = project.shell("confsvc export --format json | head -c 1")
    assert (done.status, done.out, done.err) == (0, "{", "")


def test_a_bug_is_told_without_a_traceback(project: Project, canary: str) -> None:
    site = project.folder / "site"
    (site / "broken-1.dist-info").mkdir(parents=True)
    (site / "broken-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (site / "broken-1.dist-info" / "entry_points.txt").write_text("[confsvc.adapters]\nbroken = broken:Broken\n")
    (site / "broken.py").write_text(
        "class Broken:\n    options = {}\n    parameters = frozenset()\n    local = False\n    keeps_names = False\n"
        "    def __init__(self, backend): pass\n"
        f"    def fetch(self, references, *, deadline):\n        raise RuntimeError({canary!r})\n"
    )
    project.manifest('[settings]\nA = {}\n[environments.a]\nsources = ["broken://x"]\n')
    project.environ["PYTHONPATH"] = str(site)
    refused(project, 70, "the adapter Broken failed with RuntimeError", canary=canary)


def test_a_working_folder_that_is_gone(project: Project) -> None:
    done = project.shell("mkdir gone && cd gone && rmdir ../gone && confsvc check")
    assert (done.status, "the working folder is gone" in done.err) == (78, True)
