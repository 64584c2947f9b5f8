"""The slots of a loaded model: how many requests it is given at once, and how much context they may fill together."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class _Turn:
    """Somebody waiting for a slot."""

    __slots__ = ("alone", "come", "tokens")

    def __init__(self, tokens: int, *, alone: bool) -> None:
        self.tokens = tokens
        self.alone = alone
        self.come = anyio.Event()


class Slots:
    """At most ``parallel`` requests, and their tokens within ``pool``; None = no bound. First come, first served.

    Servers queue what is too much without a word, or let requests that share one context fail each other, so the
    waiting is done here. A request that is larger than the whole pool is let through alone: the server will judge it.
    """

    __slots__ = ("_alone", "_queue", "_tokens", "busy", "parallel", "pool")

    def __init__(self, parallel: int | None = None, pool: int | None = None) -> None:
        self.parallel = parallel
        self.pool = pool
        self.busy = 0
        """Requests under way."""
        self._tokens = 0
        self._alone = False
        self._queue: deque[_Turn] = deque()

    @asynccontextmanager
    async def hold(self, tokens: int, *, alone: bool = False) -> AsyncIterator[None]:
        """Hold a slot for a request that may come to so many tokens; ``alone``: with no other beside it."""
        turn = _Turn(tokens, alone=alone)
        self._queue.append(turn)
        self._admit()
        try:
            await turn.come.wait()
        except BaseException:
            if turn.come.is_set():  # it was cancelled in the moment it was let in
                self._leave(turn)
            else:
                self._queue.remove(turn)
                self._admit()
            raise
        try:
            yield
        finally:
            self._leave(turn)

    def widen(self, parallel: int | None) -> None:
        """Let in so many at once from now on."""
        self.parallel = parallel
        self._admit()

    def _leave(self, turn: _Turn) -> None:
        self.busy -= 1
        self._tokens -= turn.tokens
        self._alone = False
        self._admit()

    def _admit(self) -> None:
        while self._queue and self._fits(self._queue[0]):
            turn = self._queue.popleft()
            self.busy += 1
            self._tokens += turn.tokens
            self._alone = turn.alone
            turn.come.set()

    def _fits(self, turn: _Turn) -> bool:
        if not self.busy:
            return True
        if self._alone or turn.alone:
            return False
        if self.parallel is not None and self.busy >= self.parallel:
            return False
        return self.pool is None or self._tokens + turn.tokens <= self.pool
