"""The page in a real browser, where there is one: drawn, readable on a phone, light and dark, accessible."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ltr.analysis.comparison import compare
from ltr.report.page import Subject, page
from tests.marks import slow

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two runs."""
    other = subject._replace(name="another", settings={"prune_rate": 0.4})
    path = tmp_path_factory.mktemp("page") / "report.html"
    compared = compare([subject.results, other.results], "ticket", [True, True])
    path.write_text(page([subject, other], compared), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Any, file: Path) -> Iterator[Any]:
    """Opens the page in a window; whatever the browser complains of, or asks for, fails the test."""
    contexts, complaints, asked = [], [], []

    def open_page(**how: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | how)
        contexts.append(context)
        window = context.new_page()
        window.on("console", lambda message: complaints.append(message.text))
        window.on("pageerror", lambda error: complaints.append(str(error)))
        window.on("request", lambda request: asked.append(request.url))
        window.goto(file.as_uri())
        return window

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert all(url.startswith((file.as_uri(), "data:")) for url in asked)


def test_every_figure_is_drawn(opened: Any) -> None:
    window = opened()
    boxes = window.eval_on_selector_all(
        "figure svg",
        "all => all.map(svg => [svg.getBoundingClientRect().width, svg.getBoundingClientRect().height,"
        " svg.querySelectorAll('path').length])",
    )
    assert len(boxes) == 1 + 2 * 7
    assert all(width > 250 and height > 150 and paths > 3 for width, height, paths in boxes)


@pytest.mark.parametrize("width", [360, slow(768), slow(1280)])
def test_nothing_is_wider_than_the_window(opened: Any, width: int) -> None:
    window = opened(viewport={"width": width, "height": 844})
    assert window.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_verdict_effect_and_n_are_on_the_screen(opened: Any) -> None:
    window = opened(viewport={"width": 360, "height": 740})
    table = window.locator("#r0 .claims")
    assert table.evaluate("table => table.parentElement.scrollWidth - table.parentElement.clientWidth") <= 0
    for text in ("pp", "needed", "3"):
        box = table.get_by_text(text).last.bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= 360
    badges = [badge.bounding_box() for badge in window.locator("#r0 .glance .badge").all()]
    assert len(badges) == table.locator("td .badge").count()
    assert all(0 <= box["x"] < box["x"] + box["width"] <= 360 for box in badges)
    first = window.locator("#r0 .glance div").first
    assert {place["y"] for place in badges[:4]} == {badges[0]["y"]}, "four densities stand on a line"
    assert first.bounding_box()["y"] + first.bounding_box()["height"] < table.bounding_box()["y"]


@pytest.mark.parametrize(
    ("scheme", "width"), [slow(scheme, width) for scheme in ("light", "dark") for width in (360, 1280)]
)
def test_no_serious_fault_of_accessibility(opened: Any, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    window = opened(color_scheme=scheme, viewport={"width": width, "height": 900})
    found = axe.run(window).response
    serious = [
        (fault["id"], [node["target"] for node in fault["nodes"]])
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert len(found["passes"]) > 10


def test_dark_is_dark_figures_included(opened: Any) -> None:
    def colours(scheme: str) -> list[str]:
        window = opened(color_scheme=scheme)
        of = "element => getComputedStyle(element)"
        back = window.eval_on_selector("body", f"element => {of[11:]}.backgroundColor")
        text = window.eval_on_selector("figure svg text", f"element => {of[11:]}.fill")
        return [back, text]

    light, dark = colours("light"), colours("dark")
    assert light[0] == "rgb(255, 255, 255)"
    assert sum(map(int, dark[0][4:-1].split(","))) < 100
    assert light[1] != dark[1]


def test_an_arm_can_be_hidden_and_shown(opened: Any) -> None:
    window = opened()
    parts = window.locator("#r0-accuracy .arm-random_mask")
    ids = {part.get_attribute("id").removeprefix("r0-accuracy-random_mask:") for part in parts.all()}
    assert ids == {"ribbon", "line", "means", "replicates"}
    assert all(part.is_visible() for part in parts.all())
    box = window.locator("#r0 .chips input[data-part=arm-random_mask]")
    box.uncheck()
    assert not any(part.is_visible() for part in parts.all())
    assert window.locator("#r1-accuracy .arm-random_mask").first.is_visible()
    box.check()
    assert all(part.is_visible() for part in parts.all())


def test_a_density_can_be_hidden_in_the_learning_curves(opened: Any) -> None:
    window = opened()
    curve = window.locator("#r0-learning .arm-ticket.round-2").first
    assert curve.is_visible()
    window.locator("#r0-learning input[data-part=round-2]").uncheck()
    assert not curve.is_visible()
    assert window.locator("#r0-learning .arm-ticket.round-1").first.is_visible()
    assert window.locator("#r1-learning .arm-ticket.round-2").first.is_visible()


def test_a_marker_says_its_number_under_the_pointer(opened: Any) -> None:
    window = opened()
    tip = window.locator("#tip")
    assert not tip.is_visible()
    window.locator("#r0-accuracy .arm-ticket .marker").last.hover()
    assert tip.is_visible()
    assert "13 % of the weights: " in tip.text_content()


def test_without_javascript_all_of_it_can_be_read(opened: Any) -> None:
    window = opened(java_script_enabled=False)
    for selector in ("#r0 .answer", "#r0 .claims", "#r0-accuracy svg", "#r0-again"):
        assert window.locator(selector).is_visible()
    assert not window.locator("#r0 .chips").first.is_visible()


@pytest.mark.slow
def test_it_can_be_printed(opened: Any, tmp_path: Path) -> None:
    window = opened()
    window.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").stat().st_size > 20_000
