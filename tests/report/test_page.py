"""The page in a headless Chromium: offline, drawn, light and dark, narrow, by mouse and by keyboard."""

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest

from workflow_scripts.report.draw import Section, draw_figures
from workflow_scripts.report.page import page as page_text
from workflow_scripts.storage.tables import read_json

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to look at the page with"),
]

Frames = dict[str, pd.DataFrame]
SCATTER = "#alignment_and_loss_pretraining"
# A mark of Vega is faded when its opacity is that of `unless_isolated`.
MARKS = ".mark-symbol path"
PATIENCE = 120_000
"""Milliseconds: what the page does after a click takes long on a busy machine, and is waited for, not timed."""
# Every panel that can be seen is drawn, and every unfolded table is filled.
SETTLED = """() => [...document.querySelectorAll(".panel:not([hidden])")]
    .every(panel => panel.closest(".figure").open === false || panel.dataset.drawn === "yes")
  && [...document.querySelectorAll("details.rows[open]")].every(rows => rows.querySelector("table"))"""
# In the order of the document.
OPACITIES = "marks => marks.map(mark => Number(mark.getAttribute('opacity') ?? 1))"


@pytest.fixture(scope="module")
def sections(tables: Frames) -> list[Section]:
    drawn, left_out = draw_figures(tables)
    assert left_out == []
    return drawn


@pytest.fixture(scope="module")
def html(
    tables: Frames, sections: list[Section], provenance_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    missing = {"missing": [{"experiment": "grid", "train_set": "headers", "eval_set": "science", "seed": 1}]}
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(
        page_text("made-up", tables, sections, [], missing, read_json(provenance_file)),
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator["sync_api.Browser"]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Opened:
    """A page with what it said and asked for while it was open."""

    def __init__(self, browser: "sync_api.Browser", html: Path, width: int = 1280, scheme: str = "light"):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(html.as_uri())
        self.page.wait_for_selector("html[data-ready=yes]")

    def opacities(self, selector: str) -> list[float]:
        return self.page.eval_on_selector_all(selector, OPACITIES)

    def wait_for_opacities(self, selector: str, condition: str) -> list[float]:
        """Opacities of the marks once they fulfil a condition in JavaScript: Vega draws after the click."""
        self.page.wait_for_function(
            f"selector => {{ const found = ({OPACITIES})([...document.querySelectorAll(selector)]);"
            f" return {condition}; }}",
            arg=selector,
        )
        return self.opacities(selector)

    def unfold_everything(self) -> None:
        for summary in self.page.locator("summary").all():
            summary.click()
        self.page.wait_for_function(SETTLED)


@pytest.fixture(scope="module")
def light(browser: "sync_api.Browser", html: Path) -> Iterator[Opened]:
    opened = Opened(browser, html)
    yield opened
    opened.context.close()


@pytest.fixture
def fresh(browser: "sync_api.Browser", html: Path) -> Iterator[Opened]:
    opened = Opened(browser, html)
    yield opened
    assert opened.complaints == []
    opened.context.close()


def test_it_is_one_file_below_five_megabytes(html: Path) -> None:
    text = html.read_text(encoding="utf-8")
    assert len(text.encode()) < 5e6
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"<(img|iframe|link)[^>]+(src|href)=[\"'](?!data:)", markup)
    assert "<script src" not in text
    assert text.count("window.vegaEmbed=") == 1


def test_it_opens_without_a_network_and_without_a_complaint(light: Opened, html: Path) -> None:
    assert light.complaints == []
    assert {url for url in light.requests if not url.startswith("data:")} == {html.as_uri()}


def test_every_figure_is_drawn(light: Opened) -> None:
    for panel in light.page.query_selector_all(".panel:visible"):
        drawing = panel.query_selector(".drawing svg")
        name = panel.evaluate("panel => panel.closest('.figure').id")
        assert drawing, name
        marks = len(drawing.query_selector_all(".mark-symbol path, .mark-rect path"))
        assert marks > 1, name
        assert drawing.bounding_box()["width"] > 150, name
        assert "NaN" not in drawing.inner_html(), name


def test_the_accent_marks_the_intervals_that_leave_zero_out(light: Opened, sections: list[Section]) -> None:
    leagues = [figure for figure in sections[0].figures if figure.name.startswith("metric_league")]
    assert leagues
    for league in leagues:
        accented = light.page.locator(f"#{league.name} .drawing {MARKS}[fill='var(--accent)']")
        assert accented.count() == league.data["excludes_zero"].sum()


def test_a_check_is_drawn_when_it_is_unfolded(fresh: Opened) -> None:
    check = fresh.page.locator("#leave_one_out_pretraining")
    assert check.locator(".drawing svg").count() == 0
    check.locator("summary").first.click()
    check.locator(".panel[data-drawn=yes] .drawing svg").first.wait_for()
    assert check.locator(f".drawing {MARKS}").count() > 5


def test_a_legend_entry_isolates_its_marks_in_every_panel(fresh: Opened) -> None:
    button = fresh.page.locator(f"{SCATTER} button[value=stubs]")
    marks = f"{SCATTER} .drawing {MARKS}"
    before = fresh.opacities(marks)
    assert min(before) > 0.5
    button.click()
    after = fresh.wait_for_opacities(marks, "found.some(opacity => opacity < 0.1)")
    assert button.get_attribute("aria-pressed") == "true"
    assert sum(opacity > 0.5 for opacity in after) == len(before) / 6
    assert sum(opacity < 0.1 for opacity in after) == len(before) * 5 / 6
    button.click()
    assert fresh.wait_for_opacities(marks, "found.every(opacity => opacity > 0.5)") == before


def test_the_keyboard_reaches_legends_and_two_of_them_cross(fresh: Opened, tables: Frames) -> None:
    for field, value in (("eval_set", "code"), ("train_set", "headers"), ("train_set", "shuffled")):
        fresh.page.locator(f"{SCATTER} [data-field={field}] button[value={value}]").focus()
        fresh.page.keyboard.press("Enter")
    metrics = tables["points"]["metric"].nunique()
    fresh.wait_for_opacities(
        f"{SCATTER} .drawing {MARKS}", f"found.filter(opacity => opacity > 0.5).length === {metrics}"
    )
    pressed = fresh.page.locator(f"{SCATTER} button[aria-pressed=true]")
    assert [button.get_attribute("value") for button in pressed.all()] == ["code", "shuffled"]


def test_hovering_names_the_point(fresh: Opened) -> None:
    fresh.page.locator(f"{SCATTER} .drawing {MARKS}").first.hover(force=True)
    tip = fresh.page.locator("#vg-tooltip-element.visible")
    pattern = re.compile(r"trained on\s*\w+\s*evaluated on\s*\w+")
    sync_api.expect(tip).to_contain_text(pattern, timeout=PATIENCE, use_inner_text=True)


def test_another_measure_can_be_chosen(fresh: Opened) -> None:
    matrix = fresh.page.locator("#alignment_matrix")
    assert matrix.locator(".panel:visible .panel-title").all_inner_texts() == ["task2vec"]
    matrix.locator("select").select_option(label="unigram js")
    matrix.locator(".panel[data-drawn=yes]:visible .drawing svg").wait_for()
    assert matrix.locator(".panel:visible .panel-title").all_inner_texts() == ["unigram js"]


def test_table_and_csv_hold_the_data(fresh: Opened, sections: list[Section]) -> None:
    (figure,) = (figure for section in sections for figure in section.figures if f"#{figure.name}" == SCATTER)
    link = fresh.page.locator(f"{SCATTER} a[download]")
    assert link.get_attribute("download") == f"{figure.name}.csv"
    assert unquote(link.get_attribute("href").split(",", 1)[1]) == figure.csv()
    fresh.page.locator(f"{SCATTER} details.rows summary").click()
    fresh.page.locator(f"{SCATTER} tbody tr").first.wait_for()
    assert fresh.page.locator(f"{SCATTER} tbody tr").count() == len(figure.data)
    assert fresh.page.locator(f"{SCATTER} thead th").all_inner_texts() == list(figure.data.columns)
    first = fresh.page.locator(f"{SCATTER} tbody tr").first.locator("td").all_inner_texts()
    assert first == next(csv.reader(figure.csv().splitlines()[1:]))


def test_dark_follows_the_system_and_the_button(browser: "sync_api.Browser", html: Path) -> None:
    opened = Opened(browser, html, scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    label = "getComputedStyle(document.querySelector('.drawing .role-axis-label text')).fill"
    assert opened.page.evaluate(background) == "rgb(20, 24, 27)"
    assert opened.page.evaluate(label) == "rgb(165, 174, 181)"
    opened.page.locator("#theme").click()
    opened.page.wait_for_function(f"{background} === 'rgb(255, 255, 255)'")
    assert opened.page.evaluate(label) == "rgb(88, 96, 105)"
    assert opened.complaints == []
    opened.context.close()


def test_a_phone_never_scrolls_sideways(browser: "sync_api.Browser", html: Path) -> None:
    opened = Opened(browser, html, width=390)
    opened.unfold_everything()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = opened.page.evaluate("""() => [...document.querySelectorAll("main *")]
        .filter(e => e.getBoundingClientRect().right > 391 && !e.closest(".scroll, .table, pre"))
        .map(e => e.outerHTML.slice(0, 120))""")
    assert wide == []
    assert opened.complaints == []
    opened.context.close()


ACCESSIBILITY = """() => {
  const faults = [];
  const named = (e) => (e.getAttribute("aria-label") || e.innerText || "").trim()
    || (e.labels && [...e.labels].map(l => l.innerText).join("").trim());
  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title) faults.push("no title");
  if (document.querySelectorAll("main, header, footer").length !== 3) faults.push("landmarks");
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) faults.push(`heading ${heading.innerText} skips a level`);
    if (!heading.innerText.trim()) faults.push("empty heading");
    level = own;
  }
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  for (const control of document.querySelectorAll("a, button, select, summary")) {
    if (!named(control)) faults.push(`no name: ${control.outerHTML.slice(0, 90)}`);
    if (control.tabIndex < 0) faults.push(`no keyboard: ${control.outerHTML.slice(0, 90)}`);
  }
  for (const box of document.querySelectorAll("[tabindex='0']:not(pre)"))
    if (box.scrollWidth && !box.getAttribute("aria-label")) faults.push(`box without name`);
  for (const svg of document.querySelectorAll(".drawing svg")) {
    const root = svg.closest("[role]");
    const label = svg.getAttribute("aria-label") || (root && root.getAttribute("aria-label")) || "";
    if (!/graphics-document/.test(svg.getAttribute("role") || root?.getAttribute("role") || ""))
      faults.push(`figure without role in ${svg.closest(".figure").id}`);
    if (label.length < 20) faults.push(`figure without description in ${svg.closest(".figure").id}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
  if (new Set(ids).size !== ids.length)
    faults.push(`ids twice: ${ids.filter((id, place) => ids.indexOf(id) !== place)}`);
  for (const e of document.querySelectorAll("[aria-labelledby]"))
    if (!document.getElementById(e.getAttribute("aria-labelledby"))) faults.push("label that is not there");
  for (const link of document.querySelectorAll("a[href^='#']"))
    if (!document.querySelector(link.getAttribute("href"))) faults.push(`dead link ${link.hash}`);
  for (const table of document.querySelectorAll("main table"))
    if (!table.querySelector("th[scope]")) faults.push("table without headers");
  return faults;
}"""

CONTRAST = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
  const page = parts(getComputedStyle(document.body).backgroundColor);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = parts(getComputedStyle(e).backgroundColor);
      if (colour[3] !== 0 || colour.length === 3) return colour;
    }
    return page;
  };
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || e.closest("script, style, noscript, option")) continue;
    const style = getComputedStyle(e);
    if (style.display === "none" || !e.getClientRects().length) continue;
    const svg = e instanceof SVGElement;
    const colour = parts(svg ? style.fill : style.color);
    // The numbers of surfaces and prices stand on the accent at its strongest, half covering the page.
    const accent = parts(getComputedStyle(document.querySelector("h2")).color);
    const cell = e.closest(":is([id^=intervention_surface], [id^=token_worth]) g.mark-text.role-mark");
    const back = cell
      ? page.slice(0, 3).map((v, place) => (v + accent[place]) / 2)
      : behind(svg ? e.closest("div") : e);
    const [high, low] = [luminance(colour), luminance(back)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) faint.add(`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 100)}`);
  }
  return [...faint];
}"""


def test_accessibility(fresh: Opened) -> None:
    fresh.unfold_everything()
    assert fresh.page.evaluate(ACCESSIBILITY) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(browser: "sync_api.Browser", html: Path, scheme: str) -> None:
    opened = Opened(browser, html, scheme=scheme)
    assert opened.page.evaluate(CONTRAST) == []
    opened.context.close()


def test_a_damaged_run_opens_without_a_complaint_and_says_what_is_missing(
    browser: "sync_api.Browser", damaged: Frames, tmp_path: Path
) -> None:
    drawn, left_out = draw_figures(damaged)
    missing = {
        "missing": [{"experiment": "grid", "train_set": "science_50", "eval_set": "science", "seed": 1}]
    }
    path = tmp_path / "index.html"
    path.write_text(page_text("damaged", damaged, drawn, left_out, missing, {}), encoding="utf-8")
    opened = Opened(browser, path)
    assert opened.complaints == []
    opened.page.locator("nav a[href='#missing']").click()
    assert "Experiment grid: no loss of science_50" in opened.page.locator("main").inner_text()
    opened.context.close()


def test_a_name_that_looks_like_markup_stays_a_name(
    browser: "sync_api.Browser", tables: Frames, tmp_path: Path
) -> None:
    hostile = "</script><b>'&\"x,y"
    renamed = {name: tables[name].replace("stubs", hostile) for name in ("points", "correlation")}
    sections, left_out = draw_figures(renamed)
    path = tmp_path / "index.html"
    path.write_text(page_text("made-up", renamed, sections, left_out, {}, {}), encoding="utf-8")
    opened = Opened(browser, path)
    assert opened.complaints == []
    assert opened.page.locator(f"{SCATTER} b").count() == 0
    opened.page.locator(f"{SCATTER} details.rows summary").click()
    opened.page.locator(f"{SCATTER} td", has_text=hostile).first.wait_for()
    opened.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 420)])
def test_a_page_of_recorded_losses_alone(
    browser: "sync_api.Browser", recorded: Frames, tmp_path: Path, scheme: str, width: int
) -> None:
    drawn, left_out = draw_figures(recorded)
    path = tmp_path / "index.html"
    path.write_text(page_text("recorded", recorded, drawn, left_out, {}, {}), encoding="utf-8")
    opened = Opened(browser, path, width=width, scheme=scheme)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.locator("#token_worth .scroll").first.evaluate(
        "e => e.scrollWidth > e.clientWidth"
    ) == (width == 420)
    assert opened.page.evaluate(CONTRAST) == []
    assert "Effective tokens." in opened.page.locator("section[aria-labelledby=method]").inner_text()
    opened.unfold_everything()
    assert opened.page.evaluate(ACCESSIBILITY) == []
    for panel in opened.page.query_selector_all(".panel:visible"):
        inner = panel.query_selector(".drawing svg").inner_html()
        assert "NaN" not in inner and "undefined" not in inner
    assert opened.complaints == []
    opened.context.close()
