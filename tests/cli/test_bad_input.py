"""Bad input gets a clear error, the right exit status, and nothing starts; a secret of the same run shows nowhere."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from running import CONFSVC, Project

# Root reads everything, so as root that privilege is given up. Only root has it, and only Linux can give it up so.
WITHOUT_PRIVILEGE = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all" if os.geteuid() == 0 else ""

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
    ("schema = 'a:B'\n[settings]\n", "confsvc.toml:1: `schema` and `[settings]` say the same thing twice"),
    ("[settings]\nA = {}\n[environments.a.values]\nA = '${B|trm}'", "unknown filter `trm` (did you mean `trim`?)"),
    ("[settings]\nA = {}\n[environments.a.values]\nA = '${file://x'", "confsvc.toml:4: `A`: a `${` is not closed"),
    ("[environments.a]\nsources = ['dotenv://{stage}.env']", "`{stage}` is not filled in"),
    ("[settings]\nA = {}\n[environments.a.values]\nA = 'vault://a/b#c'", "is a reference where a value is meant"),
    ("[settings]\nA = { default = '${vault://a/b#c}' }", "`A` is a reference where a value is meant"),
    ("[settings]\nA = { type = 'port', default = 70000 }", "the default of `A` must be at most 65535"),
    ("[settings]\nA = { type = 'int', min_length = 1 }", "`min_length` does not apply to the type `int`"),
    ("[environments.a]\nextends = 'b'\n[environments.b]\nextends = 'a'", "error: 2 problems in the manifest"),
    ("[environments.a]\nextends = 'c'\n[environments.ca]\n", "unknown environment `c` (did you mean `ca`?)"),
    ("default_environment = 'x'\n[environments.a]", "confsvc.toml:1: unknown environment `x`"),
    ("a = 1\na = 2", "is not TOML"),
    ("a = 'unclosed", "is not TOML"),
    ("a = " + "[" * 5000, "is not TOML: nested too deeply"),
    ("a = " + "1" * 5000, "is not TOML: an integer has too many digits"),
    ("#" * (1024 * 1024 + 1), "error: `confsvc.toml` is larger than 1 MiB"),
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


def test_a_backend_that_nobody_knows(project: Project, canary: str) -> None:
    project.manifest('[settings]\nX = {}\n[environments.a]\nsources = ["gcp-ms://p/?prefix=a"]\n')
    refused(project, 78, "no backend or adapter is called `gcp-ms` (did you mean `gcp-sm`?)", canary=canary)


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
    project.manifest(SOURCE, env=f"TOKEN={canary}\nX=1\n")
    (project.folder / ".env").chmod(0)
    for command, status in (("exec -- touch started", 77), ("check", 77), ("get X", 77)):
        done = project.shell(f"exec {WITHOUT_PRIVILEGE} {CONFSVC} {command}")
        assert done.status == status, done.err
        assert "dotenv://.env  denied: this user may not read it" in done.err
        assert canary not in done.out + done.err
    assert not project.started()


@pytest.mark.parametrize("mode", ["optional = true", "optional = false"])
def test_a_folder_that_may_not_be_entered(project: Project, canary: str, mode: str) -> None:
    """That a file in it may be missing does not make it missing."""
    project.manifest(HEAD + f'sources = [{{ from = "dotenv://closed/.env", {mode} }}]\n')
    project.write({"closed/.env": f"TOKEN={canary}\nX=1\n"})
    (project.folder / "closed").chmod(0)
    done = project.shell(f"exec {WITHOUT_PRIVILEGE} {CONFSVC} exec -- touch started")
    (project.folder / "closed").chmod(0o700)
    assert (done.status, "denied: this user may not read it" in done.err) == (77, True), done.err
    assert not project.started()


def test_a_manifest_that_may_not_be_read(project: Project) -> None:
    project.manifest(SOURCE)
    (project.folder / "confsvc.toml").chmod(0)
    done = project.shell(f"exec {WITHOUT_PRIVILEGE} {CONFSVC} check")
    assert (done.status, done.err) == (78, "error: `confsvc.toml` cannot be read: permission denied\n")


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
        ("./script", "#!/etc/passwd -x\n", 0o755, 126, "its interpreter `/etc/passwd` is not executable"),
        ("./script", "#! /\n", 0o755, 126, "its interpreter `/` is not executable"),
        ("folder/in", None, 0, 127, "command not found: `folder/in`: no such file"),
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
        (("check", "--json=x"), "--json takes no value"),
        (("check", "--quiet=x"), "--quiet takes no value"),
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


def test_a_manifest_that_is_not_utf8(project: Project, canary: str) -> None:
    project.write({"confsvc.toml": b"project = '\xff'\n"})
    refused(project, 78, "error: `confsvc.toml` is not UTF-8", canary=canary)


def test_a_folder_in_the_manifests_place(project: Project, canary: str) -> None:
    """What a container runtime makes where the file to mount is missing."""
    (project.folder / "confsvc.toml").mkdir()
    refused(project, 78, "error: `confsvc.toml` cannot be read: is a directory", canary=canary)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_manifest_of_another_user(project: Project, canary: str) -> None:
    project.manifest(SOURCE, env=f"TOKEN={canary}\nX=1\n")
    os.chown(project.folder / "confsvc.toml", 12345, 12345)
    refused(project, 78, "belongs to another user (uid 12345)", "if you trust it, name it: -f ", canary=canary)
    assert project.run("exec", "-f", "confsvc.toml", "--", "true").status == 0


@pytest.mark.parametrize("text", ["[tool.confsvc]\nproject = [\n", "[tool.confsvc.settings]\nA = 5\n"])
def test_a_pyproject_that_is_wrong_is_not_passed_over(project: Project, canary: str, text: str) -> None:
    project.write({"confsvc.toml": "", "inner/pyproject.toml": text})
    done = project.run("exec", "--", "touch", "started", cwd="inner")
    assert (done.status, "pyproject.toml" in done.err) == (78, True), done.err
    assert canary not in done.err


@pytest.mark.parametrize("text", ["tool = 5\n", "[tool]\nconfsvc = 5\n", "[tool.other]\n", ""])
def test_a_pyproject_without_our_table_that_is_named(project: Project, text: str) -> None:
    project.write({"pyproject.toml": text})
    done = project.run("check", "-f", "pyproject.toml")
    assert (done.status, done.err) == (78, "error: `pyproject.toml` has no table [tool.confsvc]\n")


@pytest.mark.parametrize("options", [("--set", "X={}"), ()])
@pytest.mark.parametrize("text", ["vault://secret/db#password", "${vault://secret/db#password}"])
def test_a_reference_is_nobodys_value(project: Project, canary: str, text: str, options: tuple[str, ...]) -> None:
    project.manifest(SOURCE.replace('"int", ge = 1', '"str"'), env=f"TOKEN={canary}\n")
    argv = [option.format(text) for option in options]
    project.environ |= {} if options else {"X": text}
    err = refused(project, 65, "a reference that was not resolved", canary=canary, argv=("exec", *argv))
    assert text not in err


def test_a_value_that_is_invalid_where_it_was_given(project: Project, canary: str) -> None:
    """Whatever layer it is in, it is not repeated."""
    project.manifest(SOURCE, env="TOKEN=t\n")
    refused(project, 65, "X  --set  invalid: is not an integer", canary=canary, argv=("exec", "--set", f"X={canary}"))
    project.environ["X"] = canary
    refused(project, 65, "X  env://X  invalid: is not an integer", canary=canary)
    del project.environ["X"]
    project.manifest(SOURCE + f'values = {{ X = "{canary}" }}\n', env="TOKEN=t\n")
    refused(project, 65, "X  values  invalid: is not an integer", canary=canary)


@pytest.mark.parametrize(
    "argv",
    [
        ("check", "--set", "TOKEN", "{}"),
        ("check", "--set-token={}"),
        ("check", "--set", "={}"),
        ("exec", "--st=X={}", "--", "true"),
        ("exec", "--source=dotenv://.env", "{}", "--", "true"),
        ("exec", "--override={}", "--", "true"),
        ("set", "TOKEN", "--raw={}"),
    ],
)
def test_a_wrong_command_line_does_not_repeat_what_could_be_a_value(
    project: Project, canary: str, argv: tuple[str, ...]
) -> None:
    project.manifest(SOURCE, env="TOKEN=t\nX=1\n")
    done = project.run(*(word.format(canary) for word in argv))
    assert done.status == 64
    assert canary not in done.err


@pytest.mark.parametrize("option", ["-e", "-f", "--only"])
def test_a_variable_of_the_shell_that_is_empty_names_nothing(project: Project, option: str) -> None:
    project.manifest(SOURCE, env="TOKEN=t\nX=1\n")
    done = project.run("exec", option, "", "--", "touch", "started")
    assert (done.status, done.err) == (64, f"error: {option} names nothing\n")
    assert not project.started()


def test_with_no_schema_what_is_asked_for_must_be_there(project: Project, canary: str) -> None:
    project.write({".env": f"TOKEN={canary}\n"})
    argv = ("exec", "--source", "dotenv://.env", "--only", "TOKEN,TOKNE")
    refused(project, 65, "TOKNE  missing: it is not in `dotenv://.env`", canary=canary, argv=argv)


@pytest.mark.parametrize("name", ["LD_PRELOAD", "BASH_ENV", "PYTHONPATH"])
def test_names_that_run_code_do_not_come_from_a_store(project: Project, canary: str, name: str) -> None:
    project.manifest(f'extra = "inject"\n{HEAD}sources = ["dir://store/"]\n')
    project.write({"store/TOKEN": canary, "store/X": "1", f"store/{name.lower()}": "evil.so"})
    refused(project, 65, name, "it would change how programs load code", canary=canary)


def test_check_all_without_environments_checks_what_there_is(project: Project) -> None:
    project.manifest("[settings]\nA = {}\n")
    done = project.run("check", "--all")
    assert (done.status, "A  missing: no layer has it" in done.err) == (1, True)


def test_names_from_a_store_stay_on_their_line(project: Project) -> None:
    project.manifest("[settings]\nA = {}\n[environments.a.values]\nA = '${file://doc#fiel}'\n")
    project.write({"doc": '{"field\\nerror: forged\\u001b[31m": 1}'})
    done = project.run("check")
    assert done.status == 1
    assert not [line for line in done.err.splitlines() if line.startswith("error: forged")]
    assert "\x1b" not in done.err


@pytest.mark.parametrize("text", ["[" * 600 + "]" * 600, '{"a": "\\ud800"}', '{"a": 1, "a": 2}', "{", "NaN"])
def test_json_that_is_none(project: Project, canary: str, text: str) -> None:
    project.manifest(
        '[settings]\nTOKEN = { secret = true }\nX = { type = "json" }\n[environments.app.values]\n'
        'TOKEN = "${file://token}"\nX = "${file://doc}"\n'
    )
    project.write({"token": canary, "doc": text})
    refused(project, 65, "X  file://doc  invalid: is", "JSON", canary=canary)


def test_errors_go_where_nobody_reads(project: Project) -> None:
    """The exit status still speaks."""
    project.manifest(SOURCE, env="TOKEN=t\n")
    done = project.shell("{ confsvc check; echo $? > status; } 2>&1 >/dev/null | true")
    assert (done.out, done.err) == ("", "")
    assert (project.folder / "status").read_text() == "1\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_help_is_written_whatever_the_encoding(project: Project, encoding: str) -> None:
    plain = project.run("exec", "--help")
    assert project.run("exec", "--help", env={"PYTHONIOENCODING": encoding}) == plain
    assert project.shell("confsvc exec --help | true").err == ""
