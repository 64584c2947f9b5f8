"""What a run must know of other runs on the same servers, and what it lets them know."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from typing import Protocol


class Neighbours(Protocol):
    """Other programs of the same user. No method fails; where nothing can be known of them, one is alone."""

    def turn(self, endpoint: str, model: str, *, wants: bool = False) -> AbstractAsyncContextManager[None]:
        """Held while the model of that name is loaded or unloaded, so that no other run does either.

        ``wants``: to use it. What is about to be unloaded while we wait is left to us instead: ``inherited``.
        """

    def use(self, endpoint: str, instance: str) -> bool:
        """Let others know that the instance is used here; False if one of them is about to unload it."""

    def leave(self, endpoint: str, model: str, instance: str, *, ours: bool) -> AbstractContextManager[bool]:
        """It is used here no more. Gives whether it is to be unloaded, in this context: nobody else uses it or waits
        for it, and it is ``ours`` or was left behind by the run that loaded it.
        """

    def inherited(self, endpoint: str) -> Sequence[tuple[str, str]]:
        """Models with instances that other runs have left to this one since it was asked last; they count as used."""


class Alone:
    """Nobody else."""

    def turn(self, endpoint: str, model: str, *, wants: bool = False) -> AbstractAsyncContextManager[None]:  # noqa: ARG002  as the protocol
        """No wait."""
        return nullcontext()

    def use(self, endpoint: str, instance: str) -> bool:  # noqa: ARG002  as the protocol
        """Always."""
        return True

    def leave(self, endpoint: str, model: str, instance: str, *, ours: bool) -> AbstractContextManager[bool]:  # noqa: ARG002  as the protocol
        """What is ours is nobody else's."""
        return nullcontext(ours)

    def inherited(self, endpoint: str) -> Sequence[tuple[str, str]]:  # noqa: ARG002  as the protocol
        """Nothing."""
        return ()
