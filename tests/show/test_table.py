"""Columns that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.show.cell import width
from runner.show.table import table, wrap


def test_columns_are_as_wide_as_they_must_be():
    assert table(("A", "LONG"), [("one", "x"), ("日本語", "")], 80) == ["A       LONG", "one     x", "日本語"]


def test_words_stay_whole_as_long_as_there_is_another_way():
    rows = [("mistralai/magistral", "a few words that can wrap")]
    assert table(("MODEL", "WORDS"), rows, 36) == [
        "MODEL                WORDS",
        "mistralai/magistral  a few words",
        "                     that can wrap",
    ]


def test_the_spaces_before_a_word_need_their_room_too():
    rows = [("      judge", "a few words that can wrap")]
    assert table(("STEP", "WORDS"), rows, 28) == [
        "STEP         WORDS",
        "      judge  a few words",
        "             that can wrap",
    ]


@pytest.mark.parametrize(
    ("text", "room", "lines"),
    [
        ("", 5, [""]),
        ("one two three", 8, ["one two", "three"]),
        ("qwen/qwen3-coder-30b", 12, ["qwen/qwen3-", "coder-30b"]),
        ("supercalifragilistic", 8, ["supercal", "ifragili", "stic"]),
        ("a supercalifragilistic", 8, ["a", "supercal", "ifragili", "stic"]),
        ("日本語日本語", 5, ["日本", "語日", "本語"]),
        ("  two three", 5, ["  two", "three"]),
    ],
)
def test_wrapping(text, room, lines):
    assert wrap(text, room) == lines


@given(st.text(st.sampled_from("ab 日-/.")), st.integers(2, 12))
def test_wrapping_loses_nothing_and_fits(text, room):
    lines = wrap(text, room)
    assert max(map(width, lines)) <= room
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_table_that_cannot_fit_is_as_narrow_as_it_can_be():
    assert table(("A", "B"), [("x" * 10, "y" * 10)], 5) == ["A         B", "xxxxxxxx  yyyyyyyy", "xx        yy"]
