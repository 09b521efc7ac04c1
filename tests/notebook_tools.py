"""Bring the notebooks into their committed form: ``python tests/notebook_tools.py``, after editing or executing one.

It writes the repository's address (``[project.urls]`` in ``pyproject.toml``) into badges, set-up cells, the README and
``CITATION.cff``, writes the links from notebook to notebook, puts an element with its language around each text, and
takes out the metadata and timings that editors add. It changes no other text and no output.
"""

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
ADDRESSES = {  # where else the address stands
    ROOT / "README.md": r"(?<=^git clone )\S+",
    ROOT / "CITATION.cff": r"(?<=^repository-code: )\S+",
}

CELL_LINK = re.compile(r"\[([a-z0-9-]+)\]\((\d\d_\w+\.ipynb)\)")  # a cell's id, and the notebook that it stands in

LANGUAGE_ELEMENT = re.compile(r"^<div lang=\"\w+\">$|^</div>$", re.M)

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

SETUP = f'''\
import os
import subprocess
import sys
from pathlib import Path

repository = "{REPOSITORY}"
if "google.colab" in sys.modules:
    def projects():  # in /content, or on a mounted Drive
        places = ("", "*/", "drive/MyDrive/", "drive/MyDrive/*/")
        return [found.parent for place in places for found in Path("/content").glob(f"{{place}}dcgan_lib")]
    for archive in [] if projects() else Path("/content").glob("*.zip"):
        subprocess.run([sys.executable, "-m", "zipfile", "-e", archive, "/content"], stderr=subprocess.DEVNULL)
    clone = ["git", "clone", "-q", "--depth", "1", repository, "/content/dcgan"]
    if not projects():
        subprocess.run(clone, stderr=subprocess.DEVNULL, env={{**os.environ, "GIT_TERMINAL_PROMPT": "0"}})
    if not projects():
        sys.exit(f"{{repository}} がありません。プロジェクトの zip をアップロードするか、Drive をマウントします。 / "
                 "It is not there: upload the project as a zip, or mount the Drive that holds it.")
    sys.path.insert(0, str(projects()[0]))
from dcgan_lib.backend import keras, tf
from dcgan_lib.reading import language_switch, work_in_notebooks

work_in_notebooks()
print("Keras", keras.__version__.split(".")[0], "on", keras.backend.backend())
language_switch()  # language_switch("ja"), ("en"), ("both"): 次の章でも / in the next chapters, too'''


def load(path: Path) -> list[dict]:
    """The cells of the notebook file at ``path``."""
    return json.loads(path.read_text("utf-8"))["cells"]


def source(cell: dict) -> str:
    """What the cell says, without the element that tells its language."""
    return without_language("".join(cell["source"]))


def reading_minutes(cells: list[dict]) -> dict[str, int]:
    """Minutes to read a chapter, by language: in one, 400 Japanese characters, 180 English words or 12 lines of code.

    Code that is collapsed is not read.
    """
    amount = {"ja": 0.0, "en": 0.0, "code": 0.0}
    for cell in cells:
        tags, text = cell["metadata"].get("tags", []), source(cell)
        text = re.sub(r"\]\([^)]*\)", "]", re.sub(r"```.*?```", "", text, flags=re.S))
        if "lang-ja" in tags:
            amount["ja"] += len(re.sub(r"\s", "", text)) / 400
        elif "lang-en" in tags:
            amount["en"] += len(text.split()) / 180
        elif cell["cell_type"] == "code" and "setup" not in tags and "jupyter" not in cell["metadata"]:
            amount["code"] += sum(map(bool, map(str.strip, text.splitlines()))) / 12
    return {language: round(amount[language] + amount["code"]) for language in ("ja", "en")}


def navigation(path: Path) -> str:
    """The line with which a notebook begins and ends: the one before, the index, the one after, and Colab."""
    position = NOTEBOOKS.index(path)
    links = ["[目次 / Index](../README.md)"]
    if position > 0:
        links.insert(0, f"[← 前 / Previous]({NOTEBOOKS[position - 1].name})")
    if position < len(NOTEBOOKS) - 1:
        links.append(f"[次 / Next →]({NOTEBOOKS[position + 1].name})")
    colab = REPOSITORY.replace("https://github.com/", "https://colab.research.google.com/github/")
    badge = f"[![Open in Colab](../assets/open_in_colab.svg)]({colab}/blob/main/notebooks/{path.name})"
    return " | ".join([*links, badge])


def in_its_language(text: str, language: str) -> str:
    """A Markdown text inside the element that says which language it is in, for the switch and for screen readers."""
    return f'<div lang="{language}">\n\n{without_language(text)}\n\n</div>'


def without_language(text: str) -> str:
    """The text as it was written, without the element of :func:`in_its_language`."""
    return LANGUAGE_ELEMENT.sub("", text).strip("\n")


def committed_form(path: Path) -> str:
    """The text that the notebook file at ``path`` should have."""
    notebook = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).rstrip("\n")
        tags = cell["metadata"].get("tags", [])
        if "navigation" in tags:
            cell["source"] = navigation(path)
        elif "setup" in tags:
            cell["source"] = SETUP
        for language in ("ja", "en"):
            if f"lang-{language}" in tags:
                cell["source"] = in_its_language(cell["source"], language)
        cell["source"] = cell["source"].splitlines(keepends=True)
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key in ("tags", "jupyter")}
        if tags:
            cell["metadata"]["tags"] = sorted(tags)
        if "jupyter" in cell["metadata"]:
            cell["metadata"]["jupyter"] = {"source_hidden": True}
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output["metadata"] = {}
            if "text" in output:
                output["text"] = "".join(output["text"]).splitlines(keepends=True)
            for kind, text in output.get("data", {}).items():
                if kind.startswith("text/"):
                    output["data"][kind] = "".join(text).splitlines(keepends=True)
    keys = ("cell_type", "execution_count", "id", "metadata", "outputs", "source")
    notebook = {
        "cells": [{key: cell[key] for key in keys if key in cell} for cell in notebook["cells"]],
        "metadata": METADATA,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def with_address(path: Path) -> str:
    """The text of the file at ``path``, one of ``ADDRESSES``, with the repository's address in it."""
    text, places = re.subn(ADDRESSES[path], REPOSITORY, path.read_text("utf-8"), flags=re.M)
    assert places == 1, f"{path}: {places} places for the address"
    return text


def main() -> None:
    texts = {path: committed_form(path) for path in NOTEBOOKS} | {path: with_address(path) for path in ADDRESSES}
    for path, text in texts.items():
        if text != path.read_text("utf-8"):
            path.write_text(text, "utf-8", newline="\n")
            print("brought into form:", path.relative_to(ROOT))


if __name__ == "__main__":
    main()
