"""A real Chromium without a window, for pages that people open."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from openbao import free_port, missing

__all__ = ["Browser", "run_browser"]

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --no-proxy-server"
).split()


class Browser:
    """A browser with one page. ``driver`` is selenium's."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str, *, scheme: str = "light", media: str = "", width: int = 1400) -> None:
        """Open a page as somebody does who likes it dark, or prints it, or has a narrow window."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", size)
        likes = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", {"media": media, "features": likes})
        for kind in ("browser", "performance"):
            self.log(kind)  # what was logged before is not of this page
        self.driver.get(url)

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> Any:
        """Give a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, arguments or {})

    def run(self, script: str, *arguments: object) -> Any:
        """Run a function's body in the page. Returns what it returns."""
        return self.driver.execute_script(script, *arguments)

    def log(self, kind: str) -> list[dict[str, Any]]:
        """Return the entries of a log, ``browser`` or ``performance``, since it was last asked for."""
        driver: Any = self.driver
        found: list[dict[str, Any]] = driver.get_log(kind)
        return found

    def requests(self) -> list[str]:
        """Return the addresses of all that was asked for since the page was opened."""
        entries = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        sent = [entry["params"] for entry in entries if entry["method"] == "Network.requestWillBeSent"]
        return [one["request"]["url"] for one in sent]


@contextmanager
def run_browser(folder: Path) -> Iterator[Browser]:
    """Run a browser that has never been used before."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        missing("Chromium", "apt-get install chromium chromium-driver")
    options = Options()
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.binary_location = str(program)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    chrome = Chrome(options=options, service=Service(str(driver), port=free_port()))
    try:
        yield Browser(chrome)
    finally:
        chrome.quit()
