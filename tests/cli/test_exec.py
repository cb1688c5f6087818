"""`confsvc exec`: the child is the process, and gets exactly what it should."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from running import CONFSVC, Project
from supervised import until

MANIFEST = """
[settings]
GREETING = {}
PORT = { type = "int", default = 8080 }
MAYBE = { required = false }
[environments.development]
sources = ["dotenv://.env"]
"""

SHOW = "import os, sys; sys.stdout.write('\\0'.join(f'{k}={v}' for k, v in os.environ.items()))"


@pytest.fixture
def shop(project: Project) -> Project:
    """A project with one environment."""
    project.manifest(MANIFEST, env="GREETING=hello\n")
    return project


def environment_of(project: Project, *options: str, env: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment that a child of `confsvc exec` has."""
    done = project.run("exec", *options, "--", "/usr/bin/env", "-0", env=env)
    assert done.status == 0, done.err
    return dict(entry.split("=", 1) for entry in done.out.rstrip("\0").split("\0"))


def test_the_child_has_the_parents_environment_and_the_settings(shop: Project) -> None:
    found = environment_of(shop, env={"OTHER": "kept", "LANG": "C"})
    assert found == {
        **shop.environ,
        "OTHER": "kept",
        "LANG": "C",
        "GREETING": "hello",
        "PORT": "8080",
        "CONFSVC_ENV": "development",
        "CONFSVC_FILE": str(shop.folder / "confsvc.toml"),
    }


def test_run_is_an_alias(shop: Project) -> None:
    assert shop.run("run", "--", "sh", "-c", "echo $GREETING").out == "hello\n"


def test_bootstrap_credentials_do_not_reach_the_child(shop: Project) -> None:
    credentials = {"VAULT_TOKEN": "x", "BAO_TOKEN": "x", "VAULT_SECRET_ID": "x", "CONFSVC_OTHER": "x"}
    assert not credentials.keys() & environment_of(shop, env=credentials).keys()
    assert environment_of(shop, "--keep", "VAULT_TOKEN", env=credentials)["VAULT_TOKEN"] == "x"


def test_what_a_backend_reads_credentials_from_does_not_reach_the_child(project: Project) -> None:
    text = '[backends.vault]\nauth = { method = "approle", secret_id = { env = "MY_SECRET" } }\n' + MANIFEST
    project.manifest(text, env="GREETING=x")
    assert "MY_SECRET" not in environment_of(project, env={"MY_SECRET": "x"})


def test_pristine_leaves_the_rest_out(shop: Project) -> None:
    found = environment_of(shop, "--pristine", "--keep", "OTHER", env={"OTHER": "1", "NOISE": "1", "HOME": "/"})
    assert set(found) == {"PATH", "HOME", "OTHER", "GREETING", "PORT", "CONFSVC_ENV", "CONFSVC_FILE"}


def test_the_process_environment_wins_unless_override(shop: Project) -> None:
    assert environment_of(shop, env={"GREETING": "mine"})["GREETING"] == "mine"
    assert environment_of(shop, "--override", env={"GREETING": "mine"})["GREETING"] == "hello"
    assert "MAYBE" not in environment_of(shop, "--override", env={"MAYBE": "stale"})


def test_set_decides_and_only_narrows(shop: Project) -> None:
    assert environment_of(shop, "--set", "GREETING=a=b")["GREETING"] == "a=b"
    assert "PORT" not in environment_of(shop, "--only", "GREETING")


def test_a_source_needs_no_manifest(project: Project) -> None:
    project.write({"my.env": "A=1\nexport B='x y'\n"})
    found = environment_of(project, "--source", "dotenv://my.env", env={"A": "mine"})
    assert (found["A"], found["B"]) == ("1", "x y")
    assert not {"CONFSVC_ENV", "CONFSVC_FILE"} & found.keys()


def test_a_model_can_be_the_schema(project: Project) -> None:
    project.write(
        {
            "confsvc.toml": '[environments.dev]\nsources = ["dotenv://.env"]\n',
            "shop.py": "import pydantic\nclass Settings(pydantic.BaseModel):\n    port: int\n    name: str = 'x'\n",
            ".env": "PORT=x\nUNDECLARED=1\n",
        }
    )
    assert project.run("exec", "-s", "shop:Settings", "--", "true").status == 65
    project.write({".env": "PORT=80\nUNDECLARED=1\n"})
    found = environment_of(project, "-s", "shop:Settings")
    assert (found["PORT"], found["NAME"]) == ("80", "x")
    assert "UNDECLARED" not in found


def test_confsvc_becomes_the_command(shop: Project) -> None:
    command = [CONFSVC, "exec", "--", sys.executable, "-c", "import os; print(os.getpid(), os.getppid())"]
    with subprocess.Popen(command, cwd=shop.folder, env=shop.environ, stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate(timeout=30)
    assert out.split() == [str(process.pid), str(os.getpid())]


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_the_exit_status_is_the_childs(shop: Project, status: int) -> None:
    assert shop.run("exec", "--", "sh", "-c", f"exit {status}").status == status


def test_a_signal_ends_the_child_as_it_would_alone(shop: Project) -> None:
    assert shop.run("exec", "--", "sh", "-c", "kill -TERM $$").status == -signal.SIGTERM


def test_stdin_is_the_childs(shop: Project) -> None:
    data = bytes(range(256)) * 100
    assert shop.run("exec", "--", "cat", stdin=data).raw == data


def test_arguments_are_passed_as_they_are(shop: Project) -> None:
    done = shop.run("exec", "--", "printf", "%s|", "a b", "--", "-e", "", "*")
    assert done.out == "a b|--|-e||*|"


def test_signals_that_python_ignores_have_their_defaults_back(shop: Project) -> None:
    status = shop.run("exec", "--", "grep", "SigIgn", "/proc/self/status").out
    assert int(status.split()[1], 16) & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)) == 0


def test_an_ignored_interrupt_stays_ignored(shop: Project) -> None:
    script = f"trap '' INT; exec {CONFSVC} exec -- grep SigIgn /proc/self/status"
    done = subprocess.run(["sh", "-c", script], cwd=shop.folder, env=shop.environ, capture_output=True, check=True)
    assert int(done.stdout.split()[1], 16) & 1 << (signal.SIGINT - 1)


def test_no_descriptor_leaks_into_the_child(shop: Project) -> None:
    assert shop.run("exec", "--", "ls", "/proc/self/fd").out.split() == ["0", "1", "2", "3"]  # 3 is ls's own


def test_inherited_descriptors_stay(shop: Project) -> None:
    reader, writer = os.pipe()
    command = [CONFSVC, "exec", "--", "bash", "-c", f"echo through >&{writer}"]
    subprocess.run(command, cwd=shop.folder, env=shop.environ, pass_fds=[writer], check=True)
    os.close(writer)
    with os.fdopen(reader) as stream:
        assert stream.read() == "through\n"


def test_python_adds_nothing_to_the_environment(shop: Project) -> None:
    found = environment_of(shop, env={"LC_ALL": "C"})
    assert "LC_CTYPE" not in found


def test_the_applications_modules_are_not_ours(shop: Project) -> None:
    evil = "open('hijacked', 'w').close()\n"
    shop.write({f"app/{name}.py": evil for name in ("tomllib", "dotenv", "argparse", "typing")})
    shop.write({f"{name}.py": evil for name in ("tomllib", "threading")})
    found = environment_of(shop, env={"PYTHONPATH": str(shop.folder / "app")})
    assert not (shop.folder / "hijacked").exists()
    assert found["PYTHONPATH"] == str(shop.folder / "app")


def test_bytes_survive(shop: Project) -> None:
    pem = "-----BEGIN KEY-----\nMII\n-----END KEY-----\n"
    shop.write({".env": f'GREETING="{pem}"\n'})
    assert environment_of(shop)["GREETING"] == pem
    command = [CONFSVC, "exec", "--", "printenv", "RAW"]
    environ = {**{k.encode(): v.encode() for k, v in shop.environ.items()}, b"RAW": b"\xff\xfe"}
    done = subprocess.run(command, cwd=shop.folder, env=environ, capture_output=True, check=True)
    assert done.stdout == b"\xff\xfe\n"


@pytest.mark.parametrize("close", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_stay_closed_and_nothing_breaks(shop: Project, close: str) -> None:
    script = f"{CONFSVC} exec -- touch started {close}"
    done = subprocess.run(["sh", "-c", script], cwd=shop.folder, env=shop.environ, check=False, timeout=30)
    assert done.returncode == 0
    assert shop.started()
    count = f"{CONFSVC} exec -- sh -c 'ls /proc/$$/fd > fds' <&- 2>&-"
    subprocess.run(["sh", "-c", count], cwd=shop.folder, env=shop.environ, check=True, timeout=30)
    assert not {"0", "2"} & set((shop.folder / "fds").read_text().split())


def test_path_may_be_unset(shop: Project) -> None:
    environ = {key: text for key, text in shop.environ.items() if key != "PATH"}
    command = [CONFSVC, "exec", "--", "sh", "-c", "echo $GREETING"]
    done = subprocess.run(command, cwd=shop.folder, env=environ, capture_output=True, check=True)
    assert done.stdout == b"hello\n"


def test_the_command_is_found_before_anything_is_fetched(project: Project) -> None:
    project.manifest('[settings]\nA = {}\n[environments.a]\nsources = ["dotenv://missing.env"]\n')
    done = project.run("exec", "--", "no-such-command")
    assert (done.status, done.err) == (127, "error: command not found: `no-such-command`: it is in no folder of PATH\n")


def test_a_setting_can_be_path(project: Project) -> None:
    project.manifest("[settings]\nPATH = {}\n[environments.a.values]\nPATH = '/usr/bin:/bin:/nowhere'\n")
    assert project.run("exec", "--override", "--", "sh", "-c", "echo $PATH").out == "/usr/bin:/bin:/nowhere\n"


def slow_adapter(folder: Path) -> dict[str, str]:
    """Install an adapter that never answers into a folder of its own. Returns the environment that finds it."""
    site = folder / "slow"
    (site / "slow-1.dist-info").mkdir(parents=True)
    (site / "slow-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1\n")
    (site / "slow-1.dist-info" / "entry_points.txt").write_text("[confsvc.adapters]\nslow = slow:Slow\n")
    (site / "slow.py").write_text(
        "import time\nclass Slow:\n    options = {}\n    parameters = frozenset()\n    local = False\n"
        "    keeps_names = False\n    def __init__(self, backend): pass\n"
        "    def fetch(self, references, *, deadline):\n        open('asked', 'w').close()\n        time.sleep(60)\n"
    )
    return {"PYTHONPATH": str(site)}


def test_silence_ends_at_the_deadline(project: Project) -> None:
    project.manifest('[settings]\nA = {}\n[environments.a]\nsources = ["slow://x"]\n')
    done = project.run("exec", "--timeout", "300ms", "--", "touch", "started", env=slow_adapter(project.folder))
    assert done.status == 75
    assert "A  slow://x  no answer within 0.3 s" in done.err
    assert not project.started()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_while_it_waits(project: Project, number: signal.Signals) -> None:
    project.manifest('[settings]\nA = {}\n[environments.a]\nsources = ["slow://x"]\n')
    environ = {**project.environ, **slow_adapter(project.folder)}
    command = [CONFSVC, "exec", "--", "touch", "started"]
    with subprocess.Popen(command, cwd=project.folder, env=environ, stderr=subprocess.PIPE) as process:
        until((project.folder / "asked").exists)
        process.send_signal(number)
        _, err = process.communicate(timeout=40)
    assert process.returncode == -number
    assert err == b""
    assert not project.started()


def test_names_of_the_application_are_not_ours_however_the_path_is_written(shop: Project) -> None:
    evil = "open('hijacked', 'w').close()\n"
    shop.write({f"app/{name}.py": evil for name in ("tomllib", "argparse", "threading", "dotenv")})
    for written in ("app", "./app", "app/", ":app", "nowhere:app", "../x/../" + shop.folder.name + "/app"):
        found = environment_of(shop, env={"PYTHONPATH": written})
        assert not (shop.folder / "hijacked").exists(), written
        assert found["PYTHONPATH"] == written


def test_what_is_only_in_the_python_path_is_still_found(project: Project) -> None:
    project.manifest('schema = "settings_of_mine:Settings"\n')
    project.write(
        {"lib/settings_of_mine.py": "import dataclasses\n@dataclasses.dataclass\nclass Settings:\n    a: int = 1\n"}
    )
    assert environment_of(project, env={"PYTHONPATH": "lib"})["A"] == "1"


# Whatever a variable of the environment can hold: any byte but NUL.
BYTES = st.binary(max_size=300).map(lambda data: data.replace(b"\0", b"\n"))


@given(BYTES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_every_byte_of_the_parents_environment_arrives(shop: Project, data: bytes) -> None:
    command = [CONFSVC, "exec", "--", "/usr/bin/env", "-0"]
    environ: dict[bytes, bytes] = {os.fsencode(k): os.fsencode(v) for k, v in shop.environ.items()} | {b"RAW": data}
    done = subprocess.run(command, cwd=shop.folder, env=environ, capture_output=True, check=True)
    assert b"RAW=" + data in done.stdout.split(b"\0")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=100))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_every_text_of_a_file_arrives(project: Project, text: str) -> None:
    project.manifest("[settings]\nX = {}\nY = {}\n[environments.a.values]\nX = '${file://x}'\nY = '<${file://x}>'\n")
    project.write({"x": text})
    done = project.run("exec", "--", "/usr/bin/env", "-0")
    assert done.status == 0, done.err
    assert f"X={text}".encode() in done.raw.split(b"\0")
    assert f"Y=<{text}>".encode() in done.raw.split(b"\0")


def test_every_byte_of_a_line_of_assignments_arrives(project: Project) -> None:
    text = "".join(map(chr, [*range(1, 0x250), 0x20AC, 0x1F600]))
    quoted = text.replace("\\", "\\\\").replace("'", "\\'").replace("\r", "")
    project.write({".env": f"X='{quoted}'\nPEM=\"a\nb\n\"\n"})
    done = project.run("exec", "--source", "dotenv://.env?interpolate=false", "--", "/usr/bin/env", "-0")
    assert done.status == 0, done.err
    assert f"X={text}".replace("\r", "").encode() in done.raw.split(b"\0")
    assert b"PEM=a\nb\n" in done.raw.split(b"\0")


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_the_locale_changes_no_byte(shop: Project, locale: str) -> None:
    """Also where Python would take the file system's encoding for ASCII."""
    shop.write({".env": "GREETING=grüße €\n"})
    environ = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "MAYBE": "ö", "OTHER": "ü"}
    found = environment_of(shop, env=environ)
    assert (found["GREETING"], found["MAYBE"], found["OTHER"]) == ("grüße €", "ö", "ü")
    assert environment_of(shop, "--set", "MAYBE=ß", env=environ)["MAYBE"] == "ß"


def test_a_command_in_a_folder_with_an_odd_name_is_found(shop: Project) -> None:
    shop.write({"bin-é/hello": "#!/bin/sh\necho hello\n"})
    (shop.folder / "bin-é/hello").chmod(0o755)
    for environ in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        path = f"{shop.folder}/bin-é:{shop.environ['PATH']}"
        assert shop.run("exec", "--", "hello", env={**environ, "PATH": path}).out == "hello\n"


def test_arguments_are_bytes_too(shop: Project) -> None:
    command = [os.fsencode(CONFSVC), b"exec", b"--", b"printf", b"%s", b"\xff\xc3\xa9"]
    done = subprocess.run(command, cwd=shop.folder, env=shop.environ, capture_output=True, check=True)
    assert done.stdout == b"\xff\xc3\xa9"


def test_a_value_that_is_a_document_is_compact_and_text_is_as_stored(project: Project) -> None:
    project.manifest(
        '[settings]\nA = { type = "json" }\nB = { type = "json" }\nC = { type = "bool" }\nD = { type = "int" }\n'
        'E = { type = "list[int]", default = [1, 2] }\nF = { type = "bool", default = true }\n'
        'G = { type = "duration", default = "5m" }\nH = { type = "float", default = 1.5 }\n'
        '[environments.app.values]\nA = "${file://doc#a}"\nB = "${file://doc}"\nC = "yes"\nD = " 7 "\n'
    )
    project.write({"doc": '{ "a": {"b": [1.10, "é"]} }\n'})
    found = environment_of(project)
    assert {name: found[name] for name in "ABCDEFGH"} == {
        "A": '{"b":[1.10,"é"]}',
        "B": '{ "a": {"b": [1.10, "é"]} }\n',
        "C": "yes",
        "D": " 7 ",
        "E": "[1,2]",
        "F": "true",
        "G": "5m",
        "H": "1.5",
    }


def test_an_empty_value_is_a_value_and_a_bare_key_is_none(project: Project) -> None:
    project.manifest(
        "[settings]\nA = { default = 'a' }\nB = { default = 'b' }\n[environments.dev]\nsources = ['dotenv://.env']\n",
        env="A=\nB\n",
    )
    found = environment_of(project)
    assert (found["A"], found["B"]) == ("", "b")


def test_what_is_left_of_the_process_is_the_parents(shop: Project) -> None:
    """Working folder, file mode mask, limits, priority and blocked signals are those we were started with."""
    shop.write({"show.sh": "pwd; umask; ulimit -n; nice; exec grep -E 'Sig(Blk|Ign)' /proc/self/status\n"})
    script = "umask 027; ulimit -n 77; trap '' HUP USR1; exec nice -n 3 {} bash show.sh"
    plain = shop.shell(script.format("env"))
    assert shop.shell(script.format("confsvc exec --")) == plain
    assert plain.out.splitlines()[:4] == [str(shop.folder), "0027", "77", str(min(os.nice(0) + 3, 19))]


def test_the_documents_environment_variables_name_what_was_used(project: Project) -> None:
    project.manifest("[environments.a]\n[environments.b]\n")
    (project.folder / "inner").mkdir()
    for argv, env in ((("-e", "b"), {}), ((), {"CONFSVC_ENV": "b"}), (("--env=b",), {"CONFSVC_ENV": "a"})):
        done = project.run("exec", *argv, "--", "printenv", "CONFSVC_ENV", "CONFSVC_FILE", env=env, cwd="inner")
        assert done.out == f"b\n{project.folder}/confsvc.toml\n"


def test_the_file_is_named_or_found_from_the_environment(project: Project) -> None:
    project.write({"confsvc.toml": "x = 1\n", "other/mine.toml": "[settings]\nA = { default = 'a' }\n"})
    assert project.run("exec", "-f", "other/mine.toml", "--", "printenv", "A").out == "a\n"
    assert project.run("exec", "--", "printenv", "A", env={"CONFSVC_FILE": "other/mine.toml"}).out == "a\n"
    assert project.run("--file", "other/mine.toml", "--verbose", "exec", "--", "printenv", "A").out == "a\n"


def test_verbose_says_what_is_started_and_json_says_it_as_json(shop: Project) -> None:
    assert shop.run("exec", "-v", "--", "true").err == "starting true with 2 settings\n"
    assert shop.run("exec", "-v", "--json", "--", "true").err == '{"note": "starting true with 2 settings"}\n'
    assert shop.run("exec", "--", "true").err == ""


def test_names_can_be_kept_in_one_word(shop: Project) -> None:
    credentials = {"VAULT_TOKEN": "x", "BAO_ROLE_ID": "y", "VAULT_ROLE_ID": "z"}
    found = environment_of(shop, "--keep", "VAULT_TOKEN,BAO_ROLE_ID", env=credentials)
    assert {name: found.get(name) for name in credentials} == {
        "VAULT_TOKEN": "x",
        "BAO_ROLE_ID": "y",
        "VAULT_ROLE_ID": None,
    }


def test_a_deadline_may_be_far_away(shop: Project) -> None:
    assert shop.run("exec", "--timeout", "300000w", "--", "true").status == 0
