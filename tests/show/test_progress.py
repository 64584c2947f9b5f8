"""Plain lines, and who gets which display."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from runner.chat.messages import Delta
from runner.record.events import (
    AnswerRefused,
    CommandRan,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
    StepWarned,
    ToolCalled,
    ToolReturned,
    ToolServerDied,
)
from runner.show.live import LivePicture
from runner.show.progress import PlainLines, Silence, make_display


def test_a_run_in_plain_lines(story, snapshot):
    stream = io.StringIO()
    display = PlainLines(stream)
    for entry in story:
        display.entry(entry)
        display.delta("survey", Delta("content", "not a line"))
    display.close()
    assert stream.getvalue() == snapshot


LONG = "word " * 1_000


@pytest.mark.parametrize(
    "event",
    [
        RunStarted(workflow="w" * 900, file="f", inputs={}, steps=("s",)),
        StepStarted(step="s" * 900, kind="task", model="m" * 900),
        ToolServerDied(server="files", message=LONG, restarted=True),
        ToolCalled(step="s", attempt=1, call="c", server="files", tool="t" * 900, arguments={"a": LONG}),
        ToolReturned(
            step="s", attempt=1, call="c", server="x", tool="t", text=LONG, is_error=True, seconds=1.0, characters=9
        ),
        CommandRan(step="s", attempt=1, argv=("a", LONG), exit_code=1, stdout=LONG, stderr=LONG, seconds=1.0),
        AnswerRefused(step="s", attempt=1, kind="invalid_output", message=LONG, left=1),
        StepWarned(step="s", message=LONG),
        StepRetried(step="s", attempt=1, kind="server", message=LONG, wait=1.0),
        StepFinished(step="s", status="failed", attempts=1, error={"kind": "tool", "message": LONG}),
        StepFinished(step="s", status="skipped", reason=LONG),
        RunFinished(status="failed", exit_code=1, outputs={}, error={"kind": "bug", "message": LONG}, seconds=1.0),
    ],
    ids=lambda event: type(event).__name__,
)
def test_no_line_is_endless(event, entries):
    stream = io.StringIO()
    PlainLines(stream).entry(*entries([event]))
    [line] = stream.getvalue().splitlines()
    assert len(line) < 240


def test_silence_is_silent(story):
    stream = io.StringIO()
    display = make_display(stream, {"TERM": "xterm"}, quiet=True, is_tty=True)
    for entry in story:
        display.remember(entry)
        with display.step_aside():
            display.entry(entry)
    display.delta("survey", Delta("content", "x"))
    display.close()
    assert isinstance(display, Silence)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("environment", "is_tty", "kind"),
    [
        ({"TERM": "xterm-256color"}, True, LivePicture),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, True, LivePicture),
        ({"TERM": "xterm-256color", "CI": ""}, True, LivePicture),
        ({"TERM": "xterm-256color", "CI": "true"}, True, PlainLines),
        ({"TERM": "xterm-256color", "FORCE_COLOR": "1"}, False, PlainLines),
        ({"TERM": "dumb"}, True, PlainLines),
        ({}, True, PlainLines),
    ],
)
def test_who_gets_which_display(environment, is_tty, kind):
    assert type(make_display(io.StringIO(), environment, quiet=False, is_tty=is_tty)) is kind


def test_a_pipe_does_not_pay_for_rich():
    code = (
        "import io, sys; from runner.show import problems, progress, result_view; from runner.show.plan import view; "
        "progress.make_display(io.StringIO(), {}, quiet=False, is_tty=False); "
        "print(sorted({'rich', 'asyncio', 'difflib', 'textwrap'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
