"""Who answers the questions of a run: the command line, a person at the terminal, the default, or nobody."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import zip_longest

from runner.execute.questions import Answer, Question
from runner.words.errors import UsageError
from runner.words.noun import noun
from runner.words.suggest import did_you_mean
from runner.workflow.fan_out import ForEach
from runner.workflow.model import ApproveWork, CallWork, Step, Workflow

Ask = Callable[[Question], Awaitable[Answer | None]]
"""Asks a person; None when there is no answer, although there was somebody to ask."""
_PART = re.compile(r"([^\[\]]+)(?:\[(0|[1-9][0-9]*)\])?")
_SHOWN = 8
"""Of more names than this, only so many are listed in a hint."""


class GivenAnswers:
    """The ``execute.questions.Answers`` of a run that was started at a command line.

    ``given`` is what ``parse_answers`` made of ``--answer``; ``yes`` is ``--yes``; ``ask`` asks the person at the
    terminal, None when there is nobody. ``kept`` are answers of an earlier session of the same run, by unit, in the
    order in which they were given: a question that is asked again gets them again.
    """

    def __init__(
        self,
        given: Mapping[str, str],
        *,
        yes: bool = False,
        ask: Ask | None = None,
        kept: Mapping[str, Sequence[Answer]] | None = None,
    ) -> None:
        self._given = {tuple(_parts(name)): choice for name, choice in given.items()}
        self._yes = yes
        self._ask = ask
        self._kept = {unit: list(answers) for unit, answers in (kept or {}).items()}

    async def answer(self, question: Question) -> Answer | None:
        """The answer of the first who has one, in the order of the format."""
        kept = self._kept.get(question.unit)
        if kept and kept[0].choice in question.choices:  # else the file was changed since
            return kept.pop(0)
        choice = self._choice_given(question.unit)
        if choice is not None:
            return Answer(choice=choice, by="--answer")
        if self._yes:
            return Answer(choice=_yes(question), by="--yes")
        if self._ask is not None:
            return await self._ask(question)
        return None if question.default is None else Answer(choice=question.default, by="default")

    def _choice_given(self, unit: str) -> str | None:
        """The choice of the name that says most about the unit; of ``a[1]/b`` and ``a/b[1]`` the first."""
        parts = tuple(_parts(unit))
        fitting = [name for name in self._given if _covers(name, parts)]
        best = max(fitting, key=lambda name: [index is not None for _, index in name], default=None)
        return None if best is None else self._given[best]


def _yes(question: Question) -> str:
    return "yes" if "yes" in question.choices else question.default or question.choices[0]


Part = tuple[str, int | None]
"""A step's id and, of one item of a fan-out, its index."""


def _parts(name: str) -> Iterator[Part]:
    """``call[2]/gate`` → ``("call", 2), ("gate", None)``; what is no name comes as it is."""
    for text in name.split("/"):
        match = _PART.fullmatch(text)
        yield (text, None) if match is None else (match[1], None if match[2] is None else int(match[2]))


def _covers(name: tuple[Part, ...], unit: tuple[Part, ...]) -> bool:
    """Whether a name stands for a unit: a part without an index stands for all items."""
    pairs = zip_longest(name, unit, fillvalue=("", None))
    return all(one == other and index in (None, at) for (one, index), (other, at) in pairs)


@noun
class Place:
    """Where a workflow asks: ``name`` is the path of the step without indices, ``counts`` says for each part of it
    into how many items it fans out: 0 = not at all, None = known only in the run.
    """

    name: str
    work: ApproveWork
    counts: tuple[int | None, ...]


def places(workflow: Workflow) -> Iterator[Place]:
    """Every place where the workflow or one that it calls asks a person, in the order of the files."""
    for step in workflow.steps:
        if isinstance(step.work, ApproveWork):
            yield Place(name=step.id, work=step.work, counts=(_count(step),))
        elif isinstance(step.work, CallWork):
            for below in places(step.work.callee):
                yield Place(name=f"{step.id}/{below.name}", work=below.work, counts=(_count(step), *below.counts))


def _count(step: Step) -> int | None:
    if step.fan_out is None:
        return 0
    over = step.fan_out.over
    if isinstance(over, ForEach):
        return None if isinstance(over.items, str) else len(over.items)
    return len(over.rows)


def parse_answers(texts: Sequence[str], workflow: Workflow) -> dict[str, str]:
    """The values of ``--answer``, each ``id=choice``: names of questions, with or without indices → choices.

    Raises:
        UsageError: an id or a choice is unknown, or one question is answered in two ways; all of it at once.
    """
    asked = {place.name: place for place in places(workflow)} if texts else {}
    answers: dict[str, str] = {}
    wrong: list[UsageError] = []
    for text in texts:
        try:
            name, choice = _answer(text, workflow, asked)
            _refuse_second(text, choice, name, answers.setdefault(name, choice))
        except UsageError as error:
            wrong.append(error)
    if wrong:
        raise _all_of(wrong)
    return answers


def _refuse_second(text: str, choice: str, name: str, first: str) -> None:
    if first != choice:
        message = f"`--answer {text}` says otherwise than `--answer {name}={first}`"
        raise UsageError(message, hint="keep one of the two")


def _answer(text: str, workflow: Workflow, asked: Mapping[str, Place]) -> tuple[str, str]:
    name, equals, choice = text.partition("=")
    name = name.strip()
    if not asked:
        message = f"`--answer {text}`: the workflow `{workflow.name}` asks nothing"
        raise UsageError(message, hint="it has no `approve` step; leave the option out")
    if not equals or not name or not choice:
        example = next(iter(asked.values()))
        hint = f"write `--answer {example.name}={example.work.choices[0]}`"
        raise UsageError(f"`--answer {text}` is no answer", hint=hint)
    parts = tuple(_parts(name))
    place = asked.get("/".join(step for step, _ in parts))
    if place is None:
        raise UsageError(f"`--answer {text}`: there is no question `{name}`", hint=_near(parts, tuple(asked)))
    _refuse_wrong_index(text, parts, place)
    if choice not in place.work.choices:
        one_of = ", ".join(f"`{known}`" for known in place.work.choices)
        near = did_you_mean(choice, place.work.choices)
        raise UsageError(
            f"`--answer {text}`: `{choice}` is no answer to `{place.name}`",
            hint=f"{near} the choices are {one_of}" if near else f"the choices are {one_of}",
        )
    return name, choice


def _near(parts: Sequence[Part], asked: Sequence[str]) -> str:
    bare = "/".join(step for step, _ in parts)
    inside = [known for known in asked if known.endswith(f"/{bare}")]
    near = f"did you mean `{inside[0]}`?" if inside else did_you_mean(bare, asked)
    shown = ", ".join(f"`{known}`" for known in asked[:_SHOWN])
    more = f" and {len(asked) - _SHOWN} more" if len(asked) > _SHOWN else ""
    return near or f"the workflow asks {shown}{more}"


def _refuse_wrong_index(text: str, parts: Sequence[Part], place: Place) -> None:
    for number, ((step, index), count) in enumerate(zip(parts, place.counts, strict=True)):
        if index is None or count is None or index < count:
            continue
        before = "/".join(known for known, _ in parts[:number])
        where = f"{before}/{step}" if before else step
        if count == 0:
            message = f"`{where}` does not fan out, so it has no item {index}"
            raise UsageError(f"`--answer {text}`: {message}", hint=f"write `{step}` without `[{index}]`")
        message = f"`{where}` has {count} item{'s' * (count != 1)}, so none has the index {index}"
        raise UsageError(f"`--answer {text}`: {message}", hint="indices count from 0")


def _all_of(errors: Sequence[UsageError]) -> UsageError:
    """One error that says them all, each with its own advice."""
    if len(errors) == 1:
        return errors[0]
    said = dict.fromkeys(f"{error.message}; {error.hint}" for error in errors)
    return UsageError(f"{len(said)} complaints about the answers:\n" + "\n".join(said))
