"""Stopping work before its end: a run, a called workflow or a fan-out, and all that is below it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from runner.workflow.model import Step


class Halt:
    """Work that may be called off. What cleans up goes on, until that is called off as well."""

    def __init__(self, above: Halt | None = None, *, cleans_up: bool = False, fails_fast: bool = False) -> None:
        """``cleans_up``: all that is below cleans up, whatever it is by itself. ``fails_fast``: a failure below calls
        off the rest.
        """
        self._above = above
        self.cleans_up = cleans_up
        self.fails_fast: bool = fails_fast or (above is not None and above.fails_fast)
        self._below: set[Halt] = set()
        self._scopes: dict[anyio.CancelScope, bool] = {}
        self._reason: str | None = None
        self._last_reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Why no more work may begin, in words; None while it may."""
        if self._reason is not None or self._above is None:
            return self._reason
        return self._above.last_reason if self.cleans_up else self._above.reason

    @property
    def last_reason(self) -> str | None:
        """Why no clean-up may begin either."""
        if self._last_reason is not None or self._above is None:
            return self._last_reason
        return self._above.last_reason

    def reason_for(self, step: Step) -> str | None:
        """Why this step may not begin."""
        return self.last_reason if step.cleans_up else self.reason

    def call(self, reason: str) -> None:
        """Call off all that is at work, here and below; the first reason is the one that is told."""
        self._reason = self._reason or reason
        self._cancel(reason, clean_up=False)
        for halt in tuple(self._below):
            if not halt.cleans_up:
                halt.call(reason)

    def call_last(self, reason: str) -> None:
        """Call off the clean-up, too."""
        self._last_reason = self._last_reason or reason
        self._cancel(reason, clean_up=True)
        for halt in tuple(self._below):
            if halt.cleans_up:
                halt.call(reason)
            halt.call_last(reason)

    def _cancel(self, reason: str, *, clean_up: bool) -> None:
        for scope, cleans_up in tuple(self._scopes.items()):
            if cleans_up == clean_up:
                scope.cancel(reason)

    @contextmanager
    def below(self, *, cleans_up: bool = False, fails_fast: bool = False) -> Iterator[Halt]:
        """A halt of its own for a part of the work, which ends with this one."""
        halt = Halt(self, cleans_up=cleans_up, fails_fast=fails_fast)
        self._below.add(halt)
        try:
            yield halt
        finally:
            self._below.discard(halt)

    @contextmanager
    def stoppable(self, *, cleans_up: bool) -> Iterator[None]:
        """What happens in here is cancelled when it is called off; execution goes on behind it."""
        with anyio.CancelScope() as scope:
            if (self.last_reason if cleans_up else self.reason) is not None:
                scope.cancel()
            self._scopes[scope] = cleans_up
            try:
                yield
            finally:
                del self._scopes[scope]
