"""A question on a terminal, and what is meant by the line that comes back."""

from __future__ import annotations

import pytest

from runner.show.ink import Ink
from runner.show.question_view import choice_of, opening, prompt, remark

PLAIN = Ink(colour=False)
SHIP = ("ship", "show me more", "Stop")


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("ship", "ship"), (" ship \r", "ship"), ("SHIP", "ship"), ("3", "Stop"), ("shi", "ship"), ("st", "Stop"),
        ("show", "show me more"), ("", None),
    ],
)  # fmt: skip
def test_a_line_that_is_understood(line, made):
    choice = choice_of(line, SHIP, None)
    assert (choice.made, bool(choice.complaint)) == (made, made is None)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "please write a number from 1 to 3, or `ship`, `show me more` or `Stop`"),
        ("sh", "`sh` may be `ship` or `show me more`; write more of it"),
        ("4", "`4` is none of the choices; write a number from 1 to 3, or `ship`, `show me more` or `Stop`"),
        ("0", "`0` is none of the choices; write a number from 1 to 3, or `ship`, `show me more` or `Stop`"),
        ("²", "`²` is none of the choices; write a number from 1 to 3, or `ship`, `show me more` or `Stop`"),
        ("\x1b[A", "`␛[A` is none of the choices; write a number from 1 to 3, or `ship`, `show me more` or `Stop`"),
    ],
)
def test_a_line_that_is_not_understood(line, complaint):
    choice = choice_of(line, SHIP, None)
    assert (choice.made, choice.complaint) == (None, complaint)


def test_an_empty_line_is_the_default():
    assert choice_of("  ", SHIP, "Stop").made == "Stop"


def test_choices_that_differ_in_case_alone_are_told_apart():
    assert choice_of("yes", ("yes", "YES"), None).made == "yes"
    assert choice_of("YES", ("yes", "YES"), None).made == "YES"
    assert choice_of("Yes", ("yes", "YES"), None).complaint == "`Yes` may be `yes` or `YES`; write more of it"


def test_choices_that_are_numbers_have_no_numbers():
    assert choice_of("2", ("3", "2"), None).made == "2"
    assert choice_of("1", ("3", "2"), None).complaint == "`1` is none of the choices; write `3` or `2`"
    assert choice_of("1", ("only",), None).made == "only"
    assert opening("gate", "How many?", ("3", "2"), "2", PLAIN) == "\n? gate: How many?\n  3  2 (default)\n"
    assert prompt(("3", "2"), None, None, PLAIN) == "  word: "


def test_a_question_and_its_choices():
    asked = opening("call[2]/gate", "Ship \x1b[2J this?\n\n  + a line\n", ("yes", "no"), "no", PLAIN)
    assert asked == "\n? call[2]/gate: Ship ␛[2J this?\n\n    + a line\n  1 yes  2 no (default)\n"


def test_many_choices_stand_below_each_other():
    asked = opening("gate", "Which?", tuple(f"the choice {letter}" for letter in "abcdef"), None, PLAIN)
    assert asked.split("\n")[2:4] == ["  1 the choice a", "  2 the choice b"]


@pytest.mark.parametrize(
    ("default", "patience", "expected"),
    [
        (None, None, "  number or word: "),
        ("no", None, "  number or word (Enter is no): "),
        ("no", 90.0, "  number or word (Enter is no, after 1m30s no holds): "),
        (None, 90.0, "  number or word (after 1m30s the run pauses): "),
    ],
)
def test_what_stands_before_the_cursor(default, patience, expected):
    assert prompt(("yes", "no"), default, patience, PLAIN) == expected


def test_a_remark_is_one_line_and_may_be_coloured():
    assert remark("no\nsuch", PLAIN) == "  no such\n"
    assert remark("no", Ink(colour=True)) == "  \x1b[1;33mno\x1b[0m\n"
