"""The page that `confsvc report` writes, opened in Chromium: complete, searchable, readable by anybody, silent."""

import re
from base64 import b64decode
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from browser import Browser
from confsvc.testing import find_leaks
from running import Project
from serving import Quiet, serving
from supervised import until

CANARY = "cnry-7d41c09be2"
SETTINGS, ENVIRONMENTS = 2000, ("development", "review", "test", "staging", "production")
ODD = '<img src=x onerror="document.title=1"> & \u202e"quotes"'

SMALL = f"""
project = "shop"
[settings]
DATABASE_URL = {{ type = "url", secret = true, description = '{ODD}' }}
PORT = {{ type = "int", default = 80 }}
LEVEL = {{ type = "enum", choices = ["a", "b"] }}
OPTIONAL = {{ required = false }}
FINE = {{}}
[environments.development]
sources = ["dotenv://.env"]
[environments.production]
sources = ["dotenv://production.env"]
[environments.production.values]
PORT = "8080"
[environments.broken]
sources = ["vault://secret/app", "dotenv://.env"]
[backends.vault]
address = "https://127.0.0.1:9"
"""


def written(project: Project, name: str = "report.html") -> str:
    """Write the report, and return its address."""
    done = project.run("report", "-o", name)
    assert done.status == 0, done.err
    return (project.folder / name).as_uri()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report about 2,000 settings in five environments, of which one lacks something."""
    project = Project(tmp_path_factory.mktemp("large"))
    names = [f"SETTING_{number:04}" for number in range(SETTINGS)]
    settings = "".join(
        f'{name} = {{ type = "str", secret = {str(not n % 2).lower()} }}\n' for n, name in enumerate(names)
    )
    environments = "".join(f'[environments.{name}]\nsources = ["dotenv://{name}.env"]\n' for name in ENVIRONMENTS)
    project.manifest(f'project = "large"\n[settings]\n{settings}{environments}')
    for environment in ENVIRONMENTS:
        lacks = {"SETTING_0007", "SETTING_1234"} if environment == "production" else set()
        lines = "".join(f"{name}={CANARY}\n" for name in names if name not in lacks)
        project.write({f"{environment}.env": lines})
    return written(project)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report in which every kind of thing is."""
    project = Project(tmp_path_factory.mktemp("small"))
    project.manifest(SMALL, env=f"DATABASE_URL=https://{CANARY}/\nLEVEL=a\nFINE=1\n")
    project.write({"production.env": f"DATABASE_URL={CANARY}\nFINE=2\n"})
    return written(project)


def shown(browser: Browser) -> int:
    """Return how many settings can be seen."""
    found = browser.run("return [...document.querySelectorAll('tbody tr')].filter(row => row.offsetHeight > 0).length")
    return int(found)


def said(browser: Browser) -> str:
    """Return what the page says of how many there are."""
    return str(browser.driver.find_element(By.ID, "count").text)


def test_every_setting_has_a_row_and_every_environment_a_column(browser: Browser, large: str) -> None:
    browser.open(large)
    assert shown(browser) == SETTINGS
    assert said(browser) == "2,000 settings"
    cells = browser.run("return document.querySelectorAll('tbody td').length")
    assert cells == SETTINGS * len(ENVIRONMENTS)
    heads = [head.text for head in browser.driver.find_elements(By.CSS_SELECTOR, "thead th")]
    assert heads == ["Setting", *ENVIRONMENTS]


def test_what_is_typed_and_chosen_selects(browser: Browser, large: str) -> None:
    browser.open(large)
    search = browser.driver.find_element(By.ID, "search")
    search.send_keys("setting_12")
    assert (shown(browser), said(browser)) == (100, "100 of 2,000 settings")
    search.send_keys(" missing")
    assert shown(browser) == 1
    search.send_keys(" nothing-like-it")
    assert shown(browser) == 0
    assert browser.driver.find_element(By.ID, "nothing").is_displayed()
    browser.driver.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    until(lambda: said(browser) == "2,000 settings")  # once the browser has reset the form
    assert browser.driver.switch_to.active_element.get_attribute("id") == "search"
    for value, number in (("problem", 2), ("differs", 2), ("secret", 1000), ("all", 2000)):
        browser.driver.find_element(By.CSS_SELECTOR, f"input[value={value}]").click()
        assert shown(browser) == number
    choose(browser, "state", "missing")
    assert shown(browser) == 2
    choose(browser, "environment", "staging")
    assert shown(browser) == 0
    choose(browser, "environment", "production")
    assert shown(browser) == 2


def choose(browser: Browser, name: str, text: str) -> None:
    """Choose from a list."""
    Select(browser.driver.find_element(By.ID, name)).select_by_visible_text(text)


SEARCH = """
const box = document.getElementById('search'), began = performance.now();
box.value = arguments[0]; box.form.dispatchEvent(new Event('input'));
document.body.offsetHeight; return performance.now() - began
"""
BY_HAND = """
const rows = [...document.querySelectorAll('tbody tr')], began = performance.now();
for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(arguments[0]);
document.body.offsetHeight; return performance.now() - began
"""


def test_a_search_through_everything_is_quick(browser: Browser, large: str) -> None:
    browser.open(large)
    both = [(browser.run(SEARCH, text), browser.run(BY_HAND, "")) for text in ("setting_0", "setting_2")]
    took, floor = (min(times) for times in zip(*both, strict=True))
    browser.run(SEARCH, "setting_1")
    assert shown(browser) == 1000
    assert took < max(3000, 3 * floor)  # on a busy machine, what the browser itself takes to lay the rows out


def test_a_keyboard_reaches_everything_and_shows_where_it_is(browser: Browser, small: str) -> None:
    browser.open(small)
    reached = []
    for _ in range(7):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        where = browser.run(
            "const at = document.activeElement;"
            "const drawn = at.type === 'radio' ? at.nextElementSibling : at;"
            "return [at.id || at.name || at.className || at.type, getComputedStyle(drawn).outlineStyle,"
            " drawn.getBoundingClientRect().left >= 0]"
        )
        reached.append(where)
    assert [name for name, _, _ in reached] == ["skip", "search", "show", "state", "environment", "reset", "scroller"]
    assert all(style == "solid" and is_there for _, style, is_there in reached)
    browser.open(small)
    ActionChains(browser.driver).send_keys(Keys.TAB, Keys.ENTER).perform()
    assert browser.run("return document.activeElement.id") == "settings"
    ActionChains(browser.driver).send_keys(Keys.TAB, Keys.TAB, Keys.ARROW_RIGHT).perform()
    assert browser.run("return document.querySelector('[name=show]:checked').value") == "problem"
    assert shown(browser) == 4


def test_a_screen_reader_is_told_what_things_are(browser: Browser, small: str) -> None:
    browser.open(small)
    browser.command("Accessibility.enable")
    nodes = browser.command("Accessibility.getFullAXTree")["nodes"]
    named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
    roles = [role for role, _ in named]
    caption = "How each setting stands in each environment, and where it comes from"
    for wanted in (("table", caption), ("region", caption), ("columnheader", "production"), ("searchbox", "Search"),
                   ("combobox", "State"), ("combobox", "in environment"), ("radio", "problems 4")):  # fmt: skip
        assert wanted in named, wanted
    assert {"banner", "main", "search", "status"} <= set(roles)
    assert roles.count("rowheader") == 5
    assert any(role == "rowheader" and name.startswith("DATABASE_URL url ") for role, name in named)
    assert all(name for role, name in named if role in {"button", "combobox", "radio", "searchbox", "link", "region"})
    assert browser.run("return document.documentElement.lang") == "en"
    assert browser.run("return document.getElementById('count').getAttribute('role')") == "status"
    levels = browser.run("return [...document.querySelectorAll('h1,h2,h3')].map(head => +head.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


CONTRAST = """
const parse = text => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map(part => part / 255)
  .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
const behind = element => {
  for (let at = element; at; at = at.parentElement) {
    const color = parse(getComputedStyle(at).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.textContent.trim() || !element.offsetHeight || ['SCRIPT', 'STYLE'].includes(element.tagName)) continue;
  const [one, other] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  found.push([ratio, node.textContent.trim().slice(0, 40)]);
}
return [found.length, found.filter(([ratio]) => ratio < 4.5), light(behind(document.body))];
"""


@pytest.mark.parametrize(("scheme", "media"), [("light", ""), ("dark", ""), ("dark", "print")])
def test_everything_can_be_read_in_light_and_dark_and_on_paper(
    browser: Browser, small: str, scheme: str, media: str
) -> None:
    browser.open(small, scheme=scheme, media=media)
    number, faint, paper = browser.run(CONTRAST)
    assert number > 50
    assert faint == []
    assert (paper > 0.5) is (scheme == "light" or media == "print")


def test_states_differ_by_more_than_colour(browser: Browser, small: str) -> None:
    browser.open(small)
    found = {tuple(text.split(maxsplit=1)) for text in texts(browser, "td b")}
    assert {word for _, word in found} == {"present", "default", "absent", "missing", "invalid", "unreadable"}
    assert len({sign for sign, _ in found}) == len(found)
    assert "≠ differs" in texts(browser, "tr.differs em")


def texts(browser: Browser, selector: str) -> list[str]:
    """Return the text of all elements that ``selector`` selects."""
    script = "return [...document.querySelectorAll(arguments[0])].map(one => one.innerText.trim())"
    found: list[str] = browser.run(script, selector)
    return found


def test_it_prints_whole_and_without_what_only_a_screen_can_use(browser: Browser, small: str) -> None:
    browser.open(small, media="print")
    assert not browser.driver.find_element(By.CSS_SELECTOR, ".controls").is_displayed()
    assert browser.run("return getComputedStyle(document.querySelector('thead')).display") == "table-header-group"
    assert browser.run("return getComputedStyle(document.querySelector('.scroller')).overflow") == "visible"
    printed = b64decode(browser.command("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) in {1, 2}


def test_a_narrow_window_scrolls_the_table_and_nothing_else(browser: Browser, small: str) -> None:
    browser.open(small, width=360)
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.run("const box = document.querySelector('.scroller'); return box.scrollWidth > box.clientWidth")


class Asked(Quiet):
    """Says yes to everybody."""

    def do_GET(self) -> None:  # noqa: N802 - http.server calls it so
        self.send_response(200)
        self.end_headers()


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The address of a server that a page must not ask."""
    with serving(Asked) as address:
        yield address


FETCH = "const done = arguments[1]; fetch(arguments[0], {mode: 'no-cors'}).then(() => done('yes'), () => done('no'))"


def test_no_request_leaves_the_page_and_none_could(
    browser: Browser, small: str, elsewhere: str, tmp_path: Path
) -> None:
    driver: Any = browser.driver
    browser.open(small)
    assert [url for url in browser.requests() if url not in {small, "data:,"}] == []
    assert driver.execute_async_script(FETCH, elsewhere) == "no"
    (tmp_path / "other.html").write_text(f'<!doctype html><title>x</title><img src="{elsewhere}/picture">')
    browser.open((tmp_path / "other.html").as_uri())
    assert f"{elsewhere}/picture" in browser.requests()  # it would have been noticed
    assert driver.execute_async_script(FETCH, elsewhere) == "yes"


def test_what_people_wrote_is_text_and_nothing_else(browser: Browser, small: str) -> None:
    browser.open(small)
    assert browser.driver.title == "shop: settings by environment"
    assert '<img src=x onerror="document.title=1"> & \ufffd"quotes"' in texts(browser, "tbody th p")
    assert browser.run("return document.images.length") == 0
    problems = [one for one in browser.log("browser") if one["level"] == "SEVERE"]
    assert problems == []


def test_no_value_is_in_it(small: str, large: str) -> None:
    for address in (small, large):
        text = Path(address.removeprefix("file://")).read_text()
        assert find_leaks(CANARY, text) == []


def test_it_is_complete_where_no_script_runs(browser: Browser, small: str) -> None:
    browser.command("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(small)
        assert len(browser.driver.find_elements(By.CSS_SELECTOR, "tbody tr")) == 5
        assert not browser.driver.find_element(By.CSS_SELECTOR, ".controls").is_displayed()
        assert said(browser) == "5 settings"
    finally:
        browser.command("Emulation.setScriptExecutionDisabled", {"value": False})
