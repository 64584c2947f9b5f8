"""How a run ended: for people, for pipes, for machines."""

from __future__ import annotations

import json

import pytest

from runner.chat.messages import Usage
from runner.record.events import (
    ApprovalAsked,
    ModelFellBack,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRepeated,
    StepStarted,
    StepWarned,
)
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


CHECK = {"kind": "command", "message": "`pytest` ended with exit code 1:\n1 failed\nAssertionError"}


def begin(step, item=None, items=None, kind="task"):
    return StepStarted(step=step, kind=kind, item=item, items=items)


def done(step, item=None, status="succeeded", **rest):
    return StepFinished(step=step, item=item, status=status, **{"attempts": 1, "seconds": 1.5, **rest})


def closing(entries, events, steps, status="failed", **rest):
    start = RunStarted(workflow="release", file="r.yaml", inputs={}, steps=steps)
    end = RunFinished(status=status, exit_code=1, outputs={}, seconds=75.0)
    text = closing_text(result(fold(entries([start, *events, end]))), journal="J", **rest)
    assert text.endswith("\n\nrecord: J\n")
    return text.removesuffix("\n\nrecord: J\n").split("\n")


def fan_out(count, bad=(), recovered=(), error=CHECK):
    yield begin("fix", items=count)
    for item in range(count):
        status = "failed" if item in bad else "recovered" if item in recovered else "succeeded"
        yield begin("fix", item)
        yield done("fix", item, status, error=None if status == "succeeded" else error, usage=Usage(100, 20))
    first = f"; the first is item {bad[0]}: {error['message']}" if bad else ""
    said = {"kind": "command", "message": f"{len(bad)} of {count} items failed{first}", "hint": "run it by hand"}
    yield done("fix", status="failed" if bad else "recovered", error=said if bad else None)


def test_a_fan_out_is_one_row_and_its_failed_items_stand_below_it(entries):
    assert closing(entries, fan_out(10, bad=(3, 5), recovered=(1,)), ("fix",)) == [
        "release failed after 1m15s: 1 step, 1 failed",
        "",
        "  failed  fix   1.5s  1,200 tokens  10 items, 7 succeeded, 1 recovered, 2 failed",
        *(
            line
            for item in ("fix[3]:", "fix[5]:", "fix[1]: recovered:")
            for line in (
                f"    {item} command: `pytest` ended with exit code 1:",
                "      1 failed",
                "      AssertionError",
            )
        ),
        "    help: run it by hand",
    ]


def test_of_many_failed_items_the_first_are_named_in_a_line(entries):
    lines = closing(entries, fan_out(5_000, bad=tuple(range(0, 5_000, 100))), ("fix",))
    assert lines[2:] == [
        "  failed  fix   1.5s  600,000 tokens  5,000 items, 4,950 succeeded, 50 failed",
        *(f"    fix[{item}]: command: `pytest` ended with exit code 1:" for item in range(0, 1_000, 100)),
        "    and 40 more with errors; the record has them",
        "    help: run it by hand",
    ]


def test_an_error_of_the_step_itself_stands_before_those_of_its_parts(entries):
    late = {"kind": "timeout", "message": "it took longer than 10m"}
    events = [begin("fix", items=2), done("fix", 0, "recovered", error={"kind": "tool", "message": ""})]
    assert closing(entries, [*events, done("fix", status="failed", error=late)], ("fix",))[3:] == [
        "    timeout: it took longer than 10m",
        "    fix[0]: recovered: tool:",
        "    help: give the step a longer `timeout`, or a model that answers faster",
    ]


def test_the_step_of_a_called_workflow_that_failed_is_named_with_its_path(entries):
    lost = {"kind": "crash", "message": "gone"}
    again = {"kind": "crash", "message": "`call` of ./a.yaml failed: `draft` of ./b.yaml failed: gone"}
    events = [
        begin("top", kind="workflow"),
        begin("top/call", kind="workflow", items=2),
        begin("top/call", 1, kind="workflow"),
        begin("top/call[1]/draft"),
        done("top/call[1]/draft", status="failed", error=lost),
        done("top/call", 1, "failed", error=lost),
        done("top/call", status="failed", error=lost),
        done("top", status="failed", error=again),
    ]
    assert closing(entries, events, ("top", "top/call", "top/call/draft", "top/note"))[2:] == [
        "  failed  top   1.5s  2 steps, 1 failed, 1 cancelled",
        "    top/call[1]/draft: crash: gone",
        "    help: look at the log of the model server: the model was ended, often for want of memory",
    ]


def test_an_empty_fan_out_a_skip_and_rounds(entries):
    events = [
        begin("none", items=0),
        done("none", output=[], attempts=0, seconds=0.0),
        done("gate", status="skipped", attempts=0, reason="`none` failed", failed_above=True),
        begin("try"),
        StepRepeated(step="try", number=3, attempt=3),
        done("try", attempts=3),
    ]
    assert closing(entries, events, ("none", "gate", "try"), status="succeeded")[2:] == [
        "  succeeded  none  0 items",
        "  skipped    gate  `none` failed",
        "  succeeded  try    1.5s  3 rounds",
    ]


def test_warnings_of_items_and_kept_files_are_listed_up_to_a_number(entries):
    events = [begin("fix", items=25)]
    for item in range(25):
        events += [begin("fix", item), StepWarned(step="fix", item=item, message="slow")]
        events += [done("fix", item, extras={"artifacts": [f"artifacts/fix[{item}]/out.txt"]})]
    kept = [f"artifacts/fix[{item}]/out.txt" for item in range(25)]
    lines = closing(entries, [*events, done("fix", extras={"artifacts": kept})], ("fix",), status="succeeded")
    assert lines[4:] == [
        *(f"warning: fix[{item}]: slow" for item in range(20)),
        "and 5 more warnings; the record has them",
        "",
        *(f"kept by fix[{item}]: artifacts/fix[{item}]/out.txt" for item in range(20)),
        "and 5 more files",
    ]


def test_a_paused_run_says_what_it_waits_for_and_how_to_answer(entries):
    gate = ApprovalAsked(step="gate", question="Deploy to production?", choices=("yes", "no"))
    events = [
        begin("survey"),
        done("survey"),
        begin("call", kind="workflow"),
        begin("call/draft"),
        done("call/draft"),
        begin("call/ask", kind="approve"),
        ApprovalAsked(step="call/ask", question="Sure?", choices=("a", "b"), default="a"),
        begin("gate", kind="approve"),
        gate,
    ]
    lines = closing(entries, events, ("survey", "call", "call/draft", "call/ask", "gate", "ship"), status="paused")
    assert lines == [
        "release paused after 1m15s: waiting for 2 answers",
        "",
        "  call/ask: Sure?",
        "    a, b (default: a)",
        "  gate: Deploy to production?",
        "    yes, no (no default)",
        "",
        "answer with:",
        "  bridge-run resume 20261122-230501-refactor-3f2a --answer 'call/ask=<a|b>' --answer 'gate=<yes|no>'",
        "",
        "  succeeded  survey   1.5s",
        "  waiting    call    2 steps, 1 succeeded, 1 waiting  `call/ask` waits for an answer",
        "  waiting    gate    it waits for an answer",
        "  waiting    ship    it needs an answer that nobody has given yet",
    ]
    called_off = {"kind": "cancelled", "message": "somebody called it off"}
    lost = done("ship", status="failed", error=called_off)
    one = closing(entries, [*events[-2:], lost], ("gate",), status="paused", resume="bridge-run resume last")
    assert one[0] == "release paused after 1m15s: waiting for 1 answer, 1 failed"
    assert one[-1] == "    cancelled: somebody called it off"
    assert one[6] == "  bridge-run resume last --answer 'gate=<yes|no>'"
