"""One language at a time in JupyterLab: 日本語, English, or both.

What belongs here: the switch at the top of each notebook, and where the reader's choice is kept. It needs no extension
and no JavaScript: three radio buttons and a few rules of CSS hide cells by their ``lang``.
"""

import os
import sys
from pathlib import Path

from .errors import InputError
from .files import whole_file

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
