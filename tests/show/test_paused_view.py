"""What is said when a run pauses."""

from __future__ import annotations

import shlex

from runner.show.paused_view import paused_text

RESUME = "bridge-run resume 20261122-230501-deploy-3f2a"


def question(id: str, text: str = "Ship it?", choices: tuple[str, ...] = ("yes", "no"), default: str | None = None):
    return {"id": id, "question": text, "choices": choices, "default": default}


def test_one_question_and_the_command_that_answers_it():
    assert paused_text([question("gate")], RESUME) == (
        "  gate: Ship it?\n"
        "    yes, no (no default)\n"
        "\n"
        "answer with:\n"
        "  bridge-run resume 20261122-230501-deploy-3f2a --answer 'gate=<yes|no>'"
    )


def test_several_questions_are_answered_by_one_command():
    waiting = [
        question("gate", default="no"),
        question("call[2]/gate[0]", "Delete these?\n\n\x1b[2Ja\nb", ("keep 'em", "delete\x07")),
    ]
    text = paused_text(waiting, RESUME)
    assert text == (
        "  gate: Ship it?\n"
        "    yes, no (default: no)\n"
        "  call[2]/gate[0]: Delete these?\n"
        "\n"
        "    ␛[2Ja\n"
        "    b\n"
        "    keep 'em, delete␇ (no default)\n"
        "\n"
        "answer with:\n"
        f"  {RESUME} --answer 'gate=<yes|no>' --answer 'call[2]/gate[0]=<keep '\"'\"'em|delete␇>'"
    )
    assert shlex.split(text.splitlines()[-1])[-1] == "call[2]/gate[0]=<keep 'em|delete␇>"


def test_a_long_question_is_cut():
    text = paused_text([question("gate", "\n".join(f"line {n}" for n in range(40)))], RESUME)
    assert text.splitlines()[11:13] == ["    line 11", "    … 28 lines left out; the record has them …"]


def test_many_items_are_answered_by_the_name_of_their_step():
    waiting = [question(f"gate[{n}]") for n in range(1_200)]
    rows = paused_text(waiting, RESUME).splitlines()
    assert rows[-5:] == [
        "    yes, no (no default)",
        "  and 1,190 more questions",
        "",
        "answer with:",
        f"  {RESUME} --answer 'gate=<yes|no>'",
    ]


def test_one_question_left_out_is_one():
    rows = paused_text([question(f"gate[{n}]") for n in range(11)], RESUME).splitlines()
    assert rows[-4] == "  and 1 more question"


def test_nothing_open_says_nothing():
    assert paused_text([], RESUME) == ""
