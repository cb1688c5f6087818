"""``confsvc init``: a manifest from the `.env` that is already there."""

import json
import os
import re
from collections.abc import Sequence

from confsvc.cli import output
from confsvc.cli.options import Parser
from confsvc.diagnosis import git_state
from confsvc.discovery import FILE, read_limited
from confsvc.errors import NotFound, OutputError
from confsvc.inference import infer, read_assignments
from confsvc.inject.environment import parent_environment
from confsvc.inject.files import write_file
from confsvc.setting import Setting

__all__ = ["main", "parser", "render_manifest"]

_CANDIDATES = (".env", ".env.example", ".env.sample", ".env.template", ".env.dist")


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "init",
        "Write a manifest from an existing .env or .env.example: guesses types, marks likely secrets, and keeps the\n"
        "comments as descriptions. No value is copied: the .env stays the source.",
        "[FILE] [--to MANIFEST] [--project NAME] [--force] [--print]",
    )
    made.add_argument("env_file", metavar="FILE", nargs="?", help="else the first of: " + ", ".join(_CANDIDATES))
    made.add_argument("--to", metavar="MANIFEST", default=FILE, help=f"what to write, default {FILE}")
    made.add_argument("--project", metavar="NAME", help="the project's name; else the folder's")
    made.add_argument("--force", action="store_true", help="replace a manifest that is there")
    made.add_argument("--print", action="store_true", help="print it instead")
    return made


def main(argv: list[str]) -> int:
    """Write the manifest."""
    args = parser().parse_args(argv)
    file = args.env_file or next((name for name in _CANDIDATES if os.path.isfile(name)), "")
    if args.env_file and not os.path.isfile(file):
        raise NotFound(f"there is no file `{file}`", hint="confsvc init [FILE]")
    if os.path.lexists(args.to) and not (args.force or args.print):
        raise OutputError(f"`{args.to}` is there already", hint="--force replaces it, --print only shows")
    settings = _read(file) if file else []
    project = _project(args.project)
    text = render_manifest(project, settings, _source(file, os.path.dirname(os.path.abspath(args.to))))
    if args.print:
        output.write(text)
        return 0
    write_file(args.to, text.encode(), mode=0o644)  # it holds no secret, and is committed
    _warn_of_git(file, settings)
    _tell(args.to, file, settings)
    return 0


def _read(file: str) -> list[Setting]:
    environ = {"PATH": parent_environment().get("PATH", "")}
    settings = []
    for assignment in read_assignments(read_limited(file), environ):
        setting = infer(assignment)
        if setting is None:
            output.warn(f"`{assignment.name}` cannot be the name of a setting and is left out")
        else:
            settings.append(setting)
    return settings


def _source(file: str, folder: str) -> str:
    """Return the file that the manifest reads: the real one where only an example was found, as people copy it."""
    if not file:
        return ".env"
    example = re.fullmatch(r"(.*\.env)\.(?:example|sample|template|dist)", file)
    real = example[1] if example else file
    return os.path.relpath(real, folder)


def _project(name: str | None) -> str:
    text = name or os.path.basename(os.getcwd())
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-._") or "app"


def render_manifest(project: str, settings: Sequence[Setting], source: str) -> str:
    """Return the text of a manifest that declares ``settings`` and reads the `.env` file ``source``."""
    from confsvc.reference import Reference

    lines = [
        "# Which settings there are, and where each environment finds them. It holds no secret: commit it.",
        f"project = {_toml(project)}",
        'default_environment = "development"',
        "",
        "[settings]",
    ]
    lines += [_declaration(setting) for setting in settings]
    if not settings:
        lines.append('# DATABASE_URL = { type = "url", secret = true, description = "…" }')
    reference = str(Reference("dotenv", source))
    lines += ["", "[environments.development]", f"sources = [{_toml(reference)}]", ""]
    return "\n".join(lines)


def _declaration(setting: Setting) -> str:
    parts = [f"type = {_toml(str(setting.type))}"]
    if setting.secret:
        parts.append("secret = true")
    if not setting.required:
        parts.append("required = false")
    if setting.description:
        parts.append(f"description = {_toml(setting.description)}")
    return f"{setting.name} = {{ {', '.join(parts)} }}"


def _toml(text: str) -> str:
    """Return a TOML basic string, which escapes as JSON does, and DEL besides."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _tell(manifest: str, file: str, settings: Sequence[Setting]) -> None:
    secrets = sum(setting.secret for setting in settings)
    if output.is_json():
        names = [{"name": s.name, "type": str(s.type), "secret": s.secret, "required": s.required} for s in settings]
        output.write_json({"manifest": manifest, "from": file, "settings": names})
        return
    counted = f"{output.count(len(settings), 'setting')}, {secrets} of them secret"
    origin = f" from `{file}`: {counted}" if file else ", a first one to fill in"
    output.write(f"wrote `{manifest}`{origin}\nlook it over, then: confsvc check\n")


def _warn_of_git(file: str, settings: Sequence[Setting]) -> None:
    """Warn where a real `.env` with secrets is in Git, or could get there."""
    if not file or file.endswith((".example", ".sample", ".template", ".dist")) or not any(s.secret for s in settings):
        return
    state = git_state(file)
    if state == "tracked":
        output.warn(f"`{file}` holds secrets and is tracked by Git: `git rm --cached {file}`, and change the secrets")
    elif state == "open":
        output.warn(
            f"`{file}` holds secrets and Git does not ignore it: add the line `{os.path.basename(file)}` to .gitignore"
        )
