"""What the scheduler asks of every step kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Protocol

from runner.chat.messages import Usage
from runner.words.errors import BridgeError
from runner.words.noun import noun


@noun
class Outcome:
    """What a step's work came to; ``extras`` are what templates may read beside ``output``."""

    output: Any
    extras: Mapping[str, Any] = field(default_factory=dict)


class Worker(Protocol):
    """The work of one step; it lives through all attempts."""

    @property
    def usage(self) -> Usage:
        """Tokens used so far, failed attempts included."""

    @property
    def extras(self) -> Mapping[str, Any]:
        """What templates may read of the step even if it failed: ``exit_code`` and ``stderr`` of a command."""

    @property
    def model(self) -> str | None:
        """The model at work; None where there is none."""

    async def attempt(self, number: int) -> Outcome:
        """Do the work; ``number`` counts from 1.

        Raises:
            BridgeError: it failed, by kind.
        """

    def repeatable(self, error: BridgeError) -> bool:
        """Whether repeating after this error can do no harm."""

    def fall_back(self, error: BridgeError) -> bool:
        """Go on with what else there is, now that no attempt helps any more; False if there is nothing."""
