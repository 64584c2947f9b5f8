"""Edits of a text, and which of them can be made together."""

from __future__ import annotations

import pytest

from runner.words.diagnostics import Edit, Fix
from runner.words.edits import apart, edited, text_at
from runner.words.spans import Span

TEXT = "one\r\ntwo three\rfour\nfünf"


def edit(line: int, column: int, end_line: int, end_column: int, text: str = "") -> Edit:
    return Edit(span=Span(line, column, end_line, end_column), text=text)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([], TEXT),
        ([edit(1, 1, 1, 4, "eins")], "eins\r\ntwo three\rfour\nfünf"),
        ([edit(2, 5, 2, 10), edit(1, 1, 1, 1, "# ")], "# one\r\ntwo \rfour\nfünf"),
        ([edit(1, 1, 2, 1), edit(3, 1, 4, 1)], "two three\rfünf"),
        ([edit(4, 2, 4, 3, "ue")], "one\r\ntwo three\rfour\nfuenf"),
        ([edit(4, 1, 5, 1)], "one\r\ntwo three\rfour\n"),
        ([edit(9, 1, 9, 1, "\nend")], TEXT + "\nend"),
        ([edit(4, 5, 4, 99, "!")], TEXT + "!"),
    ],
)
def test_edits_change_what_they_name_and_keep_all_else(edits: list[Edit], expected: str) -> None:
    assert edited(TEXT, edits) == expected
    assert edited(TEXT, edits[::-1]) == expected


def test_the_text_at_a_span() -> None:
    assert text_at(TEXT, Span(2, 5, 3, 3)) == "three\rfo"
    assert text_at(TEXT, Span(4, 1, 5, 1)) == "fünf"


def fix(*edits: Edit) -> Fix:
    return Fix(title="", edits=edits)


def test_of_fixes_that_touch_the_first_stays() -> None:
    first, over, behind = fix(edit(1, 1, 1, 4)), fix(edit(1, 3, 1, 6)), fix(edit(1, 4, 1, 6))
    assert apart([behind, over, first]) == (first, behind)


def test_fixes_that_insert_at_one_place_touch() -> None:
    one, other = fix(edit(1, 1, 1, 1, "a")), fix(edit(1, 1, 1, 1, "b"))
    assert apart([one, other]) == (one,)
    assert apart([one, fix(edit(1, 1, 1, 3))]) == (one,)


def test_a_fix_is_made_whole_or_not_at_all() -> None:
    whole, part = fix(edit(1, 1, 1, 2), edit(2, 1, 2, 5)), fix(edit(2, 3, 2, 4))
    assert apart([part, whole]) == (whole,)


def test_the_same_fix_of_two_findings_is_made_once() -> None:
    one = fix(edit(1, 1, 1, 2))
    assert apart([one, fix(edit(1, 1, 1, 2))]) == (one,)
