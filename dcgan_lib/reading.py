"""One language at a time, 日本語 or English: by a switch in JupyterLab, or by notebooks in one language, for Colab.

What belongs here: what the notebooks need to be read, and nothing that they teach. The switch needs no extension and no
JavaScript: three radio buttons and a few rules of CSS hide cells by their ``lang``. On Colab an output cannot hide
cells; ``python -m dcgan_lib.reading ja FOLDER`` writes the collection in one language there.
"""

import json
import os
import re
import shutil
import sys
from pathlib import Path

from .errors import InputError, Parser, run_program
from .files import ASSETS, expand, whole_file, whole_folder

NOTEBOOKS = ASSETS.parent / "notebooks"

LANGUAGES = {"ja": "日本語", "en": "English", "both": "日本語 / English"}
KEPT = ".language"  # the file, in the folder where a notebook runs, that keeps the choice for the next one
VARIABLE = "NOTEBOOK_LANGUAGE"  # the environment variable that goes before it

# Outside of JupyterLab nothing is to be seen: the buttons are off unless a .jp-Notebook is around them, and their words
# come from the rules, so that where a page drops the rules (as GitHub does) it shows no words either.
_STYLE = """
.reading { display: none }
.jp-Notebook .reading { display: flex; gap: 1.2em; font-family: var(--jp-ui-font-family, sans-serif); margin: 4px 0 }
.reading label { cursor: pointer }
.reading span::after { content: attr(data-name) }
.jp-Notebook:has(.reading [value=ja]:checked) .jp-MarkdownCell:has([lang=en]),
.jp-Notebook:has(.reading [value=en]:checked) .jp-MarkdownCell:has([lang=ja]) { display: none }
"""


def language_switch(language: str | None = None) -> None:
    """Show the switch between the languages below the cell that calls this. On Colab, where it cannot work, nothing.

    Args:
        language: "ja", "en" or "both", kept for the notebooks that are run next, in the file ``.language`` beside them.
            Without it, what was kept; the environment variable ``NOTEBOOK_LANGUAGE`` goes before that.
    Raises:
        InputError: ``language`` is none of the three.
    """
    if language is not None:
        if language not in LANGUAGES:
            raise InputError(f"language_switch({language!r}): there are {', '.join(map(repr, LANGUAGES))}")
        with whole_file(Path(KEPT)) as temporary:
            temporary.write_text(f"{language}\n", "utf-8")
    if "google.colab" in sys.modules:
        return
    from IPython.display import HTML, display  # here, because only notebooks have it

    display(HTML(_switch(language or kept_language())))


def kept_language() -> str:
    """The language that the reader chose before; "both" if none, or if the file holds something else."""
    language = os.environ.get(VARIABLE)
    if language is None:
        try:
            language = Path(KEPT).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            language = "both"
    return language if language in LANGUAGES else "both"


def _switch(chosen: str) -> str:
    buttons = "\n".join(
        f'<label><input type="radio" name="reading" value="{value}"{" checked" if value == chosen else ""}>'
        f'<span data-name="{name}"></span></label>'
        for value, name in LANGUAGES.items()
    )
    # A form, so that the buttons of two open notebooks are not one group.
    return f'<style>{_STYLE}</style>\n<form class="reading">\n{buttons}\n</form>'


def work_in_notebooks() -> None:
    """Go to the project's ``notebooks/``, where the chapters find their files, from wherever this notebook lies.

    Raises:
        InputError: the library was installed without the project's folder, or computes on another engine.
    """
    if (engine := os.environ.get("KERAS_BACKEND")) not in (None, "tensorflow"):
        raise InputError(f"this chapter runs on TensorFlow, and KERAS_BACKEND says {engine}; unset it, and start the "
                         "kernel anew")
    if not Path("../dcgan_lib").is_dir():
        os.chdir(_notebooks())


def _notebooks() -> Path:
    if not NOTEBOOKS.is_dir():
        raise InputError("the notebooks need the project's folder: get a copy of it, and pip install -e it")
    return NOTEBOOKS


# ---- the collection in one language --------------------------------------------------------------------------------

KANA_OR_KANJI = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_LINK = re.compile(r"\[(← )?([^][]*) / ([^][]*?)( →)?\]")
_PICTURE = re.compile(r"\.\./((?:assets|gif)/[\w./-]+\.(?:gif|png|svg))")


def in_languages(text: str) -> tuple[str, str, str] | None:
    """A line for both, ``1. 日本語 / English``, as its number, its Japanese and its English; None if it is not one."""
    start, slash, english = text.partition(" / ")
    english_words = re.sub("`.*?`|<code>.*?</code>", "", english)
    if not slash or not KANA_OR_KANJI.search(start) or KANA_OR_KANJI.search(english_words):
        return None
    number = re.match(r"(?:#+ )?(?:[\d.]+ )?", start)[0]
    return number, start[len(number):], english


def write_in_one_language(language: str, folder: Path) -> list[Path]:
    """Write the notebooks, with their outputs, without the cells of the other language.

    Headings and the lines below titles are in one language, links lead from one to the other, pictures lie beside them.

    Args:
        language: "ja" or "en".
        folder: a new one; it appears whole.
    Returns:
        The notebooks.
    Raises:
        InputError: there is something at ``folder``, or no project's folder to read from.
    """
    if language not in ("ja", "en"):
        raise InputError(f"there is ja, and there is en, but no {language}")
    if folder.exists():
        raise InputError(f"{folder} is there already; name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    paths = sorted(_notebooks().glob("[0-9][0-9]_*.ipynb"))
    with whole_folder(folder) as begun:
        for path in paths:
            notebook = json.loads(path.read_text("utf-8"))
            notebook["cells"] = _cells_in(language, notebook["cells"])
            for cell in notebook["cells"]:
                if cell["cell_type"] == "markdown":
                    cell["source"] = [with_its_pictures(line, begun) for line in cell["source"]]
            (begun / path.name).write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return [folder / path.name for path in paths]


def with_its_pictures(text: str, folder: Path) -> str:
    """The text for a page in ``folder``: its pictures, which lie beside ``notebooks/``, are copied into there."""
    for picture in set(_PICTURE.findall(text)):
        (folder / picture).parent.mkdir(exist_ok=True)
        shutil.copyfile(ASSETS.parent / picture, folder / picture)
    return _PICTURE.sub(r"\1", text)


def _cells_in(language: str, cells: list[dict]) -> list[dict]:
    other = {"ja": "lang-en", "en": "lang-ja"}[language]
    kept = [cell for cell in cells if other not in cell["metadata"].get("tags", [])]
    for cell in kept:
        tags, lines = cell["metadata"].get("tags", []), cell["source"]
        if "setup" in tags:  # there is nothing to switch between
            cell["source"] = [line for line in lines if not line.startswith("language_switch")]
            cell["outputs"] = [output for output in cell["outputs"] if "data" not in output]
        elif "navigation" in tags:
            links = "".join(lines).replace("../README.md", "00_start_here.ipynb")
            cell["source"] = [_LINK.sub({"ja": r"[\1\2\4]", "en": r"[\1\3\4]"}[language], links)]
        elif cell["cell_type"] == "markdown" and f"lang-{language}" not in tags:
            cell["source"] = [_line_in(language, line) for line in lines]
    return kept


def _line_in(language: str, line: str) -> str:
    parts = in_languages(line) if not line.startswith(("|", "!", "<", "-", "$")) else None
    if not parts:
        return line
    number, japanese, english = parts
    end = "\n" if line.endswith("\n") else ""
    return f"{number}{(japanese if language == 'ja' else english).strip()}{end}"


def _write(arguments: list[str] | None) -> None:
    parser = Parser(prog="python -m dcgan_lib.reading", description="Write the notebooks in one language.")
    parser.add_argument("language", choices=("ja", "en"))
    parser.add_argument("folder", help="a new folder, which the notebooks are written to")
    options = parser.parse_args(arguments)
    written = write_in_one_language(options.language, expand(options.folder, "the folder"))
    print(f"written   {len(written)} notebooks; begin with {written[0]}")


def main(arguments: list[str] | None = None) -> int:
    """Run ``python -m dcgan_lib.reading``; the exit code is that of :func:`.errors.run_program`."""
    return run_program("dcgan_lib.reading", _write, arguments)


if __name__ == "__main__":
    sys.exit(main())
