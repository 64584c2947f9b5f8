"""The step kind ``approve``: a question to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.chat.messages import Usage
from runner.execute.hall import Hall, Paused, Unit
from runner.execute.place import unit_key
from runner.execute.questions import Question
from runner.execute.worker import Outcome
from runner.execute.world import World
from runner.record.events import ApprovalAnswered, ApprovalAsked
from runner.words.errors import BridgeError
from runner.words.templates import render_text
from runner.workflow.model import ApproveWork


class ApproveWorker:
    """One question."""

    extras: Mapping[str, Any] = {}
    usage = Usage()
    model = None

    def __init__(self, hall: Hall, world: World, unit: Unit) -> None:
        step, work = unit.planned.step, unit.planned.step.work
        assert isinstance(work, ApproveWork)
        self._hall = hall
        self._world = world
        self._unit = unit
        self._question = Question(
            unit=unit_key(world.before + step.id, unit.item),
            text=render_text(work.question, world.names()),
            choices=work.choices,
            default=work.default,
            patience=work.patience,
        )

    async def attempt(self, number: int) -> Outcome:  # noqa: ARG002 - a question is asked once
        """Ask, and wait for the answer while others work.

        Raises:
            Paused: nobody answers now.
        """
        step, asked = self._unit.planned.step, self._question
        self._world.journal.append(
            ApprovalAsked(step=step.id, question=asked.text, choices=asked.choices, default=asked.default)
        )
        self._unit.strand.settle()
        try:
            answer = await self._hall.answers.answer(asked)
        finally:
            self._unit.strand.stir()
        if answer is None:
            raise Paused
        self._world.journal.append(ApprovalAnswered(step=step.id, choice=answer.choice, by=answer.by))
        return Outcome(output=answer.choice)

    def repeatable(self, error: BridgeError) -> bool:  # noqa: ARG002 - the protocol of workers
        """A person is asked once."""
        return False

    def fall_back(self, error: BridgeError) -> bool:  # noqa: ARG002 - the protocol of workers
        """There is nobody else."""
        return False
