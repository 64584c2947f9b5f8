"""A display steps aside while a person is asked: what was asked stays on the screen, what was missed is told."""

from __future__ import annotations

import io
import re

from runner.record.events import RunStarted, StepFinished, StepStarted
from runner.record.wire import Entry
from runner.show.live import LivePicture

ASKED = "\n? gate: Ship it?\n  1 yes  2 no\n  number or word: yes\n"


def test_the_live_picture_wipes_nothing_of_what_was_asked():
    stream = io.StringIO()
    picture = LivePicture(stream, {"TERM": "xterm", "COLUMNS": "80", "LINES": "20"}, clock=lambda: 1_000.0)
    events = [
        RunStarted(workflow="w", file="f", inputs={}, steps=("a", "b", "c")),
        *(StepStarted(step=step, kind="run") for step in "abc"),
    ]
    for number, event in enumerate(events, 1):
        picture.entry(Entry(seq=number, at="2026-11-22T23:05:01.250Z", run="r1", event=event))
    picture._live.refresh()
    with picture.step_aside():
        stream.write(ASKED)
        picture.entry(
            Entry(seq=9, at="2026-11-22T23:05:02.250Z", run="r1", event=StepFinished(step="a", status="succeeded"))
        )
        assert stream.getvalue().endswith(ASKED)
    picture._live.refresh()
    picture.close()
    assert screen(stream.getvalue()) == [*ASKED.splitlines(), " ✓ a  succeeded"]


def screen(written: str) -> list[str]:
    """What stands on a terminal after all that, colours aside: as far as rich moves the cursor."""
    rows, row, column = [""], 0, 0
    for command, text in re.findall(r"\x1b\[([0-9;?]*[A-Za-z])|([^\x1b])", written, re.DOTALL):
        if command == "2K":
            rows[row] = ""
        elif command.endswith("A"):
            row = max(row - int(command[:-1]), 0)
        elif text == "\r":
            column = 0
        elif text == "\n":
            row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
        elif text:
            rows[row] = rows[row][:column].ljust(column) + text + rows[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in "\n".join(rows).rstrip().split("\n")]
