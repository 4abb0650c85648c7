"""The site as a reader meets it: in Chromium, on a desktop and a telephone, light and dark.

Needs the distribution's Chromium (on Debian: apt install chromium) and the packages playwright and
axe-playwright-python; skipped without. All pages but the first are slow tests.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mixup_repro import site
from mixup_repro.beta import theta_bar
from mixup_repro.paths import CHECKOUT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
if CHROMIUM is None:
    pytest.skip("no Chromium here", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

DESKTOP, TELEPHONE = (1280, 900), (390, 844)
VIEWS = [(size, scheme) for size in (DESKTOP, TELEPHONE) for scheme in ("light", "dark")]
OUT = CHECKOUT / "site"  # beside the results, as the links want it


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A fresh build; links to the results are looked at in test_site.py."""
    out = tmp_path_factory.mktemp("browser") / "site"
    site.build(CHECKOUT / "results", out)
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright.sync_playwright() as start:
        # As root, and in most containers, Chromium's own sandbox does not start.
        running = start.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def names() -> list:
    """Every page: the first is looked at with every test, the others with the slow ones."""
    top = ["claims", "errata", "notes", "use", "method", "results/index"]
    items = ["results/carratino2020-fig4", "results/chidambaram2022-fig1"]
    items += ["results/chidambaram2022-fig3", "results/carratino2020-theory"]
    items += ["results/carratino2020-corruptions", "results/notes-calibration"]
    return ["index", *(pytest.param(name, marks=pytest.mark.slow) for name in top + items)]


def opened(browser, built: Path, name: str, size=DESKTOP, scheme="light", script=True):
    """A page, and what it asked for or said on the console."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        java_script_enabled=script,
        reduced_motion="reduce",
    )
    page, heard = context.new_page(), []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("requestfailed", lambda request: heard.append(request.url))
    page.on(
        "request",
        lambda r: heard.append(r.url) if not r.url.startswith(("file:", "data:")) else None,
    )
    page.goto((built / f"{name}.html").as_uri())
    page.wait_for_load_state()
    return page, heard


@pytest.mark.parametrize("name", names())
def test_a_page_is_accessible_fits_and_asks_nobody(name, browser, built):
    for size, scheme in VIEWS:
        page, heard = opened(browser, built, name, size, scheme)
        assert heard == []
        found = axe.Axe().run(page).response["violations"]
        told = [(v["id"], v["impact"], v["nodes"][0]["html"][:200]) for v in found]
        assert not told, (name, size, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], (name, size)
        assert cut_off(page) == [], (name, size)
        assert small_text(page) == [], (name, size)
        page.context.close()


def cut_off(page) -> list[str]:
    """Elements beyond the screen that are in nothing that scrolls, or that scroll unfocused."""
    return page.evaluate(
        """() => {
      const wide = innerWidth, out = [];
      const scrolls = (e) => ["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX);
      for (const e of document.querySelectorAll("body *")) {
        if (e.closest("svg") && e.tagName !== "svg") continue;
        const box = e.getBoundingClientRect();
        if (box.width === 0 || e.closest(".skip")) continue;
        let up = e.parentElement;
        while (up && !scrolls(up)) up = up.parentElement;
        if (box.right > wide + 1 && !up) out.push(e.outerHTML.slice(0, 120));
        if (getComputedStyle(e).overflowX === "auto" && e.scrollWidth > e.clientWidth + 1
            && e.tabIndex < 0) out.push("no focus: " + e.outerHTML.slice(0, 120));
      }
      return out; }"""
    )


def small_text(page) -> list[str]:
    """Text in drawings that is shown in less than 11 pixels; sub- and superscripts may be."""
    return page.evaluate(
        """() => {
      const out = [];
      for (const svg of document.querySelectorAll("svg[viewBox]")) {
        const shown = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
        if (!shown) continue;
        for (const text of svg.querySelectorAll("text")) {
          const spans = [...text.querySelectorAll("tspan")];
          const size = Math.max(...[text, ...spans]
            .map((e) => parseFloat(getComputedStyle(e).fontSize)));
          if (size * shown < 10.95) out.push(`${text.textContent}: ${size * shown}`);
        }
      }
      return out; }"""
    )


@pytest.mark.parametrize("size", [DESKTOP, TELEPHONE])
def test_what_came_out_is_on_the_first_screen(size, browser, built):
    page, _ = opened(browser, built, "index", size)
    box = page.locator("#outcome").bounding_box()
    assert box["y"] + box["height"] < size[1]
    page.context.close()


def test_the_first_page_is_whole_without_scripts(browser, built):
    page, _ = opened(browser, built, "index", script=False)
    text = page.locator("main").inner_text()
    assert "What came out" in text and page.locator(".sq[href]").count() > 60
    assert page.locator(".js").first.is_hidden() and page.locator(".tiles:visible").count() == 1
    page.context.close()


@pytest.mark.slow
def test_claims_and_numbers_are_there_without_scripts(browser, built):
    page, _ = opened(browser, built, "claims", script=False)
    assert page.locator(".filter").is_hidden()
    rows = page.locator(".claims > li")
    ids = len(set(re.findall(r"<li id=([\w-]+) data-words", (built / "claims.html").read_text())))
    assert rows.count() == ids and all(rows.nth(k).is_visible() for k in (0, ids // 2, ids - 1))
    page.context.close()
    page, _ = opened(browser, built, "results/carratino2020-fig4", script=False)
    page.locator("summary").first.click()  # opens without a script
    assert "points" in page.locator(".claims").inner_text()
    assert page.locator(".fig svg:visible").count() == page.locator("figure").count()
    page.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("size", [DESKTOP, TELEPHONE])
def test_one_drawing_of_each_figure_is_seen(size, browser, built):
    page, _ = opened(browser, built, "results/chidambaram2022-fig1", size)
    assert page.locator("figure .fig:visible").count() == page.locator("figure").count() == 1
    page.context.close()


@pytest.mark.slow
def test_the_filter_works_by_keyboard_and_its_state_is_in_the_address(browser, built):
    page, _ = opened(browser, built, "claims")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("rescaling accuracy")
    shown = page.locator(".claims > li:visible")
    assert 0 < shown.count() < 10 and "q=rescaling" in page.url
    assert page.locator(".count").inner_text().startswith(f"{shown.count()} of ")
    address, count = page.url, shown.count()
    page.goto("about:blank")
    page.goto(address)
    assert page.locator(".claims > li:visible").count() == count
    page.locator(".claims > li:visible summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(".claims > li:visible details").first.get_attribute("open") is not None
    page.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["index", "claims", "results/index"])
def test_what_is_tapped_is_at_least_24_pixels_and_focus_is_seen(name, browser, built):
    page, _ = opened(browser, built, name, TELEPHONE)
    small = page.evaluate(
        """() => [...document.querySelectorAll(
          "nav a, .sq[href], summary, input, select, .card > a")]
        .filter((e) => e.offsetParent).map((e) => [e, e.getBoundingClientRect()])
        .filter(([e, b]) => Math.min(b.width, b.height) < 24)
        .map(([e]) => e.outerHTML.slice(0, 99))"""
    )
    assert small == []
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.context.close()


def test_the_slider_blends(browser, built):
    page, heard = opened(browser, built, "index")
    over = page.locator(".live [data-over]").first
    before, shrunk = over.get_attribute("opacity"), page.locator(".blend [data-shrunk]")
    page.locator("#alpha").focus()
    page.keyboard.press("ArrowRight")
    assert "α = 2" in page.locator(".blend output").inner_text()
    assert over.get_attribute("opacity") != before and heard == []
    assert shrunk.get_attribute("transform") == f"scale({theta_bar(2.0):.3f})"
    page.context.close()


@pytest.mark.slow
def test_theta_bar_of_an_alpha_is_that_of_the_library(browser, built):
    page, _ = opened(browser, built, "use")
    for alpha in ("1", "0.1", "0.3", "0.0123", "19.9", "50", "1024", "1e6"):
        page.locator(".field input").fill(alpha)
        told = page.locator(".field output").inner_text().split("= ")[1]
        assert told == f"{theta_bar(float(alpha)):.3f}"
    page.locator(".field input").fill("0")
    assert "give a number" in page.locator(".field output").inner_text()
    page.context.close()


@pytest.mark.slow
def test_alternative_texts_differ_and_are_no_file_names(built):
    for path in built.rglob("*.html"):
        text = path.read_text()
        shown = re.findall(r'role=img aria-label="([^"]+)"', text)
        assert not any(re.search(r"\.svg|\.png|-short|-paper", label) for label in shown), path
        wide = re.findall(r'<div class="fig wide"[^>]*><svg[^>]*aria-label="([^"]+)"', text)
        assert len(set(wide)) == len(wide), path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["claims", "results/chidambaram2022-fig1"])
def test_print_has_no_empty_page_and_no_bar(name, browser, built):
    page, _ = opened(browser, built, name)
    pdf = page.pdf(format="A4")
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    height = page.evaluate("document.documentElement.scrollHeight")
    assert 1 <= pages <= height / 500 + 2
    page.context.close()
