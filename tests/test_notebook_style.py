"""The form that all notebooks keep: two languages that say the same, executed outputs, links, small files."""

import json
import re
from collections import Counter

import pytest

from notebook_tools import ADDRESSES, NOTEBOOKS, REPOSITORY, ROOT, SETUP, committed_form, navigation, with_address

# Words that must not appear in the text, and the one that stands for the thing. A code span may name them.
JAPANESE_TERMS = {
    "生成器": r"ジェネレータ|ジェネレーター|発電機|生成機|生成モデルネットワーク",
    "識別器": r"ディスクリミネータ|鑑別器|判別器|弁別器|識別機",
    "潜在変数": r"潜在ベクトル|潜在表現ベクトル|隠れ変数",
    "学習": r"訓練|トレーニング|列車",
    "損失": r"ロス(?!アン)|誤差関数|コスト関数",
    "転置畳み込み": r"逆畳み込み|逆畳込み|デコンボリューション|転置畳込|分数ストライド畳み込み",
    "畳み込み": r"畳込み|畳込|たたみ込み|コンボリューション",
    "バッチ正規化": r"バッチノーマライゼーション|バッチノルム|バッチ標準化",
    "ノイズ": r"雑音",
    "重み": r"ウェイト|ウエイト",
    "勾配": r"グラディエント",
    "活性化関数": r"アクティベーション|活性関数",
    "全結合層": r"密結合層|デンス層|全結合レイヤー",
    "層": r"レイヤー|レイヤ",
    "画素": r"ピクセル",
    "最適化手法": r"オプティマイザ",
    "本物": r"真の画像|リアル画像",
    "エポック": r"エポク",
    "モード崩壊": r"モードコラプス|モード崩落",
    "審判": r"ジャッジ|判定器",
    "特徴量": r"特徴ベクトル|フィーチャー",
    "確信度": r"信頼度|コンフィデンス",
    "被覆率": r"カバレッジ",
    "物差し": r"ものさし",
    "最近傍法": r"最近隣|ニアレストネイバー",
    "誤り率": r"エラー率|誤分類率",
}
ENGLISH_TERMS = {
    "transposed convolution": r"\bdeconvolutions?\b|\bfractionally[- ]strided\b|\btranspose convolutions?\b",
    "latent variable": r"\blatent (vector|code)s?\b",
    "batch normalization": r"\bbatch ?norm\b|\bbatch normalisation\b",
    "loss": r"\bcost function\b",
    "grey": r"\bgr[a]y\b",
    "colour": r"\bcolor\b",
}
IGNORED_BECAUSE = {"training", "timing", "download", "interactive"}  # an interactive one has a PNG inside its HTML

CODE_SPAN = re.compile(r"`[^`]+`")
FENCE = re.compile(r"```.*?```", re.S)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"")
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.S)
ONE_MACHINE = re.compile(r"(?<![\w.:/])/(home|root|Users|tmp|work|content|var|mnt)/|[A-Z]:\\\\")
KANA_OR_KANJI = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def load(path):
    return json.loads(path.read_text("utf-8"))["cells"]


def source(cell):
    return "".join(cell["source"])


def tags(cell):
    return cell["metadata"].get("tags", [])


def prose(text):
    """The text without code, formulas and addresses."""
    text = FENCE.sub(" ", text)
    text = FORMULA.sub(" ", CODE_SPAN.sub(" ", text))
    return re.sub(r"\]\([^)]*\)", "]", text)


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
            for terms in (JAPANESE_TERMS, ENGLISH_TERMS):
                for right, wrong in terms.items():
                    found = re.search(wrong, prose(source(cell)), re.I)
                    assert not found, f"{cell['id']}: say {right}, not {found.group()}"


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
    prefix = ids[0].split("-")[0]
    for name in ids:
        assert re.fullmatch(rf"{prefix}(-[a-z0-9]+)+", name), name


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
