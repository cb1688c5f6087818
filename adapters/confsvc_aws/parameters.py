"""Reading Parameter Store: ten parameters at a time, side by side; trees page by page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256

from confsvc.adapter import Deadline, Document, moment_of, progress
from confsvc.errors import AdapterError, DeadlineError, Denied, Malformed, NotFound
from confsvc_aws.api import Api, Failure, Heard, Operation
from confsvc_aws.names import ParameterName
from confsvc_aws.places import partition_of
from confsvc_aws.saying import Subject, error_of

__all__ = ["Found", "ParameterReader", "groups_of", "listed", "subject_of", "tree_version"]

Found = Document | AdapterError | DeadlineError

_GROUP = 10  # GetParameters takes no more, and GetParametersByPath gives no more
_MOST = 100_000  # parameters in one tree, so that memory has a bound
_SECRET = "SecureString"  # noqa: S105 - what the API calls one


def subject_of(name: ParameterName, region: str, action: str) -> Subject:
    """Return ``name`` as errors speak of it."""
    arn = f"arn:{partition_of(region)}:ssm:{region}:*:parameter/{name.id.lstrip('/')}{'*' if name.is_tree else ''}"
    what = f"{name.id.rstrip('/')}/" if name.is_tree else name.id
    version = f"version or label `{name.selector[1:]}`" if name.selector else ""
    return Subject(what, region, f"ssm:{action}", name.id if name.id.startswith("arn:") else arn, version)


class ParameterReader:
    """Reads parameters and trees of one region."""

    def __init__(self, api: Api, backend: str) -> None:
        self._api = api
        self._backend = backend

    def read(self, names: Sequence[ParameterName], deadline: Deadline) -> dict[ParameterName, Found]:
        """Return the outcome of each of ``names``. Raises what `Api.call` does."""
        trees = [name for name in names if name.is_tree]
        groups = groups_of([name for name in names if not name.is_tree])
        heard = self._api.call([*map(_get, groups), *(_page(tree, "") for tree in trees)], deadline)
        found, left = self._from_groups(groups, heard[: len(groups)])
        if left:
            alone = [[name] for name in left]
            more, _ = self._from_groups(alone, self._api.call(list(map(_get, alone)), deadline))
            found.update(more)
        for tree, first in zip(trees, heard[len(groups) :], strict=True):
            found[tree] = self._tree(tree, first, deadline)
        return found

    def _from_groups(
        self, groups: Sequence[Sequence[ParameterName]], heard: Sequence[Heard]
    ) -> tuple[dict[ParameterName, Found], list[ParameterName]]:
        """Return what was found, and what has to be asked for one by one: one that is denied spoils its group."""
        found: dict[ParameterName, Found] = {}
        left: list[ParameterName] = []
        for group, one in zip(groups, heard, strict=True):
            if isinstance(one, Failure) and one.kind in {Denied, Malformed} and len(group) > 1:
                left += group
            elif isinstance(one, Mapping) and "Parameters" in one:
                found.update(self._of_group(group, one))
            else:
                found.update({name: error_of(one, self._subject(name, "GetParameters")) for name in group})
        return found, left

    def _of_group(self, group: Sequence[ParameterName], body: Mapping[str, object]) -> dict[ParameterName, Found]:
        # No group has a parameter twice, so its name tells which it is.
        entries = listed(body, "Parameters")
        found = {_without_selector(str(one.get(key, ""))): _document(one) for one in entries for key in ("Name", "ARN")}
        gone = set(map(str, _items(body, "InvalidParameters")))
        return {name: found.get(name.id) or self._absent(name, gone) for name in group}

    def _absent(self, name: ParameterName, gone: set[str]) -> AdapterError | DeadlineError:
        if name.text in gone or name.id in gone:
            return error_of(Failure("ParameterNotFound", NotFound), self._subject(name, "GetParameters"))
        return Malformed(f"the answer says nothing about `{name.id}`")

    def _tree(self, tree: ParameterName, first: Heard, deadline: Deadline) -> Found:
        """Return everything under a path: all pages, one after the other, as each names the next."""
        fields: dict[str, object] = {}
        versions: dict[str, str] = {}
        parts: dict[str, str] = {}
        is_secret, newest = False, 0.0
        prefix = tree.id.rstrip("/") + "/"
        page = first
        tokens: set[str] = set()
        while True:
            if not isinstance(page, Mapping) or "Parameters" not in page:
                return error_of(page, self._subject(tree, "GetParametersByPath"))
            for entry in listed(page, "Parameters"):
                name = str(entry.get("Name", ""))
                field, version = name.removeprefix(prefix), str(entry.get("Version", ""))
                fields[field] = str(entry.get("Value", ""))
                versions[name] = parts[field] = version
                is_secret = is_secret or entry.get("Type") == _SECRET
                newest = max(newest, moment_of(entry.get("LastModifiedDate")) or 0.0)
            token = page.get("NextToken")
            if not isinstance(token, str) or not token:
                break
            if token in tokens:
                return Malformed(f"the pages of `{prefix}` go round in a circle")
            tokens.add(token)
            if len(fields) > _MOST:
                return Malformed(f"more than {_MOST} parameters are under `{prefix}`: name a smaller tree")
            progress(f"{self._backend}://{prefix}", len(fields))
            (page,) = self._api.call([_page(tree, token)], deadline)
        if not fields:
            return self._empty(tree, deadline)
        made_at = newest or None
        return Document(fields, version=tree_version(versions), secret=is_secret, made_at=made_at, parts=parts)

    def _empty(self, tree: ParameterName, deadline: Deadline) -> Found:
        """Return why a tree has nothing in it. A parameter whose name was given a slash too much is told apart."""
        one = tree._replace(is_tree=False, is_recursive=False)
        if tree.id != "/":
            (heard,) = self._api.call([_get([one])], deadline)
            if isinstance(heard, Mapping) and listed(heard, "Parameters"):
                return Malformed(f"`{tree.id}` is a parameter, not a tree", hint="leave out the slash at the end")
        hint = "" if tree.is_recursive else "`?recursive=true` takes what is further down too"
        return NotFound(f"no parameter is under `{tree.id.rstrip('/')}/` in {self._api.region}", hint=hint)

    def _subject(self, name: ParameterName, action: str) -> Subject:
        return subject_of(name, self._api.region, action)


def tree_version(versions: Mapping[str, str]) -> str:
    """Return a short text that changes with every version of any parameter of a tree, by their full names."""
    lines = "\n".join(f"{name}:{version}" for name, version in sorted(versions.items()))
    return sha256(lines.encode()).hexdigest()[:12]


def listed(body: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    """Return the objects in the list ``body[key]``."""
    return [entry for entry in _items(body, key) if isinstance(entry, Mapping)]


def _items(body: Mapping[str, object], key: str) -> list[object]:
    found = body.get(key)
    return found if isinstance(found, list) else []


def _without_selector(text: str) -> str:
    """Return a name or an ARN without the version that some servers answer with behind it."""
    path, slash, last = text.rpartition("/")
    return path + slash + last.partition(":")[0]


def _document(entry: Mapping[str, object]) -> Document:
    return Document(
        str(entry.get("Value", "")),
        version=str(entry.get("Version", "")),
        secret=entry.get("Type") == _SECRET,
        made_at=moment_of(entry.get("LastModifiedDate")),
    )


def groups_of(names: Sequence[ParameterName]) -> list[list[ParameterName]]:
    """Return ``names`` in groups as even as can be, no parameter twice in one: the API refuses that."""
    ordered = sorted(names, key=lambda name: name.id)
    most = max(Counter(name.id for name in names).values(), default=0)
    count = max(-(-len(names) // _GROUP), most)
    return [ordered[start::count] for start in range(count)]


def _get(group: Sequence[ParameterName]) -> Operation:
    return Operation("GetParameters", {"Names": [name.text for name in group], "WithDecryption": True})


def _page(tree: ParameterName, token: str) -> Operation:
    parameters = {"Path": tree.id, "Recursive": tree.is_recursive, "WithDecryption": True, "MaxResults": _GROUP}
    return Operation("GetParametersByPath", {**parameters, "NextToken": token} if token else parameters)
