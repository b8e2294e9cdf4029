"""report.html as a person meets it: in a browser, light and dark, by mouse, keyboard and screen reader."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from playwright.sync_api import Page, expect

from tests.support import ROOT

from .conftest import Opened
from .stories import fifty_hosts, one_host, two_systems

Open = t.Callable[..., Opened]
MEND = "ansible-playbook gonogo.preflight.provision -i prod --tags redis --limit launch1"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    return one_host(tmp_path_factory.mktemp("small")).write()[-1]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    return fifty_hosts(tmp_path_factory.mktemp("large")).write()[-1]


def _contrast(page: Page, selector: str) -> float:
    """WCAG contrast of the text of `selector` with what is behind it."""
    script = """element => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
      };
      let behind = element;
      while (rgba(getComputedStyle(behind).backgroundColor)[3] < 255) behind = behind.parentElement;
      return [rgba(getComputedStyle(element).color), rgba(getComputedStyle(behind).backgroundColor)];
    }"""
    lighter, darker = sorted(map(_luminance, page.locator(selector).first.evaluate(script)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: list[int]) -> float:
    channels = [value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in colour[:3]]
    return sum(channel * weight for channel, weight in zip(channels, (0.2126, 0.7152, 0.0722)))


def test_the_failing_item_comes_first_with_the_command_that_mends_it(open_page: Open, small: str, scheme: str) -> None:
    page, requests, errors = open_page(small, scheme)
    expect(page).to_have_title("NO-GO: prod, checklist sports")
    expect(page.get_by_role("heading", level=1)).to_have_text("NO-GO")
    first = page.locator(".finding").first
    expect(first.locator("summary")).to_contain_text("redis.aof Redis keeps its data across a restart launch1")
    expect(first.locator("dd.value")).to_contain_text(["no", "yes"])
    expect(first.get_by_text(MEND, exact=True)).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == {"light": "rgb(252, 252, 253)", "dark": "rgb(16, 17, 19)"}[scheme]
    for selector in (
        "h1",
        ".what",
        ".facts dt",
        ".finding .seen",
        ".finding .why, .finding dd.dim",
        "code",
        ".badge.fail",
        ".badge.missing",
        "td.fail",
        "td.waived",
        "td.pass",
    ):
        assert _contrast(page, selector) >= 4.5, selector
    assert (requests, errors) == ([page.url], [])


def test_the_picture_of_the_readme_shows_the_failing_item(open_page: Open, small: str, scheme: str) -> None:
    page = open_page(small, scheme).page
    expect(page.get_by_text(MEND)).to_be_in_viewport()
    directory = pathlib.Path(os.environ.get("GONOGO_PICTURES", ROOT / "tests" / "output"))
    directory.mkdir(parents=True, exist_ok=True)
    assert len(page.screenshot(path=directory / ("report-%s.png" % scheme))) > 20_000


def test_a_go_says_so_and_shows_what_serves(open_page: Open, tmp_path: pathlib.Path) -> None:
    page = open_page(one_host(tmp_path, None).write()[-1]).page
    expect(page.get_by_role("heading", level=1)).to_have_text("GO")
    expect(page.locator(".finding")).to_have_count(0)
    expect(page.get_by_role("row", name="pg.max_connections").first).to_contain_text("waived without need: the pool is resized on Friday")
    expect(page.get_by_text("release 1.4.0-fce974f6 is serving on launch1")).to_be_visible()


def test_systems_that_disagree_and_what_fails_beside_the_doors_are_shown(open_page: Open, tmp_path: pathlib.Path) -> None:
    page = open_page(two_systems(tmp_path).write()[-1]).page
    expect(page.get_by_role("heading", level=1)).to_have_text("GO")
    expect(page.get_by_role("region", name="Where the checklists disagree")).to_contain_text("pg.version: at least 16 (odds) holds")
    expect(page.get_by_role("row", name="backup.restored").first).to_contain_text("41 days")
    expect(page.locator("td.warned").first).to_contain_text("41 days")


def test_excuses_show_days_left_and_the_real_result(open_page: Open, small: str) -> None:
    rows = open_page(small).page.get_by_role("table").first.get_by_role("row")
    assert [row.split() for row in rows.nth(1).all_inner_texts()] == [
        [
            "4",
            "days",
            "2026-11-25",
            "waived",
            "pg.max_connections",
            "launch1",
            "Ada",
            "Lovelace",
            "the",
            "pool",
            "is",
            "resized",
            "on",
            "Friday",
            "fail:",
            "100",
        ]
    ]
    expect(rows.nth(2)).to_contain_text("20 days 2026-12-12")
    expect(rows.nth(3)).to_contain_text("this environment has no GPU")


def test_a_relaxed_threshold_shows_where_it_comes_from(open_page: Open, small: str) -> None:
    page = open_page(small).page
    expect(page.get_by_role("row", name="infra.ram.total").first).to_contain_text("at least 4GB relaxed")
    page.get_by_role("cell", name="5.8GB").click()
    told = page.get_by_role("dialog")
    expect(told).to_contain_text("catalogue: at least 256GB → checklist sports: at least 512GB (within 7%) → inventory: at least 4GB")
    page.keyboard.press("Escape")
    expect(told).to_be_hidden()


def test_a_command_is_copied_as_it_is_typed(open_page: Open, small: str, browser: t.Any) -> None:
    page = open_page(small, permissions=["clipboard-read", "clipboard-write"]).page
    page.locator(".finding").first.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == MEND


def test_fifty_hosts_with_two_hundred_items_are_readable(open_page: Open, large: str, scheme: str) -> None:
    page, requests, errors = open_page(large, scheme)
    expect(page.locator(".matrix tr[data-text]")).to_have_count(200)
    expect(page.locator("th.host")).to_have_count(50)
    # Twenty hosts on which one role broke are one finding with one command.
    redis = page.locator(".finding", has_text="redis.aof").filter(has_text="19 hosts")
    expect(redis).to_have_count(1)
    expect(redis.locator("code")).to_have_count(1)
    expect(redis.locator("code")).to_contain_text('--tags redis --limit "db01.example.com, ')
    expect(page.locator(".finding").first).to_contain_text("unreachable")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page itself does not scroll sideways"
    assert (len(requests), errors) == (1, [])


def test_the_filter_narrows_items_hosts_and_outcomes(open_page: Open, large: str) -> None:
    page = open_page(large).page
    page.keyboard.press("/")
    page.keyboard.type("redis.aof db0")
    shown = page.locator(".matrix tr[data-text]:visible")
    expect(shown).to_have_count(1)
    expect(page.locator("th.host:visible")).to_have_count(9)
    expect(page.locator("#shown")).to_have_text("1 of 200 items, 9 of 50 hosts")
    page.keyboard.press("Escape")
    expect(shown).to_have_count(200)
    page.get_by_role("button", name="24 fail").click()
    expect(shown).to_have_count(2)
    expect(page.locator(".finding:visible")).to_have_count(2)
    expect(page.locator("td.fail:visible")).to_have_count(24)


def test_the_keyboard_reaches_every_cell(open_page: Open, large: str) -> None:
    page = open_page(large).page
    page.locator("td[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("dialog").get_by_role("heading")).to_contain_text("redis.version")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "TD"


def test_a_screen_reader_meets_headings_table_and_words_instead_of_marks(open_page: Open, large: str) -> None:
    page = open_page(large).page
    assert page.get_by_role("heading").all_inner_texts()[:4] == ["NO-GO", "What holds it shut", "Excused and answered by people", "Every item, every host"]
    row = page.get_by_role("row", name="redis.aof")
    expect(row.get_by_role("rowheader")).to_contain_text("Redis keeps its data across a restart")
    expect(row.get_by_role("cell", name="fail")).to_have_count(19)


HOSTILE = [
    "<script>document.title='owned'</script>",
    "<img src=https://evil.example/x.png onerror=\"document.title='owned'\">",
    "</script><script>document.title='owned'</script>",
    "\"><svg onload=document.title='owned'>",
    "{{ 7*7 }} {% raw %}",
    "\x1b[31mred\x1b[2J \u202eOG-ON",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_host_sent_stays_text(open_page: Open, tmp_path: pathlib.Path, text: str) -> None:
    page, requests, errors = open_page(one_host(tmp_path, hostile=text).write()[-1])
    expect(page).to_have_title("NO-GO: prod, checklist sports")
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    expect(page.locator(".finding .seen").first).to_have_text(shown)
    page.locator("td.fail").first.click()
    expect(page.get_by_role("dialog").locator("dd.value", has_text=shown)).to_be_visible()
    assert page.locator("img, svg, iframe").count() == 0
    assert (requests, errors) == ([page.url], [])


def test_it_can_be_read_on_a_telephone_and_without_scripts(browser: t.Any, small: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(pathlib.Path(small).as_uri())
    expect(page.get_by_text(MEND)).to_be_visible()
    expect(page.get_by_role("row", name="redis.version")).to_be_visible()
    assert page.locator("html").bounding_box()["width"] <= 390
    context.close()
