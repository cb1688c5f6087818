"""What was in the repository at a revision. Nothing here goes through a shell, and a revision is never an option."""

import os
import subprocess

from confsvc.errors import ManifestError

__all__ = ["Revision", "export", "find_revision", "path_in_repository", "read_blob", "root_of"]

_TIMEOUT = 60.0
_MOST = 1024 * 1024  # bytes of a manifest, as for one that is a file
# Nobody is there to answer a question, and what is read must not depend on who reads it.
_ENVIRON = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


class Revision:
    """A commit: ``name`` is what the user called it, ``commit`` its id, ``folder`` where git is asked."""

    def __init__(self, name: str, commit: str, folder: str) -> None:
        self.name = name
        self.commit = commit
        self.folder = folder


def find_revision(name: str, folder: str) -> Revision:
    """Return the commit that ``name`` names in the repository around ``folder``.

    Raises:
        ManifestError: there is none, no repository, or no git.

    """
    if name.startswith("-") or not name.isprintable() or not name:
        raise ManifestError(f"`{name}` is neither a file nor the name of a revision")
    if _git(folder, "rev-parse", "--is-inside-work-tree") is None:
        raise ManifestError(
            f"`{name}` is no file here, and git knows no repository here that it could be a revision of",
            hint="compat takes files, revisions (`HEAD~1`, `v1.2:confsvc.toml`), and models (`package.module:Name`)",
        )
    found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    commit = (found or b"").decode(errors="replace").strip()
    if not commit or not commit.isalnum():
        raise ManifestError(
            f"`{name}` is no file here, and git knows no such revision",
            hint="in CI, fetch more than the last commit: `fetch-depth: 0`, or `git fetch --tags`",
        )
    return Revision(name, commit, folder)


def root_of(folder: str) -> str:
    """Return the root of the repository around ``folder``.

    Raises:
        ManifestError: there is none, but a bare one perhaps.

    """
    found = _git(folder, "rev-parse", "--show-toplevel")
    if not found:
        raise ManifestError("there is no git repository here that has its files beside it")
    return os.path.realpath(os.fsdecode(found.rstrip(b"\n")))


def path_in_repository(file: str) -> str:
    """Return the path of ``file`` from the root of its repository. Raises what ``root_of`` does."""
    folder, name = os.path.split(os.path.abspath(file))
    return os.path.relpath(os.path.join(os.path.realpath(folder), name), root_of(folder))


def read_blob(revision: Revision, path: str) -> str:
    """Return the text of the file ``path`` at ``revision``.

    Raises:
        ManifestError: it was not there, or is no text that could be a manifest.

    """
    data = _git(revision.folder, "cat-file", "blob", f"{revision.commit}:{path}")
    if data is None:
        raise ManifestError(
            f"`{path}` is not in the revision `{revision.name}`", hint="`REVISION:PATH` names another file"
        )
    try:
        text = data.decode("utf-8-sig") if len(data) <= _MOST else ""
    except UnicodeDecodeError:
        text = ""
    if not text and data:
        raise ManifestError(f"`{path}` in the revision `{revision.name}` is no text, or larger than 1 MiB")
    return text


def export(revision: Revision, folder: str) -> str:
    """Write everything that is in ``revision`` below ``folder``, and return where.

    Raises:
        ManifestError: it cannot be had.

    """
    import tarfile

    archive, tree = (os.path.join(folder, name) for name in ("archive.tar", "tree"))
    written = _git(root_of(revision.folder), "archive", "--format=tar", f"--output={archive}", revision.commit)
    failure = written is None
    try:
        with tarfile.open(archive, mode="r:") as found:
            found.extractall(tree, filter="data")
        os.unlink(archive)
    except (tarfile.TarError, OSError):
        failure = True
    if failure:
        raise ManifestError(f"the code at the revision `{revision.name}` cannot be taken out of the repository")
    return tree


def _git(folder: str, *words: str) -> bytes | None:
    """Return what git prints, None where it says no. What it says about that is not repeated."""
    failure = ""
    try:
        done = subprocess.run(
            ["git", "-C", folder, *words],
            env={**os.environ, **_ENVIRON},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
        return done.stdout if done.returncode == 0 else None
    except FileNotFoundError:
        failure = "git is not installed, and a revision is asked for"
    except (OSError, ValueError):
        failure = "git cannot be run"
    except subprocess.TimeoutExpired:
        failure = f"git did not answer within {_TIMEOUT:g} s"
    raise ManifestError(failure)
