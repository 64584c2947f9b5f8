"""What of a run is done and stays done when it is resumed, read off its journal.

An end stays if it went well, was tolerated, or is a skip, and if all that the step needs stays and ended before it:
what is done again may come out otherwise, and so what needed it is done again too. The same holds for every item of a
fan-out and, inside a call that is not over, for every step of the called file. Of a call with ``repeat`` all rounds are
kept: they pass again, one by one, without work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.record.events import ApprovalAnswered, StepFinished, StepRepeated, StepRetried, StepStarted
from runner.record.parts import unit_of
from runner.record.wire import Entry
from runner.words.noun import noun
from runner.workflow.model import CallWork, Step, Workflow


class Seeds:
    """The ends and answers of earlier goes, by unit (``fix``, ``fix[3]``, ``call[3]/draft``).

    A unit has several where a call with ``repeat`` came to it in several rounds: they are taken one after the other.
    """

    def __init__(
        self,
        ends: Mapping[str, Iterable[StepFinished]] | None = None,
        answers: Mapping[str, Iterable[ApprovalAnswered]] | None = None,
    ) -> None:
        self._ends = {unit: deque(each) for unit, each in (ends or {}).items()}
        self.answers = {unit: tuple(each) for unit, each in (answers or {}).items()}
        """To questions that were answered, while their step did not come to its end."""

    @property
    def units(self) -> tuple[str, ...]:
        """What need not be done, each once, in the order in which it ended first."""
        return tuple(self._ends)

    def take(self, unit: str) -> StepFinished | None:
        """How the unit ended; None if it is to be done. The next call gives the end of a later round."""
        ends = self._ends.get(unit)
        if not ends:
            return None
        end = ends.popleft()
        if not ends:
            del self._ends[unit]
        return end


def seeds_of(entries: Iterable[Entry], workflow: Workflow) -> Seeds:
    """The seeds of a run with these entries. ``workflow`` is its file as it is now, and may lack what it once had."""
    story = _Round()
    for entry in entries:
        note = _NOTES.get(type(entry.event))
        if note is not None:
            note(story.at(str(unit_of(entry.event))), entry.event, entry.seq)
    harvest = _Harvest()
    harvest.gather(story, workflow, "", 0)
    return Seeds(harvest.ends, harvest.answers)


@dataclass(slots=True)
class _Unit:
    """What was heard of a unit; ``seq`` of its end. ``rounds`` hold the steps that it calls, in ``round`` it is now."""

    end: StepFinished | None = None
    seq: int = 0
    answers: list[tuple[int, ApprovalAnswered]] = field(default_factory=list)
    asked_again: int = 0
    rounds: list[_Round] = field(default_factory=list)
    round: int = 0

    @property
    def settled(self) -> bool:
        end = self.end
        return end is not None and (end.status in ("succeeded", "recovered", "skipped") or end.tolerated)

    def current(self) -> _Round:
        while len(self.rounds) <= self.round:
            self.rounds.append(_Round())
        return self.rounds[self.round]


@dataclass(slots=True)
class _Round:
    """The units of one file, carried out once, by their names in that file: ``draft``, ``draft[1]``."""

    units: dict[str, _Unit] = field(default_factory=dict)

    def at(self, unit: str) -> _Unit:
        """The unit of that path, in the rounds that are going on."""
        here: _Round = self
        *callers, name = unit.split("/")
        for caller in callers:
            here = here.units.setdefault(caller, _Unit()).current()
        return here.units.setdefault(name, _Unit())


def _started(unit: _Unit, _: StepStarted, __: int) -> None:
    """It begins, or passes through its rounds again after the run was resumed."""
    unit.round = unit.asked_again = 0


def _repeated(unit: _Unit, event: StepRepeated, _: int) -> None:
    unit.round = event.number - 1


def _retried(unit: _Unit, _: StepRetried, __: int) -> None:
    """What it called is done again from the start."""
    del unit.rounds[unit.round :]


def _answered(unit: _Unit, event: ApprovalAnswered, seq: int) -> None:
    """A question that is asked again after the run was resumed gets its answers again."""
    unit.answers[unit.asked_again : unit.asked_again + 1] = [(seq, event)]
    unit.asked_again += 1


def _finished(unit: _Unit, event: StepFinished, seq: int) -> None:
    unit.end, unit.seq = event, seq


_NOTES: Mapping[type, Callable[[_Unit, Any, int], None]] = {
    StepStarted: _started,
    StepRepeated: _repeated,
    StepRetried: _retried,
    ApprovalAnswered: _answered,
    StepFinished: _finished,
}


@noun
class _Gathered:
    """Whether every step of a round stays, and the ``seq`` of the latest end among them."""

    whole: bool
    latest: int


class _Harvest:
    """Collects what stays, file by file."""

    def __init__(self) -> None:
        self.ends: dict[str, list[StepFinished]] = {}
        self.answers: dict[str, list[ApprovalAnswered]] = {}

    def gather(self, story: _Round, workflow: Workflow, before: str, since: int) -> _Gathered:
        """Take what stays of a file that was carried out once; ``since``: what ended earlier is of another time."""
        staying: dict[str, int] = {}
        steps = {step.id: step for step in workflow.steps}
        whole = sorted((unit.seq, name) for name, unit in story.units.items() if name in steps and unit.settled)
        for seq, name in whole:  # in this order whatever a step needs comes before it
            after = _after(steps[name], staying, since)
            if after is not None and after < seq:
                staying[name] = seq
                self._keep(before + name, story.units[name])
        for name, unit in story.units.items():
            step = steps.get(name.partition("[")[0])
            if step is None or step.id in staying:
                continue
            after = _after(step, staying, since)
            if after is None:
                continue
            if name != step.id and unit.settled and after < unit.seq:
                self._keep(before + name, unit)
            else:
                self._descend(before + name, step, unit, after)
        return _Gathered(whole=len(staying) == len(steps), latest=max(staying.values(), default=since))

    def _keep(self, unit: str, heard: _Unit) -> None:
        assert heard.end is not None, "only what is settled is kept"
        self.ends.setdefault(unit, []).append(heard.end)

    def _descend(self, unit: str, step: Step, heard: _Unit, since: int) -> None:
        """Take what stays below a unit that is to be done again, or was not over."""
        failed = heard.end is not None and heard.end.status == "failed"
        answers = [answer for seq, answer in heard.answers if seq > (max(since, heard.seq) if failed else since)]
        if answers:
            self.answers.setdefault(unit, []).extend(answers)
        if not isinstance(step.work, CallWork) or _was_in_vain(step, heard, since):
            return
        for each in heard.rounds:
            gathered = self.gather(each, step.work.callee, f"{unit}/", since)
            if not gathered.whole:  # rounds after this one are of an earlier go
                return
            since = gathered.latest


def _after(step: Step, staying: Mapping[str, int], since: int) -> int | None:
    """The ``seq`` after which the step may have begun; None if something that it needs does not stay."""
    needs = [staying.get(need) for need in step.needs]
    known = [seq for seq in needs if seq is not None]
    return None if len(known) < len(needs) else max(known, default=since)


def _was_in_vain(step: Step, heard: _Unit, since: int) -> bool:
    """Whether a call failed with all of its rounds done: to pass through them again would end the same way."""
    failed = heard.end is not None and heard.end.status == "failed"
    if step.repeat is None or not failed or len(heard.rounds) < step.repeat.most:
        return False
    assert isinstance(step.work, CallWork)
    for each in heard.rounds:
        gathered = _Harvest().gather(each, step.work.callee, "", since)
        if not gathered.whole:
            return False
        since = gathered.latest
    return since < heard.seq
