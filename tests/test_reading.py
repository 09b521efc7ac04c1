"""The switch between the languages: what it shows, where, and what it remembers."""

import re
import sys
import types

import pytest

from dcgan_lib import reading
from dcgan_lib.errors import InputError


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
