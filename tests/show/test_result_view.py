"""How a run ended: for people, for pipes, for machines."""

from __future__ import annotations

import json

import pytest

from runner.record.events import ModelFellBack, RunFinished, RunStarted, StepFinished
from runner.record.state import fold, result
from runner.show.result_view import _ADVICE, closing_text, outputs_text, result_json
from runner.words.errors import FAILURE_KINDS

JOURNAL = ".bridge/runs/20261122-230501-refactor-3f2a/journal.jsonl"


def outcome(**outputs):
    return {"outputs": outputs}


def test_the_closing_words(story, snapshot):
    assert closing_text(result(fold(story)), journal=JOURNAL) == snapshot


def test_the_closing_words_in_colour(story, snapshot):
    text = closing_text(result(fold(story)), journal=JOURNAL, colour=True)
    assert text.replace("\x1b", "ESC") == snapshot


def test_a_good_end_is_short(entries):
    run = entries(
        [
            RunStarted(workflow="hello", file="hello.yaml", inputs={}, steps=("greet",)),
            StepFinished(step="greet", status="succeeded", attempts=1, seconds=0.5, output="Hi", model="m"),
            RunFinished(status="succeeded", exit_code=0, outputs={"greet": "Hi"}, seconds=0.7),
        ]
    )
    assert closing_text(result(fold(run)), journal=JOURNAL) == (
        f"hello succeeded after 0.7s: 1 step, 1 succeeded\n\n  succeeded  greet   0.5s  m\n\nrecord: {JOURNAL}\n"
    )


def test_an_early_end_says_why(entries):
    error = {"kind": "limit", "message": "the run took longer than 10m"}
    run = entries(
        [
            RunStarted(workflow="hello", file="hello.yaml", inputs={}, steps=("greet",)),
            RunFinished(status="cancelled", exit_code=1, outputs={}, seconds=600, error=error),
        ]
    )
    assert closing_text(result(fold(run)), journal=JOURNAL) == (
        "hello cancelled after 10m00s: 1 step, 1 cancelled\n"
        "    limit: the run took longer than 10m\n"
        "    help: raise the limit in `limits` if the work needs more\n"
        "\n"
        "  cancelled  greet  the run ended before it could start\n"
        "\n"
        f"record: {JOURNAL}\n"
    )


def test_of_a_long_message_both_ends_are_shown(entries):
    said = "\n".join(["`make` ended with exit code 2:", *(f"line {number}" for number in range(1, 61)), "x" * 500])
    run = entries(
        [
            RunStarted(workflow="build", file="build.yaml", inputs={}, steps=("make",)),
            StepFinished(
                step="make", status="failed", attempts=1, seconds=1, error={"kind": "command", "message": said}
            ),
            RunFinished(status="failed", exit_code=1, outputs={}, seconds=1.0),
        ]
    )
    lines = closing_text(result(fold(run)), journal=JOURNAL).splitlines()
    assert lines[3:10] == [
        "    command: `make` ended with exit code 2:",
        "      line 1",
        "      line 2",
        "      line 3",
        "      line 4",
        "      … 42 lines left out; the record has them …",
        "      line 47",
    ]
    assert lines[-4] == "      " + "x" * 199 + "…"
    assert lines[-3] == "    help: run the command by hand in the same folder"


def test_of_many_steps_only_the_remarkable_are_listed(entries):
    names = tuple(f"s{number}" for number in range(1_000))
    done = [StepFinished(step=name, status="succeeded", attempts=1) for name in names[1:]]
    odd = StepFinished(step="s0", status="skipped", reason="`when` is false")
    run = entries(
        [
            RunStarted(workflow="many", file="many.yaml", inputs={}, steps=names),
            odd,
            *done,
            RunFinished(status="succeeded", exit_code=0, outputs={}, seconds=3.0),
        ]
    )
    assert closing_text(result(fold(run)), journal=JOURNAL) == (
        "many succeeded after 3.0s: 1,000 steps, 999 succeeded, 1 skipped\n"
        "\n"
        "  skipped  s0  `when` is false\n"
        "  and 999 that succeeded\n"
        "\n"
        f"record: {JOURNAL}\n"
    )


def test_every_kind_of_failure_has_advice():
    assert set(FAILURE_KINDS) - set(_ADVICE) == {"cancelled"}
    assert set(_ADVICE) <= set(FAILURE_KINDS)


@pytest.mark.parametrize(
    ("result_", "text"),
    [
        (outcome(), ""),
        (outcome(note="# Title\n\ntext"), "# Title\n\ntext\n"),
        (outcome(note="ends\n"), "ends\n"),
        (outcome(note="raw \x1b[31m"), "raw \x1b[31m\n"),
        (outcome(note="half \ud83d"), "half ?\n"),
        (outcome(note=None), "null\n"),
        (outcome(note={"é": [1, float("nan")]}), '{\n  "é": [\n    1,\n    "nan"\n  ]\n}\n'),
        (outcome(a="one", b="two\nlines\n", c=3, d=[]), "a: one\n\nb:\ntwo\nlines\n\nc: 3\n\nd: []\n"),
    ],
)
def test_outputs_on_stdout(result_, text):
    assert outputs_text(result_) == text


def test_the_result_for_machines(story):
    data = result(fold(story))
    text = result_json(data)
    assert json.loads(text) == data
    assert text.startswith('{\n  "run": "20261122-230501-refactor-3f2a",\n  "workflow": "refactor",\n')
    assert text.endswith("\n}\n")


def test_a_fallback_is_named_beside_the_model_that_answered(entries):
    fell = {"step": "greet", "attempt": 3, "endpoint": "http://one", "to_endpoint": "http://one", "message": "gone"}
    run = entries(
        [
            RunStarted(workflow="hello", file="hello.yaml", inputs={}, steps=("greet",)),
            ModelFellBack(model="a", to_model="b", kind="crash", **fell),
            ModelFellBack(model="b", to_model="c", kind="timeout", **fell),
            StepFinished(step="greet", status="succeeded", attempts=4, seconds=0.5, output="Hi", model="c"),
            RunFinished(status="succeeded", exit_code=0, outputs={"greet": "Hi"}, seconds=0.7),
        ]
    )
    text = closing_text(result(fold(run)), journal=JOURNAL)
    assert text.split("\n")[2] == "  succeeded  greet   0.5s  c instead of a (crash), b (timeout)  4 attempts"
