"""A circuit breaker: a model that keeps failing is left alone for a while, then tried once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

import anyio

from runner.words.errors import BridgeError, CircuitOpenError, FailureKind

FAILURES = 5
WINDOW_SECONDS = 60.0
"""So many failures within so long, and no success between, open the circuit; it stays open for as long again."""
PROBE_SECONDS = 5.0
"""When those may ask again who come while the one probe is under way, and do not wait for what it says."""
COUNTED: frozenset[FailureKind] = frozenset(("connection", "timeout", "server", "crash"))
"""Kinds that say something about the server. A refused request, a full context or a silent model do not."""

State = Literal["closed", "open", "half_open"]


class Breaker:
    """The circuit of one model on one server.

    ``who`` is named in messages, ``now`` gives monotonic seconds, ``on_change`` hears of each new state and of the
    failures that led to it. ``answers``: it is known that whoever asks now is answered, so that nobody is sent away.
    """

    __slots__ = ("_answers", "_failures", "_now", "_on_change", "_opened", "_probe", "_settled", "_who", "state")

    def __init__(
        self,
        who: str,
        now: Callable[[], float],
        on_change: Callable[[State, int], None],
        answers: Callable[[], bool] = lambda: False,
    ) -> None:
        self._answers = answers
        self._who = who
        self._now = now
        self._on_change = on_change
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._opened = 0.0
        self._probe: object = None
        self._settled = anyio.Event()
        self.state: State = "closed"

    def admit(self) -> object:
        """Let a call through; the first one after the rest is the probe. What is returned says at its end which it was.

        Raises:
            CircuitOpenError: not now.
        """
        if self.state == "closed" or self._answers():
            return object()
        left = self._opened + WINDOW_SECONDS - self._now()
        if self.state == "half_open" or left > 0:
            raise CircuitOpenError(
                f"{self._who} failed {FAILURES} times in a row; it is left alone for a while",
                retry_after=left if self.state == "open" else PROBE_SECONDS,
                hint="look into the log of the server; another model as `fallback` would go on meanwhile",
            )
        self._probe = object()
        self._settled = anyio.Event()
        self._become("half_open")
        return self._probe

    async def admitted(self) -> object:
        """As ``admit``, but who comes while the probe is under way waits for what it says.

        Raises:
            CircuitOpenError: not now.
        """
        while self.state == "half_open" and not self._answers():
            await self._settled.wait()
        return self.admit()

    def refuse_if_open(self) -> None:
        """As ``admit``, for what only leads up to a call.

        Raises:
            CircuitOpenError: not now.
        """
        if self.state == "open" and self._now() < self._opened + WINDOW_SECONDS:
            self.admit()

    def succeeded(self) -> None:
        """A call came back: the circuit closes, and old failures are forgotten."""
        self._failures.clear()
        if self.state != "closed":
            self._become("closed")

    def failed(self, error: BridgeError, call: object = None) -> None:
        """A call, or the load that should lead up to one, failed.

        A failed probe opens the circuit again; so does one failure too many, and any that comes after the rest. What
        began before the probe and fails beside it says nothing new.
        """
        if error.kind not in COUNTED:
            self.gave_up(call)
            return
        now = self._now()
        self._failures.append(now)
        if self._opens(now, call):
            self._opened = now
            self._become("open")

    def gave_up(self, call: object) -> None:
        """A call ended and says nothing about the server (it was cancelled, or refused): the next may probe."""
        if self.state == "half_open" and call is self._probe:
            self.state = "open"
            self._settled.set()

    def _opens(self, now: float, call: object) -> bool:
        if self.state == "half_open":
            return call is self._probe
        if self.state == "open":
            return now >= self._opened + WINDOW_SECONDS
        return len(self._failures) == FAILURES and now - self._failures[0] <= WINDOW_SECONDS

    def _become(self, state: State) -> None:
        self.state = state
        if state != "half_open":
            self._settled.set()
        self._on_change(state, len(self._failures))
