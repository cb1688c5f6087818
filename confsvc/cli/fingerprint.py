"""``confsvc fingerprint``: a digest that changes when the configuration does."""

import os

from confsvc.cli import output
from confsvc.cli.options import Parser, request_of, resolve
from confsvc.errors import UsageError
from confsvc.fingerprint import take_fingerprint
from confsvc.resolver import plan_request

__all__ = ["main", "parser"]

_SHORTEST, _LONGEST = 16, 1 << 16  # bytes of a key


def parser() -> Parser:
    """Return the command's parser."""
    made = Parser(
        "fingerprint",
        "Print a digest of names, versions and plain values: another one when the configuration changes, the same one\n"
        "when it does not. For an annotation of a pod template, so that a change rolls the Deployment.",
        "[-e ENV] [-f FILE] [--key-file FILE] [options]",
    )
    made.resolve_options()
    made.lock_options()
    made.add_argument_group("digest").add_argument(
        "--key-file", metavar="FILE", help="digest secret values too, with the key in FILE (HMAC)"
    )
    return made


def main(argv: list[str]) -> int:
    """Print it."""
    args = parser().parse_args(argv)
    key = _key(args.key_file) if args.key_file is not None else b""
    request = request_of(args)
    found = take_fingerprint(resolve(request), plan_request(request), key)
    if output.is_json():
        output.write_json({"fingerprint": found.digest, "keyed": bool(key), "unseen": found.unseen})
        return 0
    for name in found.unseen:
        output.warn(f"a change of `{name}` does not show: its store has no versions; `--key-file` digests its value")
    output.write(found.digest + "\n")
    return 0


def _key(path: str) -> bytes:
    failure = ""
    key = b""
    try:
        with open(path, "rb") as file:
            key = file.read(_LONGEST)
    except OSError as error:
        failure = os.strerror(error.errno or 0).lower()
    except ValueError:
        failure = "its path holds a NUL"
    if not failure and len(key) < _SHORTEST:
        failure = f"it is shorter than {_SHORTEST} bytes"
    if failure:
        raise UsageError(f"the key in `{path}` cannot be used: {failure}", hint="head -c 32 /dev/urandom > FILE")
    return key
