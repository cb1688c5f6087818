"""Completion as the shells do it: the script is sourced, and asked. zsh only lends bash's words, fish is its own."""

import shutil

import pytest

from running import Project

MANIFEST = """
[settings]
A = { required = false }
[environments.development]
[environments.production]
"""


@pytest.fixture
def app(project: Project) -> Project:
    """A project with two environments."""
    project.manifest(MANIFEST)
    return project


def bash(project: Project, *words: str) -> list[str]:
    """Return what bash offers for the last of `words`, one a line, as it would be inserted."""
    line = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    done = project.shell(
        f"set -u; source <(confsvc completion bash); COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _confsvc; "
        'for word in ${COMPREPLY[@]+"${COMPREPLY[@]}"}; do printf "%s\\n" "$word"; done'
    )
    assert (done.status, done.err) == (0, "")
    return done.out.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("exp",), ["explain", "export"]),
        (("exec", "-e", ""), ["development", "production"]),
        (("exec", "--env", "=", ""), ["development", "production"]),
        (("exec", "--env", "=", "p"), ["production"]),
        (("exec", "--env", "="), ["development", "production"]),
        (("-e", "d"), ["development"]),
        (("-e", "check", "ge"), ["get"]),
        (("export", "--format", "k8s"), ["k8s-secret", "k8s-configmap"]),
        (("exec", "--set", ""), []),
        (("completion", "z"), ["zsh"]),
        (("check", "-e", "production", "--ov"), ["--override"]),
        (("check", "--format", ""), ["junit", "sarif", "github"]),
        (("diff", "development", "prod"), ["production"]),
    ],
)
def test_bash_offers_what_fits(app: Project, words: tuple[str, ...], expected: list[str]) -> None:
    assert bash(app, "confsvc", *words) == expected


def test_bash_offers_the_environments_of_the_file_that_is_named(app: Project) -> None:
    app.write({"sub/other.toml": MANIFEST.replace("production", "staging")})
    for option in (("-f", "sub/other.toml"), ("--file", "=", "sub/other.toml")):
        assert bash(app, "confsvc", "exec", *option, "-e", "") == ["development", "staging"]
    assert bash(app, "confsvc", "exec", "-f", "sub/missing.toml", "-e", "") == []


def test_bash_offers_files_as_they_are_called(app: Project) -> None:
    app.write({"with space.toml": "", "$(touch ran).toml": ""})
    assert bash(app, "confsvc", "check", "-f", "w") == ["with space.toml"]
    assert bash(app, "confsvc", "check", "-f", "$") == ["$(touch ran).toml"]
    assert bash(app, "confsvc", "init", "conf") == ["confsvc.toml"]
    assert bash(app, "confsvc", "compat", "conf") == ["confsvc.toml"]
    assert not (app.folder / "ran").exists()


def test_bash_completes_a_command_of_its_own_behind_two_dashes(app: Project) -> None:
    assert "true" in bash(app, "confsvc", "exec", "-e", "production", "--", "tru")
    assert bash(app, "confsvc", "exec", "--", "cat", "conf") == ["confsvc.toml"]
    assert bash(app, "confsvc", "exec", "--", "cat", "--ov") == []


def test_bash_offers_what_k8s_can_print(app: Project) -> None:
    assert bash(app, "confsvc", "k8s", "ext") == ["external-secret"]
    assert bash(app, "confsvc", "k8s", "external-secret", "--store-kind", "C") == ["ClusterSecretStore"]


def test_environments_are_read_without_running_the_schema(project: Project) -> None:
    project.write(
        {
            "models.py": "open('ran', 'w')",
            "confsvc.toml": 'schema = "models:M"\n[environments.one]\n',
        }
    )
    assert project.run("completion", "environments").out == "one\n"
    assert not (project.folder / "ran").exists()


def test_a_wrong_manifest_completes_nothing_and_says_nothing(project: Project) -> None:
    project.manifest("[environments.'$(touch${IFS}ran)']\n[settings\n")
    done = project.run("completion", "environments")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert bash(project, "confsvc", "exec", "-e", "") == []


def test_an_unknown_shell_is_refused(project: Project) -> None:
    done = project.run("completion", "tcsh")
    assert (done.status, done.out) == (64, "")


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed: apt-get install zsh")
def test_zsh_takes_the_script(project: Project) -> None:
    script = "autoload -U compinit && compinit -u -D; source <(confsvc completion zsh); print -r -- ${_comps[confsvc]}"
    done = project.shell(f"zsh -f -c '{script}'")
    assert (done.status, done.out, done.err) == (0, "_bash_complete -F _confsvc\n", "")


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed: apt-get install fish")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("confsvc exp", ["explain", "export"]),
        ("confsvc exec -e ", ["development", "production"]),
        ("confsvc -e p", ["production"]),
        ("confsvc exec -f sub/other.toml -e s", ["staging"]),
        ("confsvc export --format k8s", ["k8s-configmap", "k8s-secret"]),
        ("confsvc k8s ext", ["external-secret"]),
        ("confsvc exec --set ", []),
        ("confsvc check -f conf", ["confsvc.toml"]),
        ("confsvc exec -- ls conf", ["confsvc.toml"]),
    ],
)
def test_fish_offers_what_fits(app: Project, line: str, expected: list[str]) -> None:
    app.write({"sub/other.toml": MANIFEST.replace("production", "staging")})
    done = app.shell(
        f"fish --no-config -c \"confsvc completion fish | source; complete -C '{line}'\"", {"HOME": str(app.folder)}
    )
    assert (done.status, done.err) == (0, "")
    assert [offer.split("\t")[0] for offer in done.out.splitlines()] == expected
