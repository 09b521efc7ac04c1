"""The notebooks in JupyterLab itself, in Chromium: they open, their pictures show, the switch works, one runs."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress

import pytest

from notebook_tools import NOTEBOOKS, ROOT, load

pytestmark = pytest.mark.browser
SEEN = """
(language) => [...document.querySelectorAll('.jp-MarkdownCell')]
  .filter((cell) => cell.querySelector(`[lang=${language}]`) && cell.offsetParent !== null).length
"""

IDLE, BUSY = (f".jp-Notebook-ExecutionIndicator[data-status={status}]" for status in ("idle", "busy"))
IMAGES = "[...document.querySelectorAll('.jp-Notebook img')]"


@contextmanager
def running(folder, **settings):
    """JupyterLab's address, on a copy of the project in ``folder``; the settings are those of its notebooks."""
    copy = folder / "project"
    copy.mkdir()
    for name in ("notebooks", "dcgan_lib", "assets", "gif"):
        shutil.copytree(ROOT / name, copy / name)
    shutil.copyfile(ROOT / "README.md", copy / "README.md")
    kept = folder / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps(settings))
    environment = {**os.environ, "NOTEBOOK_STEPS": "20", "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    environment |= {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment.pop("NOTEBOOK_LANGUAGE", None)
    token = secrets.token_hex(8)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0", f"--IdentityProvider.token={token}",
               "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
               "--expose-app-in-browser"]
    if hasattr(os, "getuid") and os.getuid() == 0:
        command.append("--allow-root")
    log = folder / "log"
    with open(log, "w") as file:
        server = subprocess.Popen(command, cwd=copy, stdout=file, stderr=subprocess.STDOUT, env=environment)
    try:
        yield _address(folder / "RUNTIME", server, log), token
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def page_that_draws_all(tmp_path_factory, chromium):
    """A page of JupyterLab, and its errors; it draws also the cells that are far from what is seen."""
    with running(tmp_path_factory.mktemp("lab"), windowingMode="none") as (address, token):
        page, errors = chromium.new_page(viewport={"width": 1400, "height": 1000}), []
        # "Disposed" comes from a notebook that is closed, sometimes late.
        page.on("pageerror", lambda error: str(error) == "Disposed" or errors.append(str(error)))
        page.goto(f"{address}/lab?reset&token={token}")
        page.wait_for_function("window.jupyterapp?.commands.hasCommand('docmanager:open')", timeout=60_000)
        page.evaluate("async () => { await jupyterapp.restored }")
        yield page, errors
        page.close()


@pytest.fixture
def opened(page_that_draws_all):
    """Opens a notebook in that page, alone. What JupyterLab says as it closes the one before does not count."""
    page, errors = page_that_draws_all

    def opened(path):
        errors.clear()
        page.evaluate("async path => { await jupyterapp.commands.execute('docmanager:open', {path}) }",
                      f"notebooks/{path.name}")
        return page

    yield opened
    said = errors.copy()
    # Not its command to close, which asks whether to save what the kernel has told of itself by then.
    page.evaluate("() => jupyterapp.shell.currentWidget.dispose()")
    assert not said


def _address(runtime, server, log):
    """What the server wrote down of itself, once it answers."""
    for _ in range(120):
        assert server.poll() is None, log.read_text()
        for path in runtime.glob("jpserver-*.json"):
            url = json.loads(path.read_text())["url"]
            try:
                urllib.request.urlopen(f"{url}api", timeout=5).close()
                return url.rstrip("/")
            except OSError:
                pass
        time.sleep(0.5)
    raise AssertionError(log.read_text())


@pytest.fixture
def open_notebook(chromium):
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    errors = []

    def open_notebook(path, lab):
        address, token = lab
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}/lab/tree/notebooks/{path.name}?reset&token={token}")
        page.wait_for_selector(".jp-NotebookPanel .jp-MarkdownCell", timeout=60_000)
        return page

    yield open_notebook
    context.close()
    assert not errors


def wait_until_idle(page, seconds):
    page.wait_for_selector(IDLE, timeout=1000 * seconds)


def act(page, action, shows):
    """Do what a reader does until it ``shows``: while a page is still being drawn, a click or a key may get lost."""
    wait_until_idle(page, 90)
    for _ in range(5):
        action()
        with suppress(Exception):
            page.wait_for_selector(shows, timeout=25_000)
            return
    raise AssertionError(f"nothing came of it: {shows}")


def run_setup(page):
    def press():
        page.locator(".jp-CodeCell .jp-InputPrompt").first.click()
        page.keyboard.press("Shift+Enter")

    act(page, press, ".jp-Notebook .reading input")


def run_all(page):
    def choose():
        page.click("text=Run >> nth=0")
        page.click("[data-command='runmenu:run-all']")

    act(page, choose, BUSY)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_opens_and_its_pictures_show(opened, path):
    page = opened(path)
    cells = load(path)
    pictures = sum("image/png" in output.get("data", {}) for cell in cells for output in cell.get("outputs", []))
    texts = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    page.wait_for_function(
        f"document.querySelectorAll('.jp-Notebook .jp-Cell').length === {len(cells)} && "
        f"document.querySelectorAll('.jp-OutputArea img').length >= {pictures} && "
        f"{IMAGES}.length >= {pictures + texts.count('![') + texts.count('<img')} && "
        f"{IMAGES}.every((image) => image.currentSrc && image.complete)", timeout=90_000,
    )
    assert not page.evaluate(f"{IMAGES}.filter((image) => !image.naturalWidth).map((image) => image.src)")


def test_the_switch_hides_one_language_also_after_scrolling(open_notebook, lab):
    page = open_notebook(NOTEBOOKS[4], lab)
    run_setup(page)
    both = page.evaluate(SEEN, "ja")
    assert both == page.evaluate(SEEN, "en") > 20
    for language, other in (("ja", "en"), ("en", "ja")):
        page.check(f".reading input[value={language}]")
        page.locator(".jp-WindowedPanel-outer").first.evaluate("panel => panel.scrollTo(0, panel.scrollHeight)")
        page.wait_for_timeout(500)
        assert (page.evaluate(SEEN, language), page.evaluate(SEEN, other)) == (both, 0)
        page.locator(".jp-WindowedPanel-outer").first.evaluate("panel => panel.scrollTo(0, 0)")


def test_run_all_of_the_first_notebook_redraws_its_samples_in_place(open_notebook, lab):
    page = open_notebook(NOTEBOOKS[0], lab)
    run_all(page)
    wait_until_idle(page, 400)
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    training = page.evaluate("""() => [...document.querySelectorAll('.jp-CodeCell')]
        .filter((cell) => cell.querySelector('.cm-content')?.textContent.includes('LiveSamples'))
        .map((cell) => cell.querySelectorAll('.jp-OutputArea-output img').length)""")
    assert 1 in training and max(training) == 1, "each picture replaces the one before"
