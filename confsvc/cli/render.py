"""``confsvc render``: a file for each setting, for programs and containers that read files."""

import re
from collections.abc import Mapping

from confsvc.cli import output
from confsvc.cli.options import Parser, request_of, resolve
from confsvc.errors import OutputError, UsageError
from confsvc.inject.formats import FORMATS
from confsvc.inject.rendering import Manner, render, wipe
from confsvc.resolution import Resolution

__all__ = ["main", "parser"]

_NAMES = {"dotenv": ".env", "shell": "env.sh", "json": "settings.json"}


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
    made.add_argument("--wipe", action="store_true", help="remove what was rendered into DIR")
    made.resolve_options()
    return made


def main(argv: list[str]) -> int:
    """Render once."""
    args = parser().parse_args(argv)
    manner = Manner(_mode(args.mode), _owner(args.owner) if args.owner is not None else (-1, -1))
    if args.wipe:
        output.note(f"wiped `{args.to}`" if wipe(args.to) else f"nothing was rendered into `{args.to}`")
        return 0
    resolution = resolve(request_of(args))
    files = _files(resolution, args.format or ["files"])
    is_new = render(args.to, files, manner)
    what = output.count(len(files), "file")
    output.note(f"rendered {what} into `{args.to}`" if is_new else f"`{args.to}` was up to date: {what}")
    return 0


def _files(resolution: Resolution, formats: list[str]) -> Mapping[str, bytes]:
    """Return the files by their names."""
    found: dict[str, bytes] = {}
    if "files" in formats:
        found = {name: value.data for name, value in resolution.items()}
    for form in dict.fromkeys(formats):
        name = _NAMES.get(form)
        if name in found:
            raise OutputError(f"two things want to be the file `{name}`: the setting, and the format `{form}`")
        if name:
            found[name] = FORMATS[form](resolution).encode(errors="surrogateescape")
    return found


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
