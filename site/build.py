"""Build the web pages from the executed notebooks: ``python site/build.py [FOLDER]`` (else into ``out/site``).

nbconvert turns Markdown and code into HTML, latex2mathml the formulas; the templates beside this file do the rest.
Nothing in the pages asks another server for anything. To read them: ``python -m http.server -d out/site``.
"""

import argparse
import base64
import html
import importlib.util
import io
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2
from fontTools import subset
from latex2mathml.converter import convert
from nbconvert.filters.ansi import ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

SITE = Path(__file__).resolve().parent
ROOT = SITE.parent
sys.path.insert(0, str(ROOT / "tests"))

from dcgan_lib.files import whole_folder  # noqa: E402
from dcgan_lib.reading import KANA_OR_KANJI, in_languages, with_its_pictures  # noqa: E402
from notebook_tools import NOTEBOOKS, load, reading_minutes, source  # noqa: E402

PAGE_OF = re.compile(r'<a href="(\d\d_\w+)\.ipynb(#[\w-]+)?">(.*?)</a>')
BETWEEN_SENTENCES = re.compile(r"(?<=[。、？」）])\n(?=[^\s|<$#>*0-9-])")  # would be seen as a space
CELL_ID = re.compile(r"[a-z]+(-[a-z0-9]+)+")
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(SITE / "templates"), trim_blocks=True, lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
LEXER = PythonLexer()
FORMATTER = HtmlFormatter(nowrap=True)


class Renderer(IPythonRenderer):
    """nbconvert's Markdown, with the formulas as MathML."""

    def inline_math(self, body: str) -> str:
        return formula(body, "inline")

    def block_math(self, body: str) -> str:
        return f'<div class="formula">{formula(body, "block")}</div>'


def formula(body: str, display: str) -> str:
    """LaTeX as MathML, with the small space on either side of a function's name that latex2mathml leaves out."""
    name, space = "<mi>(?:log|sin)</mi>", '<mspace width="0.17em"></mspace>'
    text = re.sub(rf"({name})(?=<m(?:i|n|sub|sup|frac|sqrt)>)", rf"\1{space}", convert(body, display=display))
    return re.sub(rf"(</m(?:i|n|sub|sup|frac|sqrt)>)(?={name})", rf"\1{space}", text)


class Pages:
    """What the pages share: where they go, and the pictures that they show."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.chapters = chapters()
        self.characters = set()  # of the formulas, for the font
        self.found = []  # what the search looks through: page, cell, its language, the heading above it, its words

    def markdown(self, text: str) -> str:
        text = BETWEEN_SENTENCES.sub("", text)
        page = MarkdownWithMath(renderer=Renderer(escape=False, exclude_anchor_links=True)).render(text)
        for formula in re.findall(r"<math.*?</math>", page, re.S):
            self.characters |= set(html.unescape(re.sub("<[^>]*>", "", formula)))
        page = PAGE_OF.sub(self._link, page).replace('href="../README.md', 'href="index.html')
        page = with_its_pictures(page, self.folder)
        page = re.sub(r"(?s)<table>.*?</table>", lambda table: f'<div class="wide">{in_columns(table[0])}</div>', page)
        return re.sub(r"<(h\d)([^>]*)>(.*?)</\1>", self._heading, page, flags=re.S)

    @staticmethod
    def _link(match: re.Match) -> str:
        name, place, text = match.groups()
        place = place or (f"#{text}" if CELL_ID.fullmatch(text) else "")
        return f'<a href="{name}.html{place}">{text}</a>'

    @staticmethod
    def _heading(match: re.Match) -> str:
        tag, _, text = match.groups()
        return f"<{tag}>{in_both_languages(text)}</{tag}>"

    def picture(self, name: str, content: bytes, alternative: str) -> str:
        """Write a picture of an output to a file; the element that shows it."""
        image = Image.open(io.BytesIO(content))
        file = f"pictures/{name}.{image.format.lower()}"
        (self.folder / "pictures").mkdir(exist_ok=True)
        (self.folder / file).write_bytes(content)
        return (f'<img src="{file}" alt="{html.escape(alternative)}" width="{image.width}" height="{image.height}" '
                'loading="lazy">')

    def outputs(self, cell: dict, alternative: str) -> Iterator[str]:
        """The outputs of a code cell, each as HTML; what was printed bit by bit, as one."""
        printed = ""
        for number, output in enumerate(cell["outputs"]):
            data = output.get("data", {})
            printed += "".join(output.get("text", ""))
            if printed and (number + 1 == len(cell["outputs"]) or "text" not in cell["outputs"][number + 1]):
                yield f'<pre class="output">{ansi2html(printed)}</pre>'
                printed = ""
            if "text/html" in data:
                yield f'<div class="output wide">{"".join(data["text/html"])}</div>'
            elif "image/png" in data:
                content = base64.b64decode("".join(data["image/png"]))
                picture = self.picture(f"{cell['id']}-{number}", content, alternative)
                yield f'<div class="output">{picture}</div>'
            elif "text/markdown" in data:
                yield f'<div class="output">{self.markdown("".join(data["text/markdown"]))}</div>'
            elif "text/plain" in data:
                yield f'<pre class="output">{html.escape("".join(data["text/plain"]))}</pre>'

    def cells(self, path: Path) -> Iterator[dict]:
        """The cells of a notebook as the template needs them."""
        heading = ""
        for cell in load(path):
            tags, text = cell["metadata"].get("tags", []), source(cell)
            if "navigation" in tags:
                continue
            shown = {"id": cell["id"], "kind": cell["cell_type"]}
            if cell["cell_type"] == "markdown":
                if text.startswith("#"):
                    heading = text.splitlines()[0].strip("# ")
                shown["language"] = next((tag[-2:] for tag in tags if tag in ("lang-ja", "lang-en")), "")
                shown["html"] = self.markdown(text)
                words = html.unescape(re.sub(r"<math.*?</math>|<[^>]*>", " ", shown["html"], flags=re.S)).split()
                self.found.append([f"{path.stem}.html", cell["id"], shown["language"], heading, " ".join(words)])
                if not shown["language"]:  # a line for both, as the time below a title
                    shown["html"] = re.sub(r"(?<=<p>)[^<]+(?=</p>)", lambda p: in_both_languages(p[0]), shown["html"])
            else:
                alternative = " ".join(re.sub(r"[`$*]", "", heading).split())
                shown["html"] = highlight(text, LEXER, FORMATTER)
                shown["hidden"] = "jupyter" in cell["metadata"] or "setup" in tags
                outputs = self.outputs(cell, f"{alternative}（図 / picture）") if "setup" not in tags else []
                shown["outputs"] = list(outputs)
            yield shown

    def write(self, name: str, template: str, **values) -> None:
        page = TEMPLATES.get_template(template).render(chapters=self.chapters, both=in_both_languages, **values)
        (self.folder / name).write_text(page, "utf-8", newline="\n")

    def write_font(self) -> None:
        """The part of the font for mathematics that the formulas need."""
        package = Path(importlib.util.find_spec("ziamath").origin).parent
        font = subset.load_font(package / "fonts" / "STIXTwoMath-Regular.ttf", subset.Options())
        options = subset.Options(layout_features=["*"], notdef_outline=True, flavor="woff", with_zopfli=False)
        subsetter = subset.Subsetter(options)
        # An italic letter has a character of its own, which the browser takes for the plain one in <mi>.
        italic = {chr(0x1D434 + ord(c) - 65 - (6 if c > "Z" else 0)) for c in self.characters if c.isascii() and
                  c.isalpha()} | {chr(0x1D6FC + ord(c) - 0x3B1) for c in self.characters if "α" <= c <= "ω"}
        subsetter.populate(text="".join(self.characters | italic) + "ℎ√")
        subsetter.subset(font)
        subset.save_font(font, self.folder / "mathematics.woff", options)


def in_both_languages(text: str, numbered: bool = True) -> str:
    """A text, "日本語 / English", with each part marked; one that stands for both stays as it is, as does the number of
    a heading."""
    parts = in_languages(text)
    if not parts or "<img" in text:
        return text
    number, japanese, english = parts if numbered else ("", parts[0] + parts[1], parts[2])
    return f'{number}<span lang="ja">{japanese}</span><span class="slash"> / </span><span lang="en">{english}</span>'


def in_columns(table: str) -> str:
    """A table whose columns say the same in Japanese and, in the next one, in English, with each cell marked so."""
    if not re.sub("<.*?>", "", table.partition("</thead>")[0]).strip():  # Markdown has no table without a head
        table = re.sub("(?s)<thead>.*?</thead>", "", table)
    rows = [re.findall(r"(?s)<t[hd].*?</t[hd]>", row) for row in re.findall(r"(?s)<tr>.*?</tr>", table)]
    head, body, languages = [re.sub("<.*?>", "", cell) for cell in rows[0]], rows[1:], {}
    for column in range(len(rows[0]) - 1):
        ja, en = ([re.sub("(?s)<code>.*?</code>", "", row[place]) for row in body] for place in (column, column + 1))
        if any(in_languages(re.sub("<.*?>", "", text)) for text in ja) or head[column] == "日本語":
            continue  # each says it in both languages, or they are names, which go together
        if all(map(KANA_OR_KANJI.search, ja)) and not any(map(KANA_OR_KANJI.search, en)) and column not in languages:
            languages |= {column: "ja", column + 1: "en"}

    def cell(text: str, column: int) -> str:
        if column in languages:
            return text.replace(text[:3], f'{text[:3]} lang="{languages[column]}"', 1)
        return re.sub(r"(?s)(?<=>)(.*)(?=</t[hd]>)", lambda inside: in_both_languages(inside[0], False), text, count=1)

    numbered = iter(["".join(cell(text, column) for column, text in enumerate(row)) for row in rows])
    return re.sub(r"(?s)(?<=<tr>).*?(?=</tr>)", lambda _: next(numbered), table)


def chapters() -> list[dict]:
    """The chapters by number: page, title, reading minutes."""
    found = []
    for path in NOTEBOOKS:
        cells = load(path)
        title = next(source(cell) for cell in cells if source(cell).startswith("# ")).splitlines()[0][2:]
        minutes = reading_minutes(cells)
        found.append({"page": f"{path.stem}.html", "number": path.name[:2], "title": html.escape(title[3:]).replace(
            "`", ""), "ja": minutes["ja"], "en": minutes["en"]})
    return found


def build(folder: Path) -> None:
    """Write the site into ``folder``, anew; it appears there whole."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "book.css").exists():
        raise SystemExit(f"site: {folder} holds something else; name a folder that is new or empty")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as begun:
        _write_pages(begun)
        shutil.rmtree(folder, ignore_errors=True)


def _write_pages(folder: Path) -> None:
    shutil.copytree(SITE / "static", folder, dirs_exist_ok=True)
    light, dark = (HtmlFormatter(style=style).get_style_defs(".code") for style in ("default", "github-dark"))
    colours = f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
    (folder / "code.css").write_text(colours, "utf-8")

    pages = Pages(folder)
    start = {cell["id"]: cell for cell in load(NOTEBOOKS[0])}
    names = ("start-intro-ja", "start-intro-en", "start-next-table")
    parts = {name.replace("-", "_"): pages.markdown(source(start[name])) for name in names}
    for number, path in enumerate(NOTEBOOKS):
        pages.write(f"{path.stem}.html", "chapter.html.j2", number=number, cells=list(pages.cells(path)))
    gallery = ("generated_image.png", "training_process.gif")
    parts["gallery"] = [with_its_pictures(f"../assets/{picture}", folder) for picture in gallery]
    pages.write("index.html", "index.html.j2", **parts)
    pages.write("live.html", "live.html.j2")
    pages.write_font()
    (folder / "search.json").write_text(json.dumps(pages.found, ensure_ascii=False), "utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the book as web pages.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "out" / "site", help="(out/site)")
    target = parser.parse_args(arguments).folder.resolve()
    build(target)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{target / 'index.html'}: {len(list(target.glob('*.html')))} pages, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
