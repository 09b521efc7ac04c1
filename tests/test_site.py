"""The web pages: built from the notebooks, whole, without a request to anywhere else, and, in Chromium, alive."""

import functools
import html
import http.server
import json
import re
import sys
import threading
from html.parser import HTMLParser

import numpy as np
import pytest
from fontTools.ttLib import TTFont

from dcgan_lib.reading import KANA_OR_KANJI
from notebook_tools import NOTEBOOKS, ROOT, load

sys.path.insert(0, str(ROOT / "site"))

import build  # noqa: E402
import pack  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "pages"
    build.build(folder)
    return folder


class Page(HTMLParser):
    """What a page links to, loads and names."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loads, self.ids, self.alternatives, self.languages = [], [], set(), [], []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if "id" in values:
            self.ids.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in ("img", "script") and "src" in values:
            self.loads.append(values["src"])
        if tag == "link":
            self.loads.append(values["href"])
        if tag == "img":
            self.alternatives.append(values.get("alt", ""))
        if tag == "section":
            self.languages.append(values.get("lang"))


@pytest.fixture(scope="module")
def pages(site):
    return {path.name: Page(path) for path in site.glob("*.html")}


def test_every_chapter_has_a_page_and_the_site_is_small(site, pages):
    assert set(pages) == {f"{path.stem}.html" for path in NOTEBOOKS} | {"index.html", "live.html"}
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 40_000_000


def test_every_link_leads_somewhere_also_those_to_cells(site, pages):
    for name, page in pages.items():
        for link in page.links:
            if link.startswith(("http://", "https://")):
                continue
            file, _, place = link.partition("#")
            file = file or name
            assert (site / file).is_file(), f"{name}: {link}"
            assert not place or place in pages[file].ids, f"{name}: {link}"


def test_links_to_cells_are_many(pages):
    assert sum("#" in link for link in pages["22_the_annotated_copy_line_by_line.html"].links) > 100


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for name, page in pages.items():
        for address in page.loads:
            assert not re.match(r"(https?:)?//", address), f"{name}: {address}"
            assert (site / address).is_file(), f"{name}: {address}"
    for path in site.glob("*.css"):
        for address in re.findall(r"url\(\"?([^)\"]+)", path.read_text("utf-8")):
            assert (site / address).is_file(), f"{path.name}: {address}"


def test_both_languages_are_there_in_equal_number(pages):
    for path in NOTEBOOKS:
        cells = [tag for cell in load(path) for tag in cell["metadata"].get("tags", [])]
        languages = pages[f"{path.stem}.html"].languages
        for language in ("ja", "en"):
            assert languages.count(language) == cells.count(f"lang-{language}"), path.stem


def test_pictures_have_words_in_both_languages(pages):
    for name, page in pages.items():
        for text in page.alternatives:
            assert KANA_OR_KANJI.search(text) and re.search("[a-z]{3}", text), f"{name}: {text!r}"


def test_every_formula_became_mathml(site):
    for path in site.glob("[0-9]*.html"):
        text = re.sub(r"(?s)<(pre|code|details).*?</\1>", "", path.read_text("utf-8"))
        assert not re.search(r"\$[^$\n]*\\[a-z]|\$\$", text), path.name
    assert "<math" in (site / "05_losses_and_optimizers.html").read_text("utf-8")


def test_the_font_has_what_the_formulas_need_the_root_too(site):
    characters = TTFont(site / "mathematics.woff").getBestCmap()
    formulas = re.findall("(?s)<math.*?</math>", "".join(path.read_text("utf-8") for path in site.glob("*.html")))
    assert any("<msqrt>" in formula for formula in formulas) and ord("√") in characters
    written = set(html.unescape(re.sub("<[^>]*>", "", "".join(formulas))))
    assert not {c for c in written if c.isprintable() and not c.isspace() and not KANA_OR_KANJI.match(c)
                and ord(c) not in characters}


def test_the_name_of_a_function_stands_apart_from_its_argument():
    assert build.formula(r"y \log p", "inline").count("<mspace") == 2
    assert "<mspace" not in build.formula(r"\log(1 - p)", "inline")


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("1. 何のための層か / What it is for", ["何のための層か", "What it is for"]),
        ("<code>z</code> の形 / The shape of <code>z</code>", ["<code>z</code> の形", "The shape of <code>z</code>"]),
        ("R1 / R2", []),
        ("一つだけ", []),
    ],
)
def test_a_heading_is_split_into_its_languages(text, wanted):
    assert re.findall(r'<span lang="..">(.*?)</span>', build.in_both_languages(text)) == wanted


def test_columns_that_say_the_same_are_marked_with_their_language():
    table = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
        for row in (["", "意味", "meaning", "どこで / where"], ["z", "潜在変数", "latent variable", "A"],
                    ["G", "生成器", "generator", "B"])
    )
    marked = build.in_columns(f"<table>{table}</table>")
    assert re.findall('<td lang="ja">(.*?)</td>', marked) == ["意味", "潜在変数", "生成器"]
    assert re.findall('<td lang="en">(.*?)</td>', marked) == ["meaning", "latent variable", "generator"]
    assert '<span lang="ja">どこで</span>' in marked and "<td>A</td>" in marked
    names = f"<table>{table}</table>".replace("意味", "日本語").replace("meaning", "English")
    assert "<td lang" not in build.in_columns(names)
    both = f"<table>{table}</table>".replace("生成器", "生成器 / G").replace("潜在変数", "13 章 / chapter 13")
    assert "<td lang" not in build.in_columns(both) and '<span lang="ja">13 章</span>' in build.in_columns(both)
    assert "<td lang" not in build.in_columns(f"<table>{table}</table>".replace("generator", "生成器"))


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SystemExit, match="something else"):
        build.build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["--folder", "pages"], 2), (["a", "b"], 2)])
def test_only_a_folder_is_written_to(arguments, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        build.main(arguments)
    assert ended.value.code == code and not list(tmp_path.iterdir())


def test_the_weights_of_the_live_page_are_small_and_make_digits():
    from dcgan_lib.metrics import load_judge

    assert (pack.STATIC / "live.bin").stat().st_size < 2_000_000
    generator, discriminator = pack.unpack()
    images = generator.predict_on_batch(np.random.default_rng(0).uniform(-1, 1, (200, 100)).astype("float32"))
    answers = load_judge().predict_on_batch(images).argmax(axis=-1)
    assert len(set(answers.tolist())) == 10
    assert np.isfinite(discriminator.predict_on_batch(images)).all()


# ---- in Chromium ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def visit(chromium, address):
    """Open a page as a new reader would; a complaint on the console or a request to elsewhere fails the test."""
    complaints, contexts = [], []

    def visit(page_name, language="en-GB", context=None):
        context = context or chromium.new_context(locale=language)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith((address, "data:", "blob:"))
                else complaints.append(request.url))
        page.goto(f"{address}/{page_name}", wait_until="load")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not complaints


def shown(page, language):
    return page.evaluate(
        f"[...document.querySelectorAll('section[lang={language}]')].filter((s) => s.offsetParent !== null).length"
    )


@pytest.mark.browser
def test_every_page_opens_without_a_complaint_or_a_request_to_elsewhere(visit, chromium):
    context = chromium.new_context(locale="ja-JP")
    for name in [f"{path.stem}.html" for path in NOTEBOOKS] + ["index.html", "live.html"]:
        page = visit(name, context=context)
        broken = page.evaluate("[...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)")
        assert not broken, name
        page.close()


@pytest.mark.browser
def test_the_switch_hides_a_language_and_is_remembered(visit, chromium):
    context = chromium.new_context(locale="en-GB")
    page = visit("04_batch_normalization.html", context=context)
    assert shown(page, "en") > 20 and shown(page, "ja") == 0
    page.check("[name=language][value=ja]")
    assert shown(page, "ja") > 20 and shown(page, "en") == 0 and page.url.endswith("?lang=ja")
    other = visit("05_losses_and_optimizers.html", context=context)
    assert shown(other, "ja") > 20 and shown(other, "en") == 0
    other.check("[name=language][value=both]")
    assert shown(other, "ja") == shown(other, "en") > 20


@pytest.mark.browser
@pytest.mark.parametrize(
    "query, locale, seen", [("?lang=en", "ja-JP", "en"), ("", "ja-JP", "ja"), ("?lang=xx", "fr-FR", "en")]
)
def test_the_address_goes_before_the_browsers_language(visit, query, locale, seen):
    page = visit(f"04_batch_normalization.html{query}", locale)
    assert shown(page, seen) > 20 and shown(page, {"ja": "en", "en": "ja"}[seen]) == 0


@pytest.mark.browser
@pytest.mark.parametrize(
    "words, chapter, language",
    [("転置畳み込み", "03_", "ja"), ("checkerboard", "03_", "en"), ("空間 歩", "15_", "ja"), ("20で割", "22_", "both")],
)
def test_search_finds_a_cell_offline(visit, words, chapter, language):
    page = visit(f"index.html?lang={language}")
    page.click("details.search summary")
    page.fill("#search input", words)
    found = page.locator(f'#search a[href^="{chapter}"]').first
    found.wait_for(timeout=20_000)
    place = found.get_attribute("href").partition("#")[2]
    found.click()
    page.wait_for_selector(f"#{place}")
    assert page.locator(f"#{place}").is_visible()


@pytest.mark.browser
def test_an_animation_can_be_stopped_and_played_again(visit):
    page = visit("index.html")
    picture, button = page.locator(".animation img"), page.locator(".animation button")
    button.click()
    assert not picture.is_visible() and page.locator(".animation canvas").is_visible()
    button.click()
    assert picture.is_visible() and page.locator(".animation canvas").count() == 0


@pytest.mark.browser
def test_a_page_fits_a_telephone(visit, chromium):
    context = chromium.new_context(viewport={"width": 390, "height": 800}, locale="ja-JP")
    for name in ("index.html", "05_losses_and_optimizers.html", "live.html", "22_the_annotated_copy_line_by_line.html"):
        page = visit(name, context=context)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name


@pytest.mark.browser
def test_the_live_page_computes_what_keras_computes(visit):
    generator, discriminator = pack.unpack()
    z = np.random.default_rng(1).uniform(-1, 1, (100, 100)).astype("float32")
    images = generator.predict_on_batch(z)
    logits = discriminator.predict_on_batch(images)[:, 0]
    page = visit("live.html")
    page.wait_for_function("window.live")
    made = page.evaluate(
        "(zs) => zs.map((z) => live.generate(Float32Array.from(z))).map((image) => [[...image], live.judge(image)])",
        z.tolist(),
    )
    assert np.abs(np.array([image for image, _ in made]) - images.reshape(100, -1)).max() < 2e-2
    assert np.abs(np.array([logit for _, logit in made]) - logits).max() < 2e-2


@pytest.mark.browser
def test_the_live_page_answers_its_reader(visit):
    page = visit("live.html?lang=en")
    page.wait_for_function("window.live")
    # 1: a slider changes the picture and D's verdict
    before = page.inner_text("#one-verdict")
    page.locator("#sliders input").first.evaluate("s => { s.value = -s.value; s.dispatchEvent(new Event('input')); }")
    assert page.inner_text("#one-verdict") != before
    # 3: nothing is summed before three are chosen for each
    for name in "abc":
        page.check(f"[name=group][value={name}]")
        assert not page.is_visible("#sum")
        for number in range(3):
            page.locator("#gallery button").nth(number).click()
    assert page.is_visible("#sum")
    # 4: a drawn stroke gets a verdict
    page.locator("#board").scroll_into_view_if_needed()
    box = page.locator("#board").bounding_box()
    page.mouse.move(box["x"] + 140, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 130, box["y"] + 220, steps=8)
    page.mouse.up()
    assert "%" in page.inner_text("#drawn-verdict")
    # 5: the threshold takes away what lies below it
    page.wait_for_selector("#nice-sheet canvas:nth-child(200)", timeout=60_000)
    assert page.locator("#nice-sheet .out").count() == 190
    page.locator("#nice-share").evaluate("s => { s.value = 50; s.dispatchEvent(new Event('input')); }")
    assert page.locator("#nice-sheet .out").count() == 100


@pytest.mark.browser
def test_in_print_one_language_is_left_and_no_buttons(visit):
    page = visit("04_batch_normalization.html?lang=ja")
    page.emulate_media(media="print")
    assert not page.is_visible("header") and shown(page, "en") == 0


def test_live_json_describes_the_networks():
    described = json.loads((pack.STATIC / "live.json").read_text("utf-8"))
    for name, network in zip(pack.NETWORKS, pack.unpack()):
        assert described[name] == pack.layers(network)
