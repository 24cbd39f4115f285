"""The report in a real browser: Debian's packages chromium and chromium-driver, through Selenium.

Screenshots and the PDF are written to $ARTEFACTS, or to pytest's temporary folder.
"""

import base64
import json
import os
import re
import shutil
from pathlib import Path

import pytest
import report_factory as factory

from jepa_steps import report

pytestmark = pytest.mark.slow

DRIVER, CHROMIUM = shutil.which("chromedriver"), shutil.which("chromium")
if not (DRIVER and CHROMIUM):
    pytest.skip(
        "no chromium and chromedriver on this machine: apt-get install chromium chromium-driver",
        allow_module_level=True,
    )
webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install selenium")

SIZES, MODES = (1400, 400), ("light", "dark")
HOSTILE = "<script>alert(1)</script>" + "x" * 120
# Text against what is behind it, as WCAG 2 measures it.
CONTRAST = """
const seen = [], parse = c => c.match(/[\\d.]+/g).map(Number);
const light = c => { const [r, g, b] = c.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b; };
for (const e of document.querySelectorAll("body *")) {
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
  let behind = e, fill = [0, 0, 0, 0];
  while (behind && (fill = parse(getComputedStyle(behind).backgroundColor))[3] === 0) behind = behind.parentElement;
  const [a, b] = [parse(getComputedStyle(e).color), fill].map(c => light(c.slice(0, 3)));
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < 4.5) seen.push([e.outerHTML.slice(0, 80), ratio]);
}
return seen;
"""


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory) -> Path:
    folder = Path(os.environ.get("ARTEFACTS") or tmp_path_factory.mktemp("artefacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Three experiments and floors, one more with a hostile name and class."""
    folder = tmp_path_factory.mktemp("page")
    results, data, names = factory.three_experiments(folder)
    name = HOSTILE.replace("/", "∕")
    other = factory.write_data(
        folder / "data" / "photos", [HOSTILE, *map(str, range(1, 10))], 2, "photos"
    )
    factory.write_experiment(results, name, factory.JEPA, 0.9, ("collapse",), salt="photos")
    report.report(results, [data, other], [*names, name], folder / "out")
    return folder / "out" / "report.html"


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.chrome.service.Service(DRIVER)
    browser = webdriver.Chrome(options=options, service=service)
    yield browser
    browser.quit()


def opened(driver, page: Path, width: int, mode: str = "light", unfold: bool = False) -> None:
    features = [{"name": "prefers-color-scheme", "value": mode}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get(page.as_uri())
    if unfold:
        driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")


def test_nothing_is_asked_of_others_and_nothing_is_complained_of(driver, page):
    driver.get_log("performance"), driver.get_log("browser")
    opened(driver, page, 1400, unfold=True)
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = [
        m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"
    ]
    assert page.as_uri() in urls
    assert [u for u in urls if not u.startswith(("data:", page.as_uri()))] == []
    assert driver.get_log("browser") == []


def test_every_section_and_figure_is_shown(driver, page):
    opened(driver, page, 1400, unfold=True)
    shown = "return [...document.querySelectorAll('h2')].map(e => e.textContent)"
    heads = ["Verdicts", "Scores compared with floors", "Experiments", "Provenance"]
    assert driver.execute_script(shown) == heads
    sizes = "return [...document.images].map(i => [i.complete, i.naturalWidth])"
    images = driver.execute_script(sizes)
    assert len(images) > 30 and all(complete and width > 100 for complete, width in images)
    assert driver.execute_script("return document.scripts.length") == 0
    (card,) = driver.execute_script(
        "return [...document.querySelectorAll('.card .name')].map(e => e.textContent)"
        ".filter(t => t.includes('script'))"
    )
    assert card.startswith("<script>alert(1)<")


@pytest.mark.parametrize("unfold", [False, True], ids=["as opened", "all unfolded"])
@pytest.mark.parametrize("width", SIZES)
def test_nothing_sticks_out(driver, page, width, unfold):
    opened(driver, page, width, unfold=unfold)
    outside = driver.execute_script(
        "const w = arguments[0]; return [...document.querySelectorAll('body *')].filter(e => "
        "!e.closest('.scroll') && e.getBoundingClientRect().right > w + .5).map(e => e.outerHTML.slice(0, 90))",
        width,
    )
    assert outside == []
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    wide = "return [...document.querySelectorAll('.card')].filter(c => c.scrollWidth > c.clientWidth).length"
    assert driver.execute_script(wide) == 0


@pytest.mark.parametrize("mode", MODES)
def test_text_can_be_read_in_both_modes_and_figures_lie_on_light(driver, page, mode):
    opened(driver, page, 1400, mode, unfold=True)
    assert driver.execute_script(CONTRAST) == []
    colour = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
    paper = [int(v) for v in re.findall(r"\d+", driver.execute_script(colour, "body"))]
    assert max(paper) < 60 if mode == "dark" else min(paper) > 240
    assert driver.execute_script(colour, "figure img") == "rgb(255, 255, 255)"


def test_it_prints_with_everything_unfolded(driver, page, artefacts):
    opened(driver, page, 1400)
    pdf = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    (artefacts / "report.pdf").write_bytes(pdf)
    assert pdf.startswith(b"%PDF") and pdf.rstrip().endswith(b"%%EOF")
    folded = len(re.findall(rb"/Type\s*/Page\b", pdf))
    opened(driver, page, 1400, unfold=True)
    pdf = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert folded == len(re.findall(rb"/Type\s*/Page\b", pdf)) > 5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", SIZES)
def test_screenshots_are_kept(driver, page, artefacts, width, mode):
    opened(driver, page, width, mode)
    height = driver.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = driver.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
    )
    path = artefacts / f"report-{width}-{mode}.png"
    path.write_bytes(base64.b64decode(shot["data"]))
    assert path.stat().st_size > 50_000
