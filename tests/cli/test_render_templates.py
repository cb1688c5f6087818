"""`confsvc render --template`: the user's templates, in a sandbox that ends."""

from pathlib import Path

import pytest

from confsvc.testing import find_leaks
from running import Project

MANIFEST = """
[settings]
PORT = { type = "int" }
DEBUG = { type = "bool", default = false }
HOSTS = { type = "list[str]", default = ["a", "b"] }
LIMITS = { type = "json", default = { cpu = 1 } }
KEY = { secret = true }
ABSENT = { required = false }
[environments.development]
sources = ["dotenv://.env"]
"""


@pytest.fixture
def shop(project: Project, canary: str) -> Project:
    """A project with settings of several kinds, one of them secret."""
    project.manifest(MANIFEST, env=f"PORT=08080\nKEY='{canary}'\n")
    return project


def rendered(shop: Project, template: str) -> str:
    """Return what ``template`` becomes."""
    (shop.folder / "app.j2").write_text(template)
    done = shop.run("render", "--to", "out", "--template", "app.j2:app.ini")
    assert (done.status, done.err) == (0, "")
    return (shop.folder / "out" / "app.ini").read_text()


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("port = {{ PORT }}\n", "port = 08080\n"),
        ("{% if DEBUG %}on{% else %}off{% endif %} {{ DEBUG }}", "off false"),
        ("{% for host in HOSTS %}{{ loop.index }}={{ host }};{% endfor %}{{ HOSTS }}", '1=a;2=b;["a","b"]'),
        ("{{ LIMITS.cpu }} {{ LIMITS }}", '1 {"cpu":1}'),
        ("{{ ABSENT is defined }} {{ ABSENT | default('none') }}", "false none"),
        (
            "{{ 'a b' | urlencode }} {{ 'a' | base64 }} {{ ' a ' | trim }} {{ \"it's\" | shell }}",
            "a%20b YQ== a 'it'\"'\"'s'",
        ),
        ("{{ HOSTS | tojson }} {{ PORT | int + 1 }} <&>", '["a","b"] 8081 <&>'),
    ],
)
def test_templates_become_files(template: str, text: str, shop: Project) -> None:
    assert rendered(shop, template) == text


def test_a_secret_arrives_and_bytes_survive(shop: Project, canary: str) -> None:
    rendered(shop, "key={{ KEY }}\r\n\r\n")
    assert (shop.folder / "out" / "app.ini").read_bytes() == f"key={canary}\r\n\r\n".encode()
    assert (shop.folder / "out" / "app.ini").stat().st_mode & 0o7777 == 0o400


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("\n{{ PROT }}", "`app.j2`, line 2: no setting is called `PROT`, or it has no value (did you mean `PORT`?)"),
        ("{{ ABSENT }}", "line 1: no setting is called `ABSENT`, or it has no value"),
        ("{{ LIMITS[KEY] }}", "line 1: it uses something that is not there"),
        ("{{ KEY.nothing }}", "line 1: it uses something that is not there"),
        ("\n\n{% if %}", "line 3: Expected an expression"),
        ("{{ KEY | nosuch }}", "No filter named 'nosuch'"),
        ("{{ ''.__class__.__mro__ }}", "it uses what a template may not"),
        ("{{ KEY.__class__ }}", "it uses what a template may not"),
        ("\n{% include '.env' %}", "line 2: a template can include and import nothing"),
        ("{% import 'os' as os %}", "line 1: a template can include and import nothing"),
        ("{% extends KEY %}", "line 1: a template can include and import nothing"),
        ("{{ open('.env') }}", "no setting is called `open`"),
        ("{{ lipsum() }}", "no setting is called `lipsum`"),
        ("{{ KEY | int / 0 }}", "it divides by zero"),
        ("{{ KEY | round }}", "line 1: a value has another type than it needs: a setting is text, `| int` a number"),
        ("{{ PORT + 1 }}", "line 1: a value has another type than it needs: a setting is text, `| int` a number"),
        ("{{ KEY | sum(start=KEY) | batch(KEY) | list }}", "a value has another type than it needs"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "it calls itself without end"),
        ("{% for _ in range(10 ** 9) %}x{% endfor %}", "a number in it is too large"),
        ("{{ 'x' * 10 ** 10 }}", "it grows too large"),
    ],
)
def test_a_template_that_cannot_be_rendered_is_told_without_a_value(
    template: str, message: str, shop: Project, canary: str
) -> None:
    assert rendered(shop, "as it was") == "as it was"
    (shop.folder / "app.j2").write_text(template)
    done = shop.run("render", "--to", "out", "--template", "app.j2:app.ini")
    assert done.status == 73
    assert message in done.err
    assert find_leaks(canary, done.out, done.err) == []
    assert (shop.folder / "out" / "app.ini").read_text() == "as it was"


def test_an_endless_loop_is_ended(shop: Project) -> None:
    many = "{% for _ in range(100000) %}" * 3 + "{% endfor %}" * 3
    (shop.folder / "app.j2").write_text(many)
    done = shop.run("render", "--to", "out", "--template", "app.j2:app.ini")
    assert done.status == 73
    assert "take too long, or grow too large" in done.err
    assert not (shop.folder / "out" / "..data").exists()


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("app.j2",), 64, "takes SRC:NAME"),
        (("none.j2:app.ini",), 64, "no such file"),
        (("binary.j2:app.ini",), 64, "not UTF-8"),
        (("app.j2:a/b",), 64, "takes SRC:NAME"),
        (("app.j2:..",), 73, "cannot be the name of a file"),
        (("app.j2:PORT",), 73, "two things want to be the file `PORT`: the setting, and a template"),
        (("app.j2:x", "app.j2:x"), 64, "two templates want to be the file `x`"),
    ],
)
def test_what_makes_no_sense_is_refused(options: tuple[str, ...], status: int, message: str, shop: Project) -> None:
    (shop.folder / "app.j2").write_text("x")
    (shop.folder / "binary.j2").write_bytes(b"\xff")
    done = shop.run("render", "--to", "out", *(word for option in options for word in ("--template", option)))
    assert done.status == status
    assert message in done.err
    assert not Path(shop.folder, "out", "..data").exists()
