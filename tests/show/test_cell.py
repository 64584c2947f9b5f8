"""Cells: what a terminal makes of a text, and what it must never get."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from runner.show.cell import fit, fit_tail, harmless, one_line, pad, width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x9b31m \x7f \x00", "�31m ␡ ␀"),
        ("a\r\nb\rc\n\td", "a\nb␍c\n\td"),
        ("\u202eevil\u2066 \ud83d", "�evil� �"),
        ("日本 é 👍", "日本 é 👍"),
    ],
)
def test_what_could_command_a_terminal_becomes_a_picture(text, shown):
    assert harmless(text) == shown


@given(st.text())
def test_nothing_harmful_is_left(text):
    shown = harmless(text)
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown) is None
    shown.encode()


@pytest.mark.parametrize(("text", "cells"), [("", 0), ("abc", 3), ("日本", 4), ("e\u0301", 1), ("👍", 2), ("é", 1)])
def test_width_is_what_rich_measures(text, cells):
    assert width(text) == cells == cell_len(text)


@given(st.text(st.sampled_from("ab 日é…")), st.integers(1, 12))
def test_a_fitted_text_fits_and_keeps_its_beginning_or_its_end(text, cells):
    head, tail = fit(text, cells), fit_tail(text, cells)
    assert max(width(head), width(tail)) <= cells
    if width(text) > cells:
        assert (head[-1], tail[0]) == ("…", "…")
        assert text.startswith(head[:-1])
        assert text.endswith(tail[1:])
    else:
        assert head == tail == text


def test_one_line_and_padding():
    assert one_line(" a\n\tb\x1b ") == "a b␛"
    assert pad("日", 4) == "日  "
    assert pad("long", 2) == "long"
    assert fit("abc", 0) == ""
