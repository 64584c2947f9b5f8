"""Which answers a walk needs to see what is still unseen: guesses, the likeliest first; the walk itself judges them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from itertools import combinations, islice, product
from typing import Any

from runner.rehearse.rehearsal.goals import Goal
from runner.rehearse.rehearsal.hints import steps_read
from runner.rehearse.rehearsal.prompter import INJECTED, Cues, Prompter
from runner.rehearse.rehearsal.value import least, made_up
from runner.rehearse.scripted import Reply
from runner.words.errors import FailureKind
from runner.words.noun import noun
from runner.words.templates import inspect_expression, inspect_template
from runner.workflow.fan_out import ForEach
from runner.workflow.model import ApproveWork, CallWork, Step, Workflow

_OPTIONS = 16
"""Values of one source that are tried."""
_INPUT = "inputs."
_FAILURES: Mapping[str, FailureKind] = {"task": "request", "tool": "tool", "run": "command"}
"""A kind that is not tried again, by the kind of step."""


@noun
class Part:
    """How one walk goes: what steps answer other than usual, and which inputs it has other than given."""

    cues: Cues = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def with_value(self, source: str, value: Any) -> Part:
        """The same with one source (the path of a step, or ``inputs.name``) at that value."""
        if source.startswith(_INPUT):
            return Part(cues=self.cues, inputs={**self.inputs, source.removeprefix(_INPUT): value})
        return Part(cues={**self.cues, source: (Reply(value=value),)}, inputs=self.inputs)

    def with_cue(self, path: str, *replies: Reply) -> Part:
        """The same with a step that says these, one after the other."""
        return Part(cues={**self.cues, path: replies}, inputs=self.inputs)


class Search:
    """Guesses for the goals of one workflow. ``fixed`` are the inputs that somebody gave: they are left alone."""

    def __init__(self, workflow: Workflow, prompter: Prompter, fixed: Iterable[str] = ()) -> None:
        self._workflow = workflow
        self._prompter = prompter
        self._fixed = frozenset(fixed)

    def guesses(self, goal: Goal, bases: Iterable[Part]) -> Iterator[Part]:
        """Parts that may show the goal, each over a base that has led as far as the step."""
        for base in bases:
            yield from self._over(goal, base)

    def _over(self, goal: Goal, base: Part) -> Iterator[Part]:
        step = self._prompter.steps[goal.path]
        if goal.way == "choice":
            yield base.with_value(goal.path, goal.choice)
        elif goal.way == "fails":
            path = self._speaker(goal.path)
            if path is not None:
                kind = _FAILURES[self._prompter.steps[path].kind]
                yield base.with_cue(path, Reply(fails=kind, message=INJECTED))
        elif goal.way == "least":
            yield from self._least(goal.path, step, base)
        elif goal.way == "after a round":
            yield from self._rounds(goal.path, base)
        else:
            yield from self._varied(self._sources(goal, step), base)

    def _least(self, path: str, step: Step, base: Part) -> Iterator[Part]:
        """The answer of the base, less all that its schema does not require."""
        assert step.output_schema is not None, "else there is no such goal"
        usual = (Reply(value=self._prompter.options(path)[0]),)
        short = [least(step.output_schema, reply.value) for reply in base.cues.get(path, usual)]
        yield base.with_cue(path, *(Reply(value=value) for value in short))

    def _rounds(self, path: str, base: Part) -> Iterator[Part]:
        """First an answer that is not good enough, then one that is, or may be."""
        for source in self._speakers(path):
            values = self._values(source)
            for first, then in product(values[1:], values):
                yield base.with_cue(source, Reply(value=first), Reply(value=then))

    def _varied(self, sources: tuple[str, ...], base: Part) -> Iterator[Part]:
        """One source at each other value, then two at once."""
        values = {source: self._values(source) for source in sources}
        for source, others in values.items():
            yield from (base.with_value(source, value) for value in others)
        for one, two in combinations(values, 2):
            for first, second in islice(product(values[one], values[two]), _OPTIONS * 4):
                yield base.with_value(one, first).with_value(two, second)

    def _values(self, source: str) -> tuple[Any, ...]:
        if not source.startswith(_INPUT):
            return self._prompter.options(source)[:_OPTIONS]
        name = source.removeprefix(_INPUT)
        if name in self._fixed or name not in self._workflow.inputs:
            return ()
        return made_up(self._workflow.inputs[name].schema, name)[:_OPTIONS]

    # --- where values come from -----------------------------------------------------------------------------------

    def _sources(self, goal: Goal, step: Step) -> tuple[str, ...]:
        before = goal.path.removesuffix(step.id)
        expressions = [step.when] if step.when is not None else []
        over = step.fan_out.over if step.fan_out is not None else None
        if isinstance(over, ForEach) and isinstance(over.items, str):
            expressions.append(over.items)
        found = [source for text in expressions for source in self._read(text, before)]
        if goal.way == "at once":
            found += self._speakers(goal.path)
        return tuple(dict.fromkeys(found))

    def _read(self, expression: str, before: str) -> Iterator[str]:
        """The sources of what an expression of a file reads; ``before`` is the path of the call with its slash."""
        yield from (path for step in steps_read(expression) for path in self._behind(before + step))
        paths = (reference.path for reference in inspect_expression(expression).references)
        for name in dict.fromkeys(str(path[1]) for path in paths if len(path) > 1 and path[0] == "inputs"):
            yield from self._input(name, before)

    def _behind(self, path: str) -> Iterator[str]:
        """What decides the output of a step: its own answer, and the list over which it fans out."""
        yield from self._speakers(path)
        step = self._prompter.steps.get(path)
        over = step.fan_out.over if step is not None and step.fan_out is not None else None
        if step is not None and isinstance(over, ForEach) and isinstance(over.items, str):
            yield from self._read(over.items, path.removesuffix(step.id))

    def _input(self, name: str, before: str) -> Iterator[str]:
        """An input of the file itself, or what the calling step hands over for one of a called file."""
        if not before:
            yield _INPUT + name
            return
        call = before.removesuffix("/")
        step = self._prompter.steps[call]
        assert isinstance(step.work, CallWork), "only calls have steps below"
        outer = call.removesuffix(step.id)
        for path in _references(step.work.given.get(name)):
            if path[0] == "steps":
                yield from self._behind(outer + str(path[1]))
            elif path[0] == "inputs":
                yield from self._input(str(path[1]), outer)

    def _speakers(self, path: str) -> tuple[str, ...]:
        """The steps whose answers make the output of a step: itself, or all below it where it calls a file."""
        step = self._prompter.steps.get(path)
        if step is None:
            return ()
        if not isinstance(step.work, CallWork):
            return (path,)
        inner = (name for name in self._prompter.steps if name.startswith(f"{path}/"))
        return tuple(name for name in inner if not isinstance(self._prompter.steps[name].work, CallWork))

    def _speaker(self, path: str) -> str | None:
        """The step that has to fail so that the one at ``path`` does."""
        speakers = (name for name in self._speakers(path) if self._can_fail(name))
        return next(speakers, None)

    def _can_fail(self, path: str) -> bool:
        return not isinstance(self._prompter.steps[path].work, ApproveWork)


def _references(value: Any) -> Iterator[tuple[str | int, ...]]:
    """Everything that the templates of a value read, with at least two parts."""
    if isinstance(value, str):
        yield from (one.path for one in inspect_template(value).references if len(one.path) > 1)
    elif isinstance(value, Mapping):
        yield from (path for part in value.values() for path in _references(part))
    elif isinstance(value, list | tuple):
        yield from (path for part in value for path in _references(part))
