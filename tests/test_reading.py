"""One language at a time: the switch, the notebooks in one language, and where a notebook works."""

import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

from dcgan_lib import reading
from dcgan_lib.errors import InputError
from notebook_tools import NOTEBOOKS, REPOSITORY, ROOT, SETUP, load, source


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """What is displayed by calls made in a fresh folder, by a reader who has set nothing."""
    shown = []
    fake = types.SimpleNamespace(HTML=lambda text: text, display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.delenv(reading.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    return shown


def chosen(html):
    [line] = [line for line in html.splitlines() if "checked>" in line]
    return next(value for value in reading.LANGUAGES if f'value="{value}"' in line)


def test_both_languages_until_one_is_chosen_and_the_choice_is_kept(shown, tmp_path):
    reading.language_switch()
    reading.language_switch("ja")
    reading.language_switch()
    assert list(map(chosen, shown)) == ["both", "ja", "ja"]
    assert [path.name for path in tmp_path.iterdir()] == [reading.KEPT]


def test_the_environment_goes_before_what_was_kept(shown, monkeypatch):
    reading.language_switch("ja")
    monkeypatch.setenv(reading.VARIABLE, "en")
    reading.language_switch()
    assert chosen(shown[-1]) == "en"


@pytest.mark.parametrize("content", [b"", b"fr\n", b"\xff\xfe"])
def test_a_file_that_keeps_something_else_means_both(shown, tmp_path, content):
    (tmp_path / reading.KEPT).write_bytes(content)
    assert reading.kept_language() == "both"


def test_another_language_is_refused_and_nothing_is_kept(shown, tmp_path):
    with pytest.raises(InputError, match="'ja', 'en', 'both'"):
        reading.language_switch("fr")
    assert not shown and not list(tmp_path.iterdir())


def test_colab_shows_nothing(shown, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    reading.language_switch("ja")
    assert not shown and reading.kept_language() == "ja"


def test_where_a_page_drops_the_rules_no_words_are_left(shown):
    reading.language_switch()
    assert not re.sub(r"(?s)<style>.*</style>|<[^>]*>", "", shown[0]).strip()


# ---- the set-up cell on Colab ----------------------------------------------------------------------------------------

FAKE = """
import sys, types
sys.modules["google.colab"] = types.ModuleType("google.colab")
"""
SMALL_LIBRARY = {  # instead of the whole one, which takes seconds to load
    "__init__.py": "",
    "backend.py": "from types import SimpleNamespace\ntf = None\nbackend = SimpleNamespace(backend=lambda: __file__)\n"
                  "keras = SimpleNamespace(__version__='3.0', backend=backend)",
    "reading.py": "def language_switch(): pass\ndef work_in_notebooks(): pass",
}


@pytest.fixture
def on_colab(tmp_path):
    """Run the set-up cell as Colab would, with a folder instead of /content and a repository that may be there."""
    content = tmp_path / "content"
    content.mkdir()

    def run(repository="file:///nowhere"):
        cell = SETUP.replace("/content", content.as_posix()).replace(REPOSITORY, repository)
        return subprocess.run(
            [sys.executable, "-c", FAKE + cell], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1"},
        )

    return content, run


def small_project(folder):
    for name, text in SMALL_LIBRARY.items():
        (folder / "dcgan_lib").mkdir(parents=True, exist_ok=True)
        (folder / "dcgan_lib" / name).write_text(text)
    (folder / "notebooks").mkdir()
    return folder


@pytest.mark.parametrize("place", ["", "annotated", "drive/MyDrive", "drive/MyDrive/annotated"])
def test_the_setup_finds_a_project_that_lies_on_colab_or_on_a_drive(on_colab, place):
    content, run = on_colab
    small_project(content / place)
    done = run()
    assert done.returncode == 0, done.stderr
    assert str(content / place) in done.stdout


def test_the_setup_unpacks_an_uploaded_zip_and_minds_no_other(on_colab, tmp_path):
    content, run = on_colab
    small_project(tmp_path / "made" / "annotated")
    shutil.make_archive(str(content / "annotated"), "zip", tmp_path / "made")
    (content / "another.zip").write_bytes(b"no archive")
    done = run()
    assert done.returncode == 0, done.stderr
    assert str(content / "annotated") in done.stdout


def test_the_setup_clones_the_repository(on_colab, tmp_path):
    content, run = on_colab
    origin = small_project(tmp_path / "origin")
    git = ["git", "-C", str(origin), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], check=True)
    done = run(origin.as_uri())
    assert done.returncode == 0, done.stderr
    assert str(content / "dcgan") in done.stdout


def test_the_setup_says_in_one_line_in_both_languages_what_to_do_where_there_is_no_project(on_colab):
    content, run = on_colab
    done = run()
    assert done.returncode == 1 and not done.stdout
    [line] = done.stderr.splitlines()
    assert "zip" in line and "Drive" in line and "アップロード" in line and "upload" in line
    assert not list(content.iterdir())


def test_the_setup_installs_nothing():
    assert "pip" not in SETUP


def test_a_single_notebook_copied_elsewhere_works_in_the_notebooks_folder(tmp_path):
    cell = SETUP + "\nprint(os.getcwd())"
    done = subprocess.run([sys.executable, "-c", cell], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8",
                          env={**os.environ, "PYTHONUTF8": "1"})
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[-1]) == ROOT / "notebooks"


def test_without_the_projects_folder_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "NOTEBOOKS", tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="get a copy"):
        reading.work_in_notebooks()


# ---- notebooks in one language ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["ja", "en"])
def one_language(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one") / "new" / request.param
    return request.param, reading.write_in_one_language(request.param, folder)


def test_the_cells_of_one_language_and_all_code_are_there(one_language):
    language, written = one_language
    assert [path.name for path in written] == [path.name for path in NOTEBOOKS]
    for path, original in zip(written, NOTEBOOKS):
        other = {"ja": "lang-en", "en": "lang-ja"}[language]
        wanted = [cell for cell in load(original) if other not in cell["metadata"].get("tags", [])]
        cells = load(path)
        assert [cell["id"] for cell in cells] == [cell["id"] for cell in wanted]
        for cell, before in zip(cells, wanted):
            if cell["cell_type"] == "code" and "setup" not in cell["metadata"].get("tags", []):
                pictures_moved = json.dumps(before["outputs"]).replace("../assets", "assets").replace("../gif", "gif")
                assert json.dumps(cell["outputs"]) == pictures_moved


def test_headings_are_in_one_language(one_language):
    language, written = one_language
    seen = 0
    for path in written:
        for cell in load(path):
            for line in source(cell).splitlines() if cell["cell_type"] == "markdown" else []:
                if line.startswith("#"):
                    seen += 1
                    text = re.sub("`.*?`", "", line)
                    assert " / " not in text and (language == "ja" or not reading.KANA_OR_KANJI.search(text)), line
    assert seen > 200


def test_links_lead_to_what_is_in_the_folder(one_language):
    _, written = one_language
    for path in written:
        for cell in load(path):
            if cell["cell_type"] == "markdown":
                for link in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", source(cell)):
                    link = (link[0] or link[1]).split("#")[0]
                    assert link.startswith("http") or (path.parent / link).is_file(), f"{path.name}: {link}"


def test_the_setup_has_no_switch(one_language):
    _, written = one_language
    for path in written:
        [setup] = [cell for cell in load(path) if "setup" in cell["metadata"].get("tags", [])]
        assert "language_switch()" not in source(setup) and len(setup["outputs"]) == 1


def test_a_notebook_in_one_language_runs_where_it_lies(tmp_path):
    written = reading.write_in_one_language("ja", tmp_path / "ja")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env", str(written[20])],
        cwd=written[19].parent, capture_output=True, text=True, encoding="utf-8",
        env={**os.environ, "NOTEBOOK_STEPS": "20"},
    )
    assert ran.returncode == 0, ran.stdout[-3000:]


@pytest.mark.parametrize(
    "line, wanted",
    [
        ("## 3. 形 / Shapes", ("## 3. ", "形", "Shapes")),
        ("# 07 `trainable` と `compile` / Freezing", ("# 07 ", "`trainable` と `compile`", "Freezing")),
        ("約 2 分 / about 2 minutes", ("", "約 2 分", "about 2 minutes")),
        ("R1 / R2", None),
        ("一つだけ", None),
    ],
)
def test_a_line_for_both_is_split(line, wanted):
    assert reading.in_languages(line) == wanted


def test_a_folder_that_is_there_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    assert reading.main(["ja", str(tmp_path / "mine")]) == 2
    assert "name a new folder" in capsys.readouterr().err
    assert not list((tmp_path / "mine").iterdir())


def test_the_program_says_where_to_begin(tmp_path, capsys):
    assert reading.main(["en", str(tmp_path / "english")]) == 0
    assert "00_start_here.ipynb" in capsys.readouterr().out
    assert reading.main(["fr", str(tmp_path / "french")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
