"""Words that the project doesn't use are found, in names too."""

import pytest

from tools import project, words


@pytest.mark.parametrize(
    "line",
    [
        "def read_anew():",
        "class ToldBefore:",
        "# It is {}.".format("Booked"),
        "the error is mended",
        "is worked\n    # off",
    ],
)
def test_a_word_is_found(tmp_path, monkeypatch, line):
    assert _find(tmp_path, monkeypatch, line)


@pytest.mark.parametrize(
    "line",
    [
        "the bookkeeper's newsletter",
        "recommended amendments",
        'foreign_movements = "book"',
    ],
)
def test_other_words_are_not(tmp_path, monkeypatch, line):
    assert not _find(tmp_path, monkeypatch, line)


def _find(tmp_path, monkeypatch, text):
    monkeypatch.setattr(project, "ROOT", tmp_path)
    path = tmp_path / "file.py"
    path.write_text(f"first\n{text}\n")
    return list(words.find_unwanted(path))
