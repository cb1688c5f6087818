"""The contract, for every adapter that ships with confsvc, and for the memory store."""

import os
import re
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

from confsvc import registry
from confsvc.adapter import Backend
from confsvc.errors import Denied, Malformed, Unavailable
from confsvc.inject.formats import FORMATS
from confsvc.resolution import Origin, Resolution, Value
from confsvc.testing import AdapterContract, MemoryStore


class OnDisk(AdapterContract):
    """What the adapters share that read files."""

    folder: Path

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @pytest.fixture(autouse=True)
    def _somebody_else(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
        """Root may read everything, so what must be denied is read as another user."""
        if os.geteuid() != 0 or "denied" not in request.node.name:
            yield
            return
        for folder in (tmp_path, *tmp_path.parents):
            if "pytest" in folder.name:
                folder.chmod(0o755)
        registry.adapter_class(self.backend().adapter)  # imported while everything can be read
        os.seteuid(65534)
        yield
        os.seteuid(0)


class TestDotenv(OnDisk):
    """`.env` files."""

    def backend(self) -> Backend:
        return Backend("dotenv", "dotenv", {}, str(self.folder), {})

    def put(self, name: str, text: str) -> str:
        value = Value("KEY", text=text, value=text, origin=Origin("source"), secret=True)
        (self.folder / f"{name}.env").write_text(FORMATS["dotenv"](Resolution({"KEY": value})), newline="")
        return f"dotenv://{name}.env#KEY"

    def missing(self) -> str:
        return "dotenv://nowhere.env"

    def denied(self) -> str:
        return _denied_file(self.folder, "dotenv://{}")

    def malformed(self) -> str:
        return self.malformed_with("")

    def malformed_with(self, text: str) -> str:
        (self.folder / "bad.env").write_bytes(f"A='{text}'\n{text}".encode() + b"\xff\n")
        return "dotenv://bad.env"


class TestFile(OnDisk):
    """Single files."""

    def backend(self) -> Backend:
        return Backend("file", "file", {}, str(self.folder), {})

    def put(self, name: str, text: str) -> str:
        return self.put_bytes(name, text.encode())

    def put_bytes(self, name: str, data: bytes) -> str:
        (self.folder / name).write_bytes(data)
        return f"file://{name}"

    def missing(self) -> str:
        return f"file://{self.folder}/nowhere"

    def denied(self) -> str:
        return _denied_file(self.folder, "file://{}")

    def malformed(self) -> str:
        (self.folder / "folder").mkdir()
        return "file://folder"

    def malformed_with(self, text: str) -> str:
        return self.put("no-json", f'{{"{text}": "{text}"') + "#field"


class TestDirectory(OnDisk):
    """Folders of files."""

    def backend(self) -> Backend:
        return Backend("dir", "dir", {}, str(self.folder), {})

    def put(self, name: str, text: str) -> str:
        return self.put_bytes(name, text.encode())

    def put_bytes(self, name: str, data: bytes) -> str:
        (self.folder / name).mkdir()
        (self.folder / name / "field").write_bytes(data)
        return f"dir://{name}/#field"

    def missing(self) -> str:
        return "dir://nowhere/"

    def denied(self) -> str:
        return _denied_file(self.folder, "dir://{}", folder=True)

    def malformed(self) -> str:
        return self.malformed_with("nothing")

    def malformed_with(self, text: str) -> str:
        (self.folder / "links").mkdir()
        (self.folder / "links" / "field").symlink_to(text)
        return "dir://links/"


class TestEnvironment(AdapterContract):
    """This process's environment."""

    environ: dict[str, str]

    @pytest.fixture(autouse=True)
    def _environ(self) -> None:
        self.environ = {}

    def backend(self) -> Backend:
        return Backend("env", "env", {}, "/", self.environ)

    def put(self, name: str, text: str) -> str:
        self.environ[name.upper().replace("-", "_")] = text
        return f"env://{name.upper().replace('-', '_')}"

    def missing(self) -> str:
        return "env://NOWHERE"

    def malformed(self) -> str:
        return "env://NAME?prefix=N"

    def malformed_with(self, text: str) -> str:
        return self.put("no-json", f'{{"{text}": "{text}"') + "#field"


class TestMemory(AdapterContract):
    """The store in memory."""

    store: MemoryStore

    @pytest.fixture(autouse=True)
    def _store(self, confsvc_memory: MemoryStore) -> None:
        self.store = confsvc_memory

    def backend(self) -> Backend:
        return Backend("memory", "memory", {}, "/", {})

    def put(self, name: str, text: str) -> str:
        self.store.put(name, text)
        return f"memory://{name}"

    def put_bytes(self, name: str, data: bytes) -> str:
        self.store.put(name, data)
        return f"memory://{name}"

    def missing(self) -> str:
        return "memory://nowhere"

    def denied(self) -> str:
        self.store.fail("closed", Denied("no"))
        return "memory://closed"

    def malformed(self) -> str:
        self.store.fail("bad", Malformed("odd"))
        return "memory://bad"

    def malformed_with(self, text: str) -> str:
        return self.put("no-json", f'{{"{text}": "{text}"') + "#field"

    def unreachable(self) -> tuple[Backend, str]:
        self.store.fail("far", Unavailable("no answer"))
        return self.backend(), "memory://far"


def _denied_file(parent: Path, reference: str, *, folder: bool = False) -> str:
    """Make something that this user may not read; as root the user is another one by now. Returns its reference."""
    user = os.geteuid()
    if user != os.getuid():
        os.seteuid(os.getuid())
    path = parent / "closed"
    if folder:
        path.mkdir()
    else:
        path.write_text("A=1\n")
    path.chmod(0)
    os.seteuid(user)
    return reference.format("closed/" if folder else "closed")


# An adapter is held to the contract where a contract test makes a backend of it: Backend("name", "adapter", …).
MADE = re.compile(r'\bBackend\(\s*"[^"]+",\s*"([^"]+)"|^    adapter = "([^"]+)"', re.MULTILINE)


def test_the_registry_knows_every_entry_point() -> None:
    ours = distribution("confsvc").entry_points.select(group=registry.GROUP)
    assert {point.name: point.value for point in ours} == registry.BUILTIN


def test_every_adapter_that_ships_is_held_to_the_contract() -> None:
    texts = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    held = {name for text in texts if "(AdapterContract)" in text for names in MADE.findall(text) for name in names}
    held_classes = {registry.BUILTIN[name] for name in held if name in registry.BUILTIN}
    assert set(registry.BUILTIN.values()) == held_classes
