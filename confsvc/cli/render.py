"""``confsvc render``: a file for each setting, for programs and containers that read files."""

import argparse
import re
from collections.abc import Sequence

from confsvc.cli import output
from confsvc.cli.options import Parser, request_of, resolve
from confsvc.errors import OutputError, UsageError
from confsvc.inject.formats import FORMATS
from confsvc.inject.rendering import Manner, render, wipe
from confsvc.resolution import Resolution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from confsvc.inject.templates import Template

__all__ = ["main", "parser"]

_NAMES = {"dotenv": ".env", "shell": "env.sh", "json": "settings.json"}
# Options that mean nothing where nobody stays.
_STAYING = ("debounce", "min_interval", "splay", "health_address")


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "render",
        "Write every setting into a file of its name in DIR, with its exact bytes. All files change at once, as those\n"
        "of a mounted Kubernetes Secret do.",
        "--to DIR [-e ENV] [-f FILE] [options]",
    )
    made.add_argument("--to", metavar="DIR", required=True, help="the folder; it is made where it is not there")
    made.add_argument(
        "--format",
        metavar="FORMAT",
        action="append",
        choices=["files", *_NAMES],
        help="files (default), dotenv (.env), shell (env.sh) or json (settings.json); repeatable",
    )
    made.add_argument(
        "--mode", metavar="MODE", default="0400", help="of the files, in octal; the folder follows (0400)"
    )
    made.add_argument("--owner", metavar="UID:GID", help="of the files, by number or name")
    made.add_argument(
        "--template",
        metavar="SRC:NAME",
        action="append",
        default=[],
        help="the Jinja2 template SRC becomes the file NAME; repeatable",
    )
    made.add_argument("--wipe", action="store_true", help="remove what was rendered into DIR")
    made.resolve_options()
    made.lock_options()
    made.pace_options("--watch", "stay, look every INTERVAL (30s), and keep the files fresh")
    staying = made.add_argument_group("staying")
    staying.add_argument("--health-address", metavar="HOST:PORT", help="answer /healthz and /readyz there")
    return made


def main(argv: list[str]) -> int:
    """Render once, or stay and keep the files fresh."""
    args = parser().parse_args(argv)
    manner = Manner(_mode(args.mode), _owner(args.owner) if args.owner is not None else (-1, -1))
    if args.watch is None:
        _refuse_alone(args)
    if args.wipe:
        output.note(f"wiped `{args.to}`" if wipe(args.to) else f"nothing was rendered into `{args.to}`")
        return 0
    work = _Work(args.to, args.format or ["files"], _templates(args.template), manner)
    if args.watch is None:
        work.render(resolve(request_of(args)))
        return 0
    from confsvc.cli.keeping import keep_fresh

    return keep_fresh(args, work.render)


class _Work:
    """What to write where. ``render`` may be called again and again."""

    def __init__(self, target: str, formats: Sequence[str], templates: Sequence["Template"], manner: Manner) -> None:
        self._target = target
        self._formats = dict.fromkeys(formats)
        self._templates = templates
        self._manner = manner

    def render(self, resolution: Resolution) -> None:
        """Make the folder hold what ``resolution`` says.

        Raises:
            OutputError: it cannot be written, or not as a file; then nothing has changed.

        """
        files = self._files(resolution)
        is_new = render(self._target, files, self._manner)
        what = output.count(len(files), "file")
        output.note(f"rendered {what} into `{self._target}`" if is_new else f"`{self._target}` was up to date: {what}")

    def _files(self, resolution: Resolution) -> dict[str, bytes]:
        """Return the files by their names."""
        sets: dict[str, dict[str, bytes]] = {}
        for form in self._formats:
            if form == "files":
                sets["the setting"] = {name: value.data for name, value in resolution.items()}
            else:
                sets[f"the format `{form}`"] = {
                    _NAMES[form]: FORMATS[form](resolution).encode(errors="surrogateescape")
                }
        if self._templates:
            from confsvc.inject.templates import render_templates

            sets["a template"] = render_templates(self._templates, resolution)
        return _one_each(sets)


def _one_each(sets: dict[str, dict[str, bytes]]) -> dict[str, bytes]:
    """Return all files of all ``sets``, which are by what they come from."""
    makers: dict[str, str] = {}
    for maker, files in sets.items():
        for name in files:
            if name in makers:
                raise OutputError(f"two things want to be the file `{name}`: {makers[name]}, and {maker}")
            makers[name] = maker
    return {name: data for files in sets.values() for name, data in files.items()}


def _templates(texts: Sequence[str]) -> Sequence["Template"]:
    if not texts:
        return ()
    from confsvc.inject.templates import read_template

    templates = [read_template(text) for text in texts]
    names = [template.name for template in templates]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise UsageError(f"two templates want to be the file `{twice}`")
    return templates


def _refuse_alone(args: argparse.Namespace) -> None:
    """Refuse options about staying where nobody stays."""
    for name in _STAYING:
        if getattr(args, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} needs --watch")


def _mode(text: str) -> int:
    if not re.fullmatch("0?[0-7]{3}", text) or not int(text, 8) & 0o400:
        raise UsageError("--mode takes an octal mode that lets the owner read, such as 0440")
    return int(text, 8)


def _owner(text: str) -> tuple[int, int]:
    user, _, group = text.partition(":")
    return (_id_of(user, "user"), _id_of(group, "group") if group else -1)


def _id_of(text: str, kind: str) -> int:
    import grp
    import pwd

    if re.fullmatch("[0-9]{1,9}", text):
        return int(text)
    found: int | None = None
    try:
        found = pwd.getpwnam(text).pw_uid if kind == "user" else grp.getgrnam(text).gr_gid
    except KeyError:
        found = None
    if found is None:
        raise UsageError(f"no {kind} is called `{text}`")
    return found
