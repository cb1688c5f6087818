"""Running the real command against servers behind fault proxies, with every oracle's question asked after each run."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fault_proxy import FaultProxy
from observing import tree_of, watch_process
from oracles import Case, Observation, judge
from running import CONFSVC

__all__ = ["MODES", "Store", "Trial"]

MODES = ("exec", "render")

# The command notes which files are open for it (the folder that it looks into is one), and what it was started with.
_APP = 'exec > "$0"; echo /proc/$$/fd/*; exec env -0'
_SEEDED = str(Path(__file__).with_name("seeded.py"))


class Store(NamedTuple):
    """A server, and how settings come from it.

    ``backend`` is the table of the manifest, with ``{port}`` in it, ``values`` the references, ``requests`` how many
    requests a run makes where all is well, ``in_body`` a byte of the first answer's body. ``generations`` are the sets
    of settings that there are, the newest last; ``leases`` counts the tokens.
    """

    name: str
    port: int
    backend: str
    values: Mapping[str, str]
    environ: Mapping[str, str]
    secrets: Sequence[str]
    requests: int
    generations: list[dict[str, str]]
    in_body: int = 350
    leases: Callable[[], int] = int


class Trial:
    """A project whose settings come from ``store``, through ``proxy``. ``prefix`` is what runs ``confsvc``."""

    def __init__(self, folder: Path, store: Store, proxy: FaultProxy, *, prefix: Sequence[str] = ()) -> None:
        self.store, self.proxy = store, proxy
        self._prefix = prefix
        self.project, self._received = folder / "project", folder / "received"
        self._home = folder / "home"
        for one in (self.project / ".git", self._home / "tmp", self._home / "run"):
            one.mkdir(parents=True)
        self.target = self.project / "out"
        values = "".join(f"{name} = {json.dumps('${' + text + '}')}\n" for name, text in store.values.items())
        settings = "".join(f"{name} = {{ secret = true }}\n" for name in store.values)
        table = store.backend.replace("{port}", str(proxy.port))
        (self.project / "confsvc.toml").write_text(
            f"[settings]\n{settings}[backends.{store.name}]\n{table}\n[environments.production.values]\n{values}"
        )

    def run(
        self,
        mode: str = "exec",
        *,
        status: int = 0,
        words: Sequence[str] = (),
        deadline: float = 20.0,
        requests: int | None = None,
        orphans: int = 0,
        bug: str = "",
    ) -> Observation:
        """Run ``confsvc`` once, and return what was seen. With ``bug`` it is a confsvc that has one.

        ``requests`` is how many it may make, by default as many as where all is well; ``orphans`` how many logins may
        stay behind, as their answers were lost.
        """
        self._received.unlink(missing_ok=True)
        self.proxy.forget()
        case = Case(
            status,
            words,
            self.store.requests if requests is None else requests,
            deadline,
            self.store.generations,
            [*self.store.secrets, *(text for one in self.store.generations for text in one.values())],
            orphans,
            str(self.target) if mode == "render" and not status else "",
        )
        leases = self.store.leases()
        before = tree_of(self.project, self._home)
        seen = watch_process(self._command(mode, deadline, bug), self._environ(), self.project)
        after = tree_of(self.project, self._home)
        received, open_files = self._read(mode, seen.status)
        new = [path for path, entry in after.items() if before.get(path) != entry and not self._may(case, path)]
        return Observation(
            case,
            seen,
            received,
            # Where nobody was asked, the clock starts with the process, which has to load before it can ask.
            seen.end - (self.proxy.first_at or seen.start + seen.used),
            open_files,
            before,
            after,
            b"\n".join(Path(path).read_bytes() for path in new if Path(path).is_file()),
            len(self.proxy.requests()),
            self.store.leases() - leases,
        )

    def check(self, mode: str = "exec", **expected: object) -> Observation:
        """Run ``confsvc`` once, and have every oracle judge."""
        one = self.run(mode, **expected)  # type: ignore[arg-type]
        assert not (against := judge(one)), f"{against}\n{one.seen.err.decode()}\n{self.proxy.requests()}"
        return one

    def _command(self, mode: str, deadline: float, bug: str) -> list[str]:
        program = [*self._prefix, *([sys.executable, _SEEDED, bug] if bug else [CONFSVC])]
        options = [mode, "--timeout", f"{deadline}s"]
        if mode == "render":
            return [*program, *options, "--to", "out"]
        return [*program, *options, "--", "sh", "-c", _APP, str(self._received)]

    def _environ(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(CONFSVC).parent}:/usr/bin:/bin",
            "HOME": str(self._home),
            "TMPDIR": str(self._home / "tmp"),
            "XDG_RUNTIME_DIR": str(self._home / "run"),
            "NO_COLOR": "1",
            **self.store.environ,
        }

    def _read(self, mode: str, status: int) -> tuple[dict[str, str] | None, int]:
        """Return the settings that arrived, and how many descriptors the command had."""
        if mode == "render":
            if status:
                return None, 0
            return {name: (self.target / name).read_bytes().decode() for name in self.store.values}, 0
        if not self._received.exists():
            return None, 0
        files, _, environ = self._received.read_bytes().partition(b"\n")
        pairs = [pair.decode().partition("=") for pair in environ.split(b"\0")]
        received = {name: text for name, _, text in pairs if name in self.store.values}
        return received, len(files.split()) - 1

    @staticmethod
    def _may(case: Case, path: str) -> bool:
        return bool(case.may_change) and path.startswith(case.may_change)
