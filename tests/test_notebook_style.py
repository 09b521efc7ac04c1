"""The form that all notebooks keep: two languages that say the same, executed outputs, links, small files."""

import ast
import json
import re
from collections import Counter
from functools import cache
from typing import NamedTuple

import pytest

from dcgan_lib.reading import KANA_OR_KANJI
from notebook_tools import (
    ADDRESSES,
    CELL_LINK,
    NOTEBOOKS,
    REPOSITORY,
    ROOT,
    SETUP,
    committed_form,
    load,
    navigation,
    reading_minutes,
    source,
    with_address,
)

TERMS = ROOT / "notebooks" / "23_terms.ipynb"  # its tables say what each thing is called, and what it is not called
IGNORED_BECAUSE = {"training", "timing", "download", "interactive"}  # an interactive one has a PNG inside its HTML

CODE_SPAN = re.compile(r"`[^`]+`")
ROW = re.compile(r"\| (.+) \|")
FENCE = re.compile(r"```.*?```", re.S)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"")
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.S)
ONE_MACHINE = re.compile(r"(?<![\w.:/])/(home|root|Users|tmp|work|content|var|mnt)/|[A-Z]:\\\\")


def tags(cell):
    return cell["metadata"].get("tags", [])


def prose(text):
    """The text without code, formulas and addresses."""
    text = FENCE.sub(" ", text)
    text = FORMULA.sub(" ", CODE_SPAN.sub(" ", text))
    return re.sub(r"\]\([^)]*\)", "]", text)


class Term(NamedTuple):
    """A row of the tables of terms."""

    japanese: str
    english: str
    symbol: str
    meaning_ja: str
    meaning_en: str
    where: str
    never: str

    def forbidden(self):
        """Regular expressions for words that must not appear in the text. A code span may name them."""
        return [span[1:-1] for span in CODE_SPAN.findall(self.never)]


def rows(kind, prefix):
    """The rows of the tables of chapter 23 in cells whose id begins with ``prefix``."""
    tables = [source(cell) for cell in load(TERMS) if cell["id"].startswith(prefix)]
    return [kind(*ROW.fullmatch(line)[1].split(" | ")) for table in tables for line in table.splitlines()[2:]]


@cache
def terms():
    return rows(Term, "terms-table-")


def wrong_word(text):
    text = prose(text)
    for term in terms():
        for pattern in term.forbidden():
            if found := re.search(pattern, text, re.I):
                return f"say {term.japanese} / {term.english}, not {found.group()}"
    return None


def wrong_place(term):
    """What is wrong with the link of a term: the cell and its twin explain it, so both must contain its name."""
    link = CELL_LINK.fullmatch(term.where)
    if not link or not (TERMS.parent / link[2]).is_file():
        return f"{term.japanese}: no link to a chapter: {term.where}"
    texts = {cell["id"]: prose(source(cell)).replace("*", "") for cell in load(TERMS.parent / link[2])}
    if link[1] not in texts:
        return f"{term.japanese}: no cell {link[1]} in {link[2]}"
    name = re.sub("-(ja|en)$", "", link[1])
    ja, en = (texts.get(f"{name}-{language}", texts[link[1]]) for language in ("ja", "en"))
    if term.japanese not in ja:
        return f"{term.japanese}: not in {link[1]}"
    if not re.search(rf"(?<![a-z]){re.escape(term.english)}(e?s)?(?![a-z])", en, re.I):
        return f"{term.english}: not in {link[1]}"
    return None


class Name(NamedTuple):
    """A row of the tables of the library's names."""

    name: str
    does_ja: str
    does_en: str
    where: str


@cache
def library_names():
    return rows(Name, "terms-library-table-")


def imported_names(cells):
    """What the code of these cells takes from the library: ``module.name``, by import or as ``module.name``."""
    found, modules = set(), set()
    for cell in cells:
        if cell["cell_type"] != "code" or "setup" in tags(cell):
            continue
        for node in ast.walk(ast.parse(source(cell))):
            if isinstance(node, ast.ImportFrom) and node.module == "dcgan_lib":
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dcgan_lib."):
                found |= {f"{node.module.removeprefix('dcgan_lib.')}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                found.add(f"{node.value.id}.{node.attr}")
    return {name for name in found if not name.startswith("engines.")}  # modules, and chapter 19 is about them


def wrong_cell(row):
    """What is wrong with the link of a name of the library: the cell must have it in its code or in its output."""
    link = CELL_LINK.fullmatch(row.where)
    cells = {cell["id"]: cell for cell in load(TERMS.parent / link[2])} if link else {}
    if not link or link[1] not in cells:
        return f"{row.name}: no such cell: {row.where}"
    cell, own_name = cells[link[1]], row.name.strip("`").rpartition(".")[2]
    printed = ["".join(output.get("text", [])) for output in cell.get("outputs", [])]
    found = re.search(rf"\b{own_name}\b", "\n".join([source(cell), *printed]))
    return None if found else f"{row.name}: not in {link[1]}"


each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_notebooks_numbered_without_a_gap():
    assert [int(path.name[:2]) for path in NOTEBOOKS] == list(range(len(NOTEBOOKS)))


@each_notebook
def test_committed_form(path):
    assert path.read_text("utf-8") == committed_form(path), "run: python tests/notebook_tools.py"


@each_notebook
def test_size(path):
    assert path.stat().st_size < 500_000


@each_notebook
def test_japanese_and_english_are_twins(path):
    cells = load(path)
    assert any("lang-ja" in tags(cell) for cell in cells)
    for number, cell in enumerate(cells):
        if "lang-en" in tags(cell):
            assert "lang-ja" in tags(cells[number - 1]), f"{cell['id']}: no Japanese cell before it"
        if "lang-ja" not in tags(cell):
            continue
        twin = cells[number + 1]
        assert cell["cell_type"] == twin["cell_type"] == "markdown" and "lang-en" in tags(twin), cell["id"]
        assert twin["id"] == cell["id"].removesuffix("-ja") + "-en"
        ja, en = source(cell), source(twin)
        assert KANA_OR_KANJI.search(ja), cell["id"]
        assert not KANA_OR_KANJI.search(CODE_SPAN.sub("", en)), twin["id"]
        for what, pattern in (("code spans", CODE_SPAN), ("links", LINK), ("formulas", FORMULA)):
            assert Counter(pattern.findall(ja)) == Counter(pattern.findall(en)), f"{cell['id']}: {what} differ"


@each_notebook
def test_a_chapter_is_read_in_three_quarters_of_an_hour(path):
    assert max(reading_minutes(load(path)).values()) <= 45


def test_the_first_chapter_tells_how_long_each_takes_to_read():
    [table] = [source(cell) for cell in load(NOTEBOOKS[0]) if cell["id"] == "start-next-table"]
    told = dict(re.findall(r"^\| \[(\d\d)\]\([^)]*\) \| (\d+) \|", table, re.M))
    assert list(told) == [path.name[:2] for path in NOTEBOOKS[1:]]
    for path in NOTEBOOKS[1:-2]:  # the last two are tables, for looking things up
        assert abs(int(told[path.name[:2]]) - max(reading_minutes(load(path)).values())) <= 2, path.name


@each_notebook
def test_prose_stands_in_tagged_cells_and_is_short(path):
    for cell in load(path):
        text = source(cell)
        if cell["cell_type"] == "code":
            assert len(text.splitlines()) <= 25, cell["id"]
        elif "lang-ja" in tags(cell):
            assert len(prose(text)) <= 260, f"{cell['id']}: {len(prose(text))} characters"
            assert all(line.count("。") <= 1 for line in text.splitlines()), f"{cell['id']}: a sentence a line"
        elif "lang-en" in tags(cell):
            assert len(prose(text).split()) <= 110, f"{cell['id']}: {len(prose(text).split())} words"
            assert not re.search(r"[a-z]{2}\. [A-Z]", prose(text)), f"{cell['id']}: a sentence a line"
        else:
            assert "。" not in text, f"{cell['id']}: prose in a cell that is neither Japanese nor English"


@each_notebook
def test_one_term_for_one_thing(path):
    for cell in load(path):
        if cell["cell_type"] == "markdown":
            wrong = wrong_word(source(cell))
            assert not wrong, f"{cell['id']}: {wrong}"


@pytest.mark.parametrize(
    "text",
    ["発電機", "潜在ベクトルを渡す", "Latent codes", "a deconvolution", "a Cost Function", "color"],
)
def test_a_word_from_the_last_column_is_noticed(text):
    assert wrong_word(text) and not wrong_word(f"`{text}`")


def test_the_tables_of_terms_are_well_formed():
    assert len(terms()) > 60 and all(len(set(column)) == len(terms()) for column in list(zip(*terms()))[:2])
    for term in terms():
        assert "" not in [text.strip() for text in term], term
        assert KANA_OR_KANJI.search(term.meaning_ja) and not KANA_OR_KANJI.search(term.meaning_en), term
        assert term.never == (", ".join(f"`{pattern}`" for pattern in term.forbidden()) or "-"), term
        assert all(re.compile(pattern) for pattern in term.forbidden())


def test_terms_stand_in_the_cells_that_the_tables_name():
    assert not [wrong for term in terms() if (wrong := wrong_place(term))]


@pytest.mark.parametrize(
    "change",
    [
        {"where": "[start-picture-ja](01_dense_activation_reshape_flatten.ipynb)"},
        {"where": "[start-picture-ja](00_start.ipynb)"},
        {"where": "start-picture-ja"},
        {"japanese": "審判"},
        {"english": "judge"},
        {"english": "gener"},
    ],
)
def test_a_wrong_row_of_terms_is_noticed(change):
    right = next(term for term in terms() if term.english == "generator")
    assert not wrong_place(right) and wrong_place(right._replace(**change))


def test_every_name_that_chapters_import_is_told_once():
    told = [row.name for row in library_names()]
    imported = set().union(*(imported_names(load(path)) for path in NOTEBOOKS))
    assert len(imported) > 60 and sorted(told) == sorted(f"`{name}`" for name in imported)
    for row in library_names():
        assert KANA_OR_KANJI.search(row.does_ja) and not KANA_OR_KANJI.search(row.does_en) and len(row.does_en) > 4, row
        assert not wrong_cell(row)


@pytest.mark.parametrize(
    "where",
    [
        "start-data-load",
        "[start-data-load](01_the_game.ipynb)",
        "[start-data-ja](00_start_here.ipynb)",
        "[start-none](00_start_here.ipynb)",
    ],
)
def test_a_wrong_row_of_names_is_noticed(where):
    right = next(row for row in library_names() if row.name == "`data.load_mnist_test`")
    assert not wrong_cell(right) and wrong_cell(right._replace(where=where))


@each_notebook
def test_a_chapter_that_imports_names_says_where_they_are_told(path):
    cells = load(path)
    if imported_names(cells):
        assert any("lang-ja" in tags(cell) and f"({TERMS.name})" in source(cell) for cell in cells)


@each_notebook
def test_bold_is_rendered(path):
    # CommonMark does not end bold between a bracket and a letter, as in **「語」**です.
    for cell in load(path):
        if cell["cell_type"] == "markdown":
            text = prose(source(cell))
            assert not re.search(r"\w\*\*[「（『]|[」）』。]\*\*\w", text), cell["id"]


@each_notebook
def test_executed_in_order_without_errors(path):
    code = [cell for cell in load(path) if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for output in cell["outputs"]:
            assert output["output_type"] != "error", cell["id"]
            assert output.get("name") != "stderr", f"{cell['id']}: {output.get('text')}"
            assert not any("widget" in kind for kind in output.get("data", {})), cell["id"]


@each_notebook
def test_cell_ids_are_named_by_hand(path):
    ids = [cell["id"] for cell in load(path)]
    assert len(set(ids)) == len(ids)
    for name in ids:
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", name), name


def test_a_cell_id_names_one_cell_in_all_chapters():
    names = Counter(cell["id"] for path in NOTEBOOKS for cell in load(path))
    assert not [name for name, count in names.items() if count > 1]


@each_notebook
def test_setup_cell_comes_first(path):
    code = [cell for cell in load(path) if cell["cell_type"] == "code"]
    assert "setup" in tags(code[0]) and source(code[0]) == SETUP
    assert not any("setup" in tags(cell) for cell in code[1:])


@each_notebook
def test_navigation_first_and_last(path):
    cells = load(path)
    assert source(cells[0]) == source(cells[-1]) == navigation(path)
    assert "navigation" in tags(cells[0]) and "navigation" in tags(cells[-1])


@each_notebook
def test_links_and_pictures(path):
    for cell in load(path):
        if cell["cell_type"] != "markdown":
            continue
        for picture in (first or second for first, second in PICTURE.findall(source(cell))):
            assert not picture.startswith("http"), f"{cell['id']}: a picture by a web address"
            assert (path.parent / picture).is_file(), f"{cell['id']}: {picture}"
        for link in LINK.findall(source(cell)):
            if not link.startswith("http"):
                assert (path.parent / link.split("#")[0]).exists(), f"{cell['id']}: {link}"


@each_notebook
def test_no_path_of_one_machine(path):
    for cell in load(path):
        if "setup" in tags(cell):
            continue
        outputs = json.dumps([output.get("text") for output in cell.get("outputs", [])])
        for text in (source(cell), outputs):
            assert not ONE_MACHINE.search(text), cell["id"]


@each_notebook
def test_outputs_are_compared_but_for_named_reasons(path):
    code = [cell for cell in load(path) if cell["cell_type"] == "code"]
    ignored = [cell for cell in code if any("ignore-output" in tag for tag in tags(cell))]
    for cell in code:
        assert not source(cell).endswith(";"), f"{cell['id']}: nbval does not heed it; end with plt.show()"
        assert "nbval" not in source(cell).lower(), f"{cell['id']}: use the tag nbval-ignore-output"
        assert not any(tag in ("nbval-skip", "raises-exception") for tag in tags(cell)), cell["id"]
    for cell in ignored:
        assert IGNORED_BECAUSE & set(tags(cell)), f"{cell['id']}: needs a tag that says why: {IGNORED_BECAUSE}"
    assert len(ignored) <= max(2, len(code) // 5)


def test_the_address_stands_in_one_place():
    account_and_name = REPOSITORY.removeprefix("https://github.com/")
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", account_and_name)
    for path in ADDRESSES:
        assert path.read_text("utf-8") == with_address(path), f"{path.name}: run: python tests/notebook_tools.py"
    name = account_and_name.split("/")[1]
    texts = [*ADDRESSES, ROOT / "CONTRIBUTING.md", *NOTEBOOKS, *(ROOT / "dcgan_lib").rglob("*.py")]
    for path in texts:
        for found in re.findall(rf"github(?:\.com)?/([\w.-]+/{re.escape(name)})\b", path.read_text("utf-8")):
            assert found == account_and_name, path
