"""``dcgan --help`` in both languages."""

import io
import re
import sys

import pytest

from dcgan_lib import command_line, help_texts
from dcgan_lib.reading import KANA_OR_KANJI


def shown(monkeypatch, columns=100, encoding="utf-8", **variables):
    """What --help prints under these environment variables, on a terminal of this width and encoding."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": str(columns), **variables}.items():
        monkeypatch.setenv(name, value)
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    with pytest.raises(SystemExit) as ended:
        command_line.get_args(["--help"])
    assert ended.value.code == 0
    stdout.flush()
    return stdout.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize(
    "variables, japanese",
    [
        ({"LANG": "ja_JP.UTF-8"}, True),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "en_US.UTF-8"}, False),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8"}, True),
        ({"LANG": "de_DE.UTF-8"}, False),
        ({"LANG": "C"}, False),
    ],
)
def test_the_language_follows_the_readers_settings(monkeypatch, variables, japanese):
    text = shown(monkeypatch, **variables)
    assert bool(KANA_OR_KANJI.search(text)) == japanese
    assert ("使い方: dcgan" in text) == japanese and ("usage: dcgan" in text) != japanese


def test_a_terminal_that_cannot_show_japanese_is_spoken_to_in_english(monkeypatch):
    assert "usage: dcgan" in shown(monkeypatch, encoding="ascii", LANG="ja_JP.UTF-8")


@pytest.mark.parametrize("language", ["ja_JP.UTF-8", "en_GB.UTF-8"])
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_of_an_option_is_wider_than_the_terminal(monkeypatch, language, columns):
    text = shown(monkeypatch, columns, LANG=language).split("\n例:")[0].split("\nexamples:")[0]
    lines = [line for line in text.splitlines() if line.startswith(" " * 20)]
    assert lines
    assert max(map(help_texts._columns, lines)) <= columns + 2  # a comma or a full stop may hang over
    assert not any(line.strip()[0] in "、。)" for line in lines)


def test_every_option_is_told_in_both_languages():
    options = {action.dest for action in command_line._parser()._actions}
    assert options == set(help_texts.HELP)
    for name, words in help_texts.HELP.items():
        assert KANA_OR_KANJI.search(words.japanese) and not KANA_OR_KANJI.search(words.english), name
        numbers = [sorted(re.findall(r"(?<![\w.])[\d.]*\d|\{\w+\}", text.replace(",", ""))) for text in words]
        assert numbers[0] == numbers[1], f"{name}: {numbers}"


@pytest.mark.parametrize("language", ["ja_JP.UTF-8", "en_GB.UTF-8"])
def test_the_examples_can_be_typed(monkeypatch, language):
    text = shown(monkeypatch, LANG=language)
    commands = [line.strip().split("  ")[0].split()[1:] for line in text.splitlines() if line.startswith("  dcgan ")]
    assert len(commands) == 5
    for command in commands:
        assert command_line.get_args(command).mode
