"""The journal: numbers, order of writing and telling, failures that stay, syncs that are shared."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

import pytest

from runner.record.events import ModelAsked, StepFinished, StepStarted, StepWarned
from runner.record.journal import Journal, masking
from runner.record.wire import from_line
from runner.words.errors import HistoryError
from runner.words.redact import Redactor


@dataclass
class Paper:
    """A sink in memory; ``gate`` holds syncs up, ``full_after`` lines it takes no more."""

    full_after: int = 1_000
    lines: list[bytes] = field(default_factory=list)
    syncs: int = 0
    sync_error: Exception | None = None
    closed: int = 0
    began: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def write(self, line: bytes) -> None:
        if len(self.lines) >= self.full_after:
            raise OSError(28, "No space left on device")
        self.lines.append(line)

    def sync(self) -> None:
        self.began.set()
        assert self.gate.wait(10)
        self.syncs += 1
        if self.sync_error:
            raise self.sync_error

    def close(self) -> None:
        self.closed += 1


def journal_on(paper: Paper, mask=lambda event: event) -> Journal:
    return Journal(paper, "r1", lambda: 1_795_388_701.25, mask)


def warning(text: str) -> StepWarned:
    return StepWarned(step="a", message=text)


def test_entries_are_numbered_timed_and_written():
    paper = Paper()
    journal = journal_on(paper)
    entries = [journal.append(warning("one")), journal.append(warning("two"))]
    assert [entry.seq for entry in entries] == [1, 2]
    assert entries[0].at == "2026-11-22T23:05:01.250Z"
    assert [from_line(line) for line in paper.lines] == entries


def test_a_fact_is_written_before_it_is_told():
    paper = Paper()
    journal = journal_on(paper)
    told = []
    journal.listen(lambda entry: told.append((entry.seq, len(paper.lines))))
    journal.append(warning("one"))
    journal.append(warning("two"))
    assert told == [(1, 1), (2, 2)]


def test_a_listener_that_raises_is_dropped_and_remembered():
    journal = journal_on(Paper())
    told = []

    def broken(entry):
        raise RuntimeError("no terminal")

    journal.listen(broken)
    journal.listen(told.append)
    entries = [journal.append(warning("one")), journal.append(warning("two"))]
    assert told == entries
    assert [(listener, str(error)) for listener, error in journal.lost_listeners] == [(broken, "no terminal")]


def test_a_failed_write_is_told_to_nobody_and_stays():
    paper = Paper(full_after=1)
    journal = journal_on(paper)
    told = []
    journal.listen(told.append)
    first = journal.append(warning("one"))
    for _ in range(2):
        with pytest.raises(HistoryError, match="the journal could not be written: No space left on device"):
            journal.append(warning("two"))
        paper.full_after = 1_000
    with pytest.raises(HistoryError, match="No space left"):
        asyncio.run(journal.sync())
    assert told == [first]
    journal.close()
    assert (paper.closed, paper.syncs) == (1, 0)


def test_a_sync_serves_all_who_asked_before_it_began():
    paper = Paper()
    journal = journal_on(paper)

    async def story():
        paper.gate.clear()
        journal.append(warning("one"))
        first = [asyncio.create_task(journal.sync()) for _ in range(5)]
        await asyncio.to_thread(paper.began.wait, 10)
        journal.append(warning("two"))  # too late for the sync under way: these need one of their own
        second = [asyncio.create_task(journal.sync()) for _ in range(5)]
        await asyncio.sleep(0)
        assert paper.syncs == 0
        paper.gate.set()
        await asyncio.gather(*first, *second)
        await journal.sync()  # nothing new: no sync

    asyncio.run(story())
    assert paper.syncs == 2


def test_who_is_cancelled_while_waiting_ends_no_sync_of_others():
    paper = Paper()
    journal = journal_on(paper)

    async def story():
        paper.gate.clear()
        journal.append(warning("one"))
        leaver, stayer = asyncio.create_task(journal.sync()), asyncio.create_task(journal.sync())
        await asyncio.to_thread(paper.began.wait, 10)
        leaver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaver
        paper.gate.set()
        await stayer

    asyncio.run(story())
    assert paper.syncs == 1


def test_a_failed_sync_reaches_all_who_wait_and_stays():
    paper = Paper(sync_error=HistoryError("the disk is gone", hint="plug it in"))
    journal = journal_on(paper)

    async def story():
        journal.append(warning("one"))
        return await asyncio.gather(journal.sync(), journal.sync(), return_exceptions=True)

    outcomes = asyncio.run(story())
    assert [(str(error), error.hint) for error in outcomes] == [("the disk is gone", "plug it in")] * 2
    with pytest.raises(HistoryError, match="the disk is gone"):
        journal.append(warning("two"))


def test_close_syncs_what_is_left_and_may_be_called_twice():
    paper = Paper()
    journal = journal_on(paper)
    journal.append(warning("one"))
    journal.close()
    journal.close()
    assert (paper.syncs, paper.closed) == (1, 1)
    asyncio.run(journal.sync())
    with pytest.raises(HistoryError, match="the journal of this run is closed"):
        journal.append(warning("two"))


def test_close_says_when_the_last_lines_were_lost_and_still_closes():
    paper = Paper(sync_error=OSError(5, "Input/output error"))
    journal = journal_on(paper)
    journal.append(warning("one"))
    with pytest.raises(HistoryError, match="the journal could not be written: Input/output error"):
        journal.close()
    assert paper.closed == 1


def test_secrets_reach_neither_the_file_nor_a_listener():
    paper = Paper()
    journal = journal_on(paper, masking(Redactor({"TOKEN": "hunter2-hunter2"}).value))
    told = []
    journal.listen(told.append)
    said = {"role": "user", "content": "it is hunter2-hunter2"}
    journal.append(ModelAsked(step="a", attempt=1, round=1, model="m", messages=(said,), tools=("t",)))
    journal.append(
        StepFinished(step="a", status="failed", output={"a": ["hunter2-hunter2"]}, reason="hunter2-hunter2!")
    )
    masked = {"role": "user", "content": "it is [secret TOKEN]"}
    assert [entry.event for entry in told] == [
        ModelAsked(step="a", attempt=1, round=1, model="m", messages=(masked,), tools=("t",)),
        StepFinished(step="a", status="failed", output={"a": ["[secret TOKEN]"]}, reason="[secret TOKEN]!"),
    ]
    assert [from_line(line) for line in paper.lines] == told


def test_an_event_without_secrets_is_not_copied():
    event = StepStarted(step="a", kind="task", model="m")
    assert masking(lambda value: value)(event) is event
