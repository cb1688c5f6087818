"""A resolution as text, in the formats that other tools read. Each one gives back every byte, or refuses by name."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping

from confsvc.errors import OutputError
from confsvc.resolution import Resolution, Value

__all__ = ["FORMATS", "github_commands", "github_environment", "kubernetes"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}([.]{_LABEL})*")
_KEY = re.compile(r"(?![.]\Z|[.][.])[A-Za-z0-9._-]{1,253}")
# What Docker's line scanner holds at most: https://pkg.go.dev/bufio#MaxScanTokenSize, less the line feed.
_DOCKER_LINE = 64 * 1024 - 1
# What YAML 1.2 wants escaped beyond what JSON does: https://yaml.org/spec/1.2.2/#51-character-set
_YAML_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def dotenv(resolution: Resolution) -> str:
    """Write assignments that python-dotenv reads back exactly, interpolation included."""
    return "".join(f"{_name(v, 'dotenv')}={_dotenv_quoted(_utf8(v, 'dotenv'))}\n" for v in resolution.values())


def _dotenv_quoted(text: str) -> str:
    # It interpolates inside any quotes. `${:-$}` is the default of a variable without a name: a dollar sign.
    text = text.replace("\\", "\\\\").replace("${", "${:-$}{")
    if text.endswith("\\"):  # which python-dotenv 1.2.1 and older take for the escape of the closing quote
        text = text[:-2] + "${:-\\}"
    if "\r" in text:  # which reading a text file would turn into a line feed
        return '"' + text.replace('"', '\\"').replace("\r", "\\r") + '"'
    return "'" + text.replace("'", "\\'") + "'"


def shell(resolution: Resolution) -> str:
    """Write `export` lines for any POSIX shell."""
    quoted = ((_name(v, "shell"), _without_nul(v, "shell").replace("'", "'\\''")) for v in resolution.values())
    return "".join(f"export {name}='{text}'\n" for name, text in quoted)


def docker(resolution: Resolution) -> str:
    """Write the lines of `docker run --env-file`, which has no quotes: a value is what stands behind the `=`."""
    return "".join(f"{_name(v, 'docker')}={_one_line(v)}\n" for v in resolution.values())


def _one_line(value: Value) -> str:
    text = _utf8(value, "docker")
    if "\n" in text or "\r" in text:
        raise _refusal(value, "docker", "it has more than one line")
    if len(f"{value.name}={text}".encode()) > _DOCKER_LINE:
        raise _refusal(value, "docker", f"`{value.name}=…` is longer than {_DOCKER_LINE} bytes")
    return text


def json(resolution: Resolution) -> str:
    """Write one JSON object of names and texts."""
    from json import dumps

    return dumps({v.name: _utf8(v, "json") for v in resolution.values()}, indent=2, ensure_ascii=False) + "\n"


def yaml(resolution: Resolution) -> str:
    """Write one YAML mapping of names and texts."""
    if not resolution:
        return "{}\n"
    return "".join(f"{_scalar(v.name)}: {_scalar(_utf8(v, 'yaml'))}\n" for v in resolution.values())


def _scalar(text: str) -> str:
    """Return a double-quoted YAML scalar. It looks like JSON, but astral characters stand as they are."""
    from json import dumps

    return _YAML_ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", dumps(text, ensure_ascii=False))


FORMATS: Mapping[str, Callable[[Resolution], str]] = {
    "dotenv": dotenv,
    "json": json,
    "yaml": yaml,
    "shell": shell,
    "docker": docker,
}


def kubernetes(resolution: Resolution, kind: str, name: str = "") -> str:
    """Write a Kubernetes ``Secret`` of the secret settings, or a ``ConfigMap`` of the plain ones."""
    name = name or _object_name(resolution)
    if not _SUBDOMAIN.fullmatch(name):
        raise OutputError(f"`{name}` is not a name that Kubernetes takes", hint="--name NAME")
    secret = kind == "Secret"
    values = [value for value in resolution.values() if value.secret == secret]
    head = f"apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {_scalar(name)}\n"
    if secret:
        return f"{head}type: Opaque\n" + _section("data", [(_key(v, kind), _base64(v)) for v in values])
    texts = [(_key(v, kind), _scalar(v.text)) for v in values if not _is_binary(v)]
    binaries = [(_key(v, kind), _base64(v)) for v in values if _is_binary(v)]
    return head + _section("data", texts) + (_section("binaryData", binaries) if binaries else "")


def _section(title: str, entries: list[tuple[str, str]]) -> str:
    if not entries:
        return f"{title}: {{}}\n"
    return f"{title}:\n" + "".join(f"  {_scalar(name)}: {text}\n" for name, text in entries)


def _key(value: Value, kind: str) -> str:
    if not _KEY.fullmatch(value.name):
        raise _refusal(value, f"a key of a {kind}", "its name has other characters than letters, digits and `-_.`")
    return value.name


def _base64(value: Value) -> str:
    return f'"{b64encode(value.data).decode()}"'


def _is_binary(value: Value) -> bool:
    return value.kind == "bytes" or not _is_utf8(value.text)


def _object_name(resolution: Resolution) -> str:
    text = "-".join(part for part in (resolution.project, resolution.environment) if part).lower()
    labels = (re.sub("[^a-z0-9]+", "-", label).strip("-") for label in text.split("."))
    return ".".join(filter(None, labels))[:253].rstrip("-.") or "confsvc"


def github_commands(resolution: Resolution) -> str:
    """Write the workflow commands that mask every line of every secret in the job's log."""
    lines = dict.fromkeys(line for v in resolution.values() if v.secret for line in _maskable(v))
    return "".join(f"::add-mask::{_command(line)}\n" for line in lines)


def _maskable(value: Value) -> Iterator[str]:
    # The log is masked line by line, and may show a line without the space around it. A blank mask is refused.
    yield from filter(None, map(str.strip, re.split("[\r\n]+", _utf8(value, "github"))))


def _command(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def github_environment(resolution: Resolution) -> str:
    """Write what is appended to the file that GITHUB_ENV names."""
    from secrets import token_hex

    # Nobody can guess the delimiter, so no value can end its own assignment.
    mark = f"confsvc_{token_hex(16)}"
    return "".join(f"{_name(v, 'github')}<<{mark}\n{_utf8(v, 'github')}\n{mark}\n" for v in resolution.values())


def _name(value: Value, form: str) -> str:
    if not _NAME.fullmatch(value.name):
        raise _refusal(value, form, "its name has other characters than letters, digits and `_`")
    return value.name


def _without_nul(value: Value, form: str) -> str:
    if "\0" in value.text:
        raise _refusal(value, form, "it holds a NUL byte")
    return value.text


def _utf8(value: Value, form: str) -> str:
    _without_nul(value, form)
    if not _is_utf8(value.text):
        raise _refusal(value, form, "it is not UTF-8 text")
    return value.text


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _refusal(value: Value, form: str, reason: str) -> OutputError:
    return OutputError(f"`{value.name}` cannot be written as {form}: {reason}", hint="leave it out with --only")
