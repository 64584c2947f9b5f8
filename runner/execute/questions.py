"""A question to a person, and whoever answers it: somebody at the terminal, the command line, or nobody."""

from __future__ import annotations

from typing import Literal, Protocol

from runner.words.noun import noun


@noun
class Question:
    """What an ``approve`` step asks.

    ``unit`` is its place in the run: ``gate``, ``gate[3]`` in a fan-out, ``call[2]/gate[0]`` in a called workflow.
    ``patience`` is how long a person at a terminal is waited for, in seconds, None = for ever.
    """

    unit: str
    text: str
    choices: tuple[str, ...]
    default: str | None = None
    patience: float | None = None


@noun
class Answer:
    """One of the choices, and who made it: nobody, when the ``default`` holds."""

    choice: str
    by: Literal["terminal", "--answer", "--yes", "default"]


class Answers(Protocol):
    """Who answers the questions of a run."""

    async def answer(self, question: Question) -> Answer | None:
        """The answer, or None when nobody gives one now: then the run pauses."""
