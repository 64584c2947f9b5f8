"""Two runs beside each other: journals in, what differs out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.chat.messages import Usage
from runner.record.events import (
    CommandRan,
    Event,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    ToolCalled,
    ToolReturned,
)
from runner.record.wire import Entry
from runner.show.run_diff import picture, run_changes
from runner.show.run_diff_view import run_diff_json, run_diff_text

FIRST, SECOND = "20260101-000000-flow-aaaa", "20260102-000000-flow-bbbb"


def entries(events: Sequence[Event], run: str) -> list[Entry]:
    return [Entry(seq=n, at="2026-01-01T00:00:00.000Z", run=run, event=event) for n, event in enumerate(events, 1)]


def called(
    step: str, number: int, tool: str, arguments: Any, *, error: bool = False, item: int | None = None
) -> list[Event]:
    call: dict[str, Any] = {
        "step": step,
        "attempt": 1,
        "call": f"c{number}",
        "server": "files",
        "tool": tool,
        "item": item,
    }
    said = "no" if error else "yes"
    return [
        ToolCalled(**call, arguments=arguments),
        ToolReturned(**call, text=said, is_error=error, seconds=0.1, characters=3),
    ]


def command(step: str, *argv: str, code: int = 0) -> Event:
    return CommandRan(step=step, attempt=1, argv=argv, exit_code=code, stdout="", stderr="", seconds=0.1)


def did(
    step: str,
    output: Any,
    *inner: Event,
    status: Any = "succeeded",
    model: str | None = "small",
    tokens: int = 10,
    item: int | None = None,
    items: int | None = None,
    **more: Any,
) -> list[Event]:
    return [
        StepStarted(step=step, kind="task", model=model, item=item, items=items),
        *inner,
        StepFinished(
            step=step,
            status=status,
            output=output,
            model=model,
            usage=Usage(tokens, tokens),
            seconds=1,
            item=item,
            **more,
        ),
    ]


def run(
    run_id: str, *events: Event, steps: tuple[str, ...], status: Any = "succeeded", seconds: float = 2.0, **more: Any
) -> list[Entry]:
    started = RunStarted(workflow="flow", file="flow.yaml", inputs={"path": "src"}, steps=steps)
    code = 0 if status == "succeeded" else 1
    outputs = more.pop("outputs", {})
    ended = RunFinished(status=status, exit_code=code, outputs=outputs, seconds=seconds, **more)
    return entries([started, *events, ended], run_id)


def compared(one: list[Entry], other: list[Entry]) -> str:
    before, after = picture(one), picture(other)
    return run_diff_text(before, after, run_changes(before, after))


def test_runs_with_the_same_answers_are_the_same_whatever_they_cost() -> None:
    one = run(FIRST, *did("look", f"kept in {FIRST}", *called("look", 1, "read", {"path": FIRST})), steps=("look",))
    other = run(
        SECOND,
        *did("look", f"kept in {SECOND}", *called("look", 7, "read", {"path": SECOND}), tokens=50),
        steps=("look",),
        seconds=90,
    )
    assert compared(one, other) == (
        f"- {FIRST}  flow succeeded, 2.0s, 20 tokens\n"
        f"+ {SECOND}  flow succeeded, 1m30s, 100 tokens\n"
        "\n"
        "nothing differs in 1 step; tokens 20 → 100 (+80), time 2.0s → 1m30s\n"
    )


def test_statuses_outputs_models_and_errors_step_by_step() -> None:
    one = run(
        FIRST,
        *did("look", "Look through src and name it."),
        *did("fix", {"verdict": "keep", "why": ["a", "b"]}),
        *did("note", "same"),
        steps=("look", "fix", "note"),
        outputs={"note": "fine"},
    )
    other = run(
        SECOND,
        *did("look", "Look through lib and name it.", model="large", tokens=20),
        *did("fix", {"verdict": "change", "why": ["a", "c"]}),
        *did("note", None, status="failed", error={"kind": "timeout", "message": "too slow"}),
        steps=("look", "fix", "note"),
        status="failed",
        outputs={},
    )
    assert compared(one, other).split("\n\n", 1)[1] == (
        "~ the run\n"
        "    status: succeeded → failed\n"
        "    exit_code: 0 → 1\n"
        "    outputs.note: [-fine-]\n"
        "\n"
        "~ look  20 → 40 tokens\n"
        "    model: small → large\n"
        "    output: Look through [-src-]{+lib+} and name it.\n"
        "\n"
        "~ fix\n"
        "    output:\n"
        "      verdict: [-keep-]{+change+}\n"
        "      why[1]: [-b-]{+c+}\n"
        "\n"
        "~ note\n"
        "    status: succeeded → failed\n"
        "    error: none → timeout (too slow)\n"
        "    output: [-same-]{+null+}\n"
        "\n"
        "3 of 3 steps differ; tokens 60 → 80 (+20), time 2.0s → 2.0s\n"
    )


def test_tool_calls_and_commands_that_came_went_or_changed() -> None:
    one = run(
        FIRST,
        *did(
            "fix",
            "done",
            *called("fix", 1, "list", {}),
            *called("fix", 2, "read", {"path": "a.py"}),
            *called("fix", 3, "edit", {"path": "a.py", "old": "x"}),
            command("fix", "pytest", "-q"),
        ),
        steps=("fix",),
    )
    other = run(
        SECOND,
        *did(
            "fix",
            "done",
            *called("fix", 1, "list", {}),
            *called("fix", 2, "read", {"path": "b.py"}),
            *called("fix", 3, "search", {"pattern": "x"}, error=True),
            command("fix", "pytest", "-q", code=1),
        ),
        steps=("fix",),
    )
    assert compared(one, other).split("\n\n", 1)[1] == (
        "~ fix\n"
        "    ~ files.read\n"
        "        path: [-a-]{+b+}.py\n"
        '    - files.edit {"path": "a.py", "old": "x"}\n'
        "    ~ command  succeeded → failed\n"
        '    + files.search {"pattern": "x"}  failed\n'
        "\n"
        "1 of 1 step differs; tokens 20, time 2.0s → 2.0s\n"
    )


def test_items_and_called_steps_stand_for_themselves_and_steps_may_be_in_one_run_alone() -> None:
    def fan(*outputs: str) -> list[Event]:
        inner = [e for n, text in enumerate(outputs) for e in did("fix", text, item=n)]
        return did("fix", list(outputs), *inner, items=len(outputs))

    one = run(FIRST, *fan("a", "b", "c"), *did("old", "x", *called("old", 1, "read", 1)), steps=("fix", "old"))
    other = run(
        SECOND,
        *fan("a", "B"),
        *(StepStarted(step="call", kind="workflow"), *did("call/draft", "new", *called("call/draft", 1, "list", {}))),
        *(StepFinished(step="call", status="succeeded", output={"draft": "new"}),),
        steps=("fix", "call", "call/draft"),
    )
    assert compared(one, other).split("\n\n", 1)[1] == (
        "~ fix[1]\n"
        "    output: [-b-]{+B+}\n"
        "\n"
        "- fix[2]: only in the first run, succeeded\n"
        "\n"
        "- old: only in the first run, succeeded\n"
        "    - files.read 1\n"
        "\n"
        "+ call: only in the second run, succeeded\n"
        "\n"
        "+ call/draft: only in the second run, succeeded\n"
        "    + files.list {}\n"
        "\n"
        "5 of 7 steps differ; tokens 80 → 60 (-20), time 2.0s → 2.0s\n"
    )


def test_a_list_that_differs_says_where() -> None:
    one, other = (run(name, *did("a", [1, text]), steps=("a",)) for name, text in ((FIRST, "x"), (SECOND, "y")))
    assert "    output[1]: [-x-]{+y+}\n" in compared(one, other)


def test_what_was_said_commands_no_terminal() -> None:
    one = run(FIRST, *did("a", "x", *called("a", 1, "read", {"path": "x"})), steps=("a",))
    bad = run(SECOND, *did("a", "\x1b[2J", *called("a", 1, "\x1b[3J", "\x1b[4J")), steps=("a",))
    assert "\x1b" not in compared(one, bad)
    before, after = picture(one), picture(bad)
    assert "\x1b[1ma\x1b[0m" in run_diff_text(before, after, run_changes(before, after), colour=True)


def test_an_answer_to_nothing_and_a_journal_that_begins_elsewhere() -> None:
    stray = ToolReturned(
        step="a", attempt=1, call="c9", server="files", tool="read", text="", is_error=True, seconds=0, characters=0
    )
    one = run(FIRST, *did("a", "x", stray), steps=("a",))
    assert "nothing differs" in compared(one, run(SECOND, *did("a", "x"), steps=("a",)))
    assert picture([]).facts["inputs"] == {}


def test_the_same_for_machines() -> None:
    one = run(FIRST, *did("a", "x y", *called("a", 1, "read", {"path": "p"})), steps=("a",))
    other = run(SECOND, *did("a", "x z", tokens=11), *did("b", 1, model=None), steps=("a", "b"))
    before, after = picture(one), picture(other)
    made = run_diff_json(before, after, run_changes(before, after), 1)
    assert made == {
        "before": {"run": FIRST, "workflow": "flow", "status": "succeeded", "tokens": 20, "seconds": 2.0},
        "after": {"run": SECOND, "workflow": "flow", "status": "succeeded", "tokens": 42, "seconds": 2.0},
        "changes": [
            {
                "step": "a",
                "how": "changed",
                "facts": {"output": {"before": "x y", "after": "x z", "words": ["the value: x [-y-]{+z+}"]}},
                "calls": [
                    {
                        "how": "removed",
                        "before": {"name": "files.read", "arguments": {"path": "p"}, "failed": False},
                        "after": None,
                        "words": [],
                    }
                ],
                "tokens": {"before": 20, "after": 22},
                "seconds": {"before": 1, "after": 1},
            },
            {
                "step": "b",
                "how": "added",
                "facts": {},
                "calls": [],
                "tokens": {"before": None, "after": 20},
                "seconds": {"before": None, "after": 1},
            },
        ],
        "exit_code": 1,
    }
    assert run_diff_json(before, before, (), 0)["changes"] == []
