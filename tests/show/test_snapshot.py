"""The picture of a run: everything that it is known by, and nothing that differs from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.chat.messages import Usage
from runner.record.events import (
    ApprovalAnswered,
    CommandRan,
    Event,
    ModelAnswered,
    ModelFellBack,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRepeated,
    StepRetried,
    StepStarted,
    StepWarned,
    ToolCalled,
    ToolReturned,
    ToolServerDied,
)
from runner.record.wire import Entry
from runner.show.snapshot import snapshot


def numbered(events: Sequence[Event], run: str, day: int) -> list[Entry]:
    return [
        Entry(seq=n, at=f"2026-01-{day:02}T00:00:0{n % 10}.000Z", run=run, event=e) for n, e in enumerate(events, 1)
    ]


def story(run: str, port: str, seconds: float, tokens: int) -> list[Event]:
    """A run with all that differs: its id and address stand in texts, times and tokens in their fields."""
    url = f"http://127.0.0.1:{port}"
    call: dict[str, Any] = {
        "step": "fix",
        "attempt": 1,
        "call": f"call-{run}",
        "server": "files",
        "tool": "edit",
        "item": 0,
    }
    usage = Usage(tokens, tokens)
    silent: dict[str, Any] = {"attempt": 1, "stdout": "", "stderr": "", "seconds": seconds}
    item: dict[str, Any] = {"step": "fix", "attempt": 1, "item": 0}
    call: dict[str, Any] = {**item, "call": f"call-{run}", "server": "files", "tool": "edit"}
    return [
        RunStarted(
            workflow="flow",
            file="flow.yaml",
            inputs={"path": f"/home/{run}/src"},
            steps=("look", "fix", "call", "call/inner"),
            models={"fix": {"model": "a", "endpoint": url}},
            options={"folder": f"/home/{run}"},
        ),
        ToolServerDied(server="git", message="it exited with 1", restarted=True),
        StepStarted(step="look", kind="run"),
        CommandRan(step="look", argv=("ls", f"/home/{run}"), exit_code=2, **silent),
        StepFinished(step="look", status="failed", error={"kind": "command", "message": "one\ntwo"}, seconds=seconds),
        StepStarted(step="fix", kind="task", items=1),
        StepStarted(step="fix", kind="task", model="a", endpoint=url, item=0),
        StepRetried(step="fix", attempt=1, kind="timeout", message=f"after {seconds}s", wait=seconds, item=0),
        ModelFellBack(to_model="b", to_endpoint=url, kind="server", message="x", model="a", endpoint=url, **item),
        ToolCalled(**call, arguments={"old": "a\nb", "new": "c"}),
        ToolReturned(**call, text="no", is_error=True, seconds=seconds, characters=2),
        ToolCalled(**(call | {"call": "2"}), arguments={}),
        ToolReturned(**(call | {"call": "2"}), text="yes", is_error=False, seconds=seconds, characters=3),
        ModelAnswered(round=1, model="b", content="x", finish_reason="stop", usage=usage, seconds=seconds, **item),
        CommandRan(argv=("test",), exit_code=0, expectation=True, **(silent | item)),
        StepRepeated(step="fix", number=2, attempt=2, item=0),
        StepWarned(step="fix", message="careful", item=0),
        StepFinished(step="fix", status="succeeded", output=f"see {url} of {run}", item=0, usage=usage, model="b"),
        StepFinished(step="fix", status="succeeded", output=[1], usage=usage, extras={"artifacts": [f"/runs/{run}/a"]}),
        StepStarted(step="call", kind="workflow"),
        StepStarted(step="call/inner", kind="approve"),
        ApprovalAnswered(step="call/inner", choice="yes", by="terminal"),
        StepFinished(step="call/inner", status="succeeded", output={"a": [], "b": "x" * 5000}),
        StepFinished(step="call", status="succeeded", output={"a": 1}),
        RunFinished(
            status="failed",
            exit_code=1,
            outputs={"text": "line\nline\n"},
            seconds=seconds,
            error={"kind": "request", "message": "no"},
        ),
    ]  # fmt: skip


def picture(run: str, port: str, seconds: float, tokens: int, day: int) -> str:
    entries = numbered(story(run, port, seconds, tokens), run, day)
    return snapshot(entries, stand_ins={f"/home/{run}": "PROJECT", f"/runs/{run}": "RUNS"})


def test_the_picture_of_a_run_is_all_that_it_did() -> None:
    assert picture("20260101-000000-flow-aaaa", "4711", 0.5, 7, 1) == (
        "workflow: flow\n"
        "status: failed, exit code 1\n"
        "inputs:\n"
        "  path: PROJECT/src\n"
        'error (request): "no"\n'
        "warnings:\n"
        '  - "tool server `git` died: it exited with 1; it was started again"\n'
        "\n"
        "look: failed\n"
        "  error (command): |-\n"
        "    one\n"
        "    two\n"
        "  did:\n"
        '    - command ["ls", "PROJECT"] → exit code 2\n'
        "\n"
        "fix: succeeded, 1 item\n"
        "  model: a\n"
        "  artifacts:\n"
        "    - RUNS/a\n"
        "  [0]: succeeded\n"
        "    model: b\n"
        "    did:\n"
        "      - tried again after timeout\n"
        "      - fell back from a to b after server\n"
        "      - files.edit → error\n"
        "          with:\n"
        "            old: |-\n"
        "              a\n"
        "              b\n"
        "            new: c\n"
        "      - files.edit {}\n"
        '      - checked by command ["test"] → exit code 0\n'
        "      - round 2\n"
        "    warnings:\n"
        "      - careful\n"
        "    output: see ENDPOINT of RUN\n"
        "\n"
        "call: succeeded\n"
        "  inner: succeeded\n"
        "    did:\n"
        '      - answered "yes"\n'
        "    output:\n"
        "      a: []\n"
        "      b: |-\n"
        f"        {'x' * 2000}\n"
        "        … 1,000 characters (44f8354494a5ba03) …\n"
        f"        {'x' * 2000}\n"
        "\n"
        "outputs:\n"
        "  text: |\n"
        "    line\n"
        "    line\n"
    )


def test_a_change_in_what_is_left_out_of_a_long_text_changes_the_picture() -> None:
    def told(middle: str) -> str:
        said = "x" * 3000 + middle + "y" * 3000
        return snapshot(numbered([StepFinished(step="a", status="succeeded", output=said)], "run", 1))

    one, other = told("cheap"), told("clean")
    assert len(one) == len(other)
    assert one != other


def test_two_runs_with_the_same_answers_have_the_same_picture() -> None:
    first = picture("20260101-000000-flow-aaaa", "4711", 0.5, 7, 1)
    assert first == picture("20261231-235959-flow-bbbb", "80", 99.0, 1234, 28)


def test_a_run_without_steps_inputs_and_outputs_is_a_short_picture() -> None:
    events: list[Event] = [
        RunStarted(workflow="flow", file="f", inputs={}, steps=("a",)),
        StepFinished(step="a", status="skipped", reason="its `when` does not hold"),
        RunFinished(status="succeeded", exit_code=0, outputs={}, seconds=0),
    ]
    assert snapshot(numbered(events, "run-of-today", 1)) == (
        "workflow: flow\nstatus: succeeded, exit code 0\n\n"
        "a: skipped\n  reason: its `when` does not hold\n\noutputs: {}\n"
    )
