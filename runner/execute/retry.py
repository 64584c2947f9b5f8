"""Repeating what is worth repeating: by kind of failure, with exponential waits, inside the deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from runner.execute.clock import Clock
from runner.words.errors import RETRIED_BY_DEFAULT, BridgeError, CircuitOpenError, LLMRateLimitError
from runner.words.noun import noun
from runner.workflow.model import Retry

Result = TypeVar("Result")


@noun
class Attempts:
    """A retry policy at work in one step.

    ``deadline`` says the monotonic second after which nothing is tried any more. ``repeatable`` has the last word on an
    error whose kind would be repeated: a call that may have changed something is not. ``on_retry`` hears of each failed
    attempt (counted from 1), its error and the wait in seconds before the next.
    """

    policy: Retry
    clock: Clock
    deadline: Callable[[], float]
    random: Callable[[], float]
    repeatable: Callable[[BridgeError], bool]
    on_retry: Callable[[int, BridgeError, float], None]

    async def run(self, work: Callable[[int], Awaitable[Result]]) -> Result:
        """What ``work(attempt)`` returns, tried up to ``policy.attempts`` times, counted from 1.

        Raises:
            BridgeError: the last failure, or the first that is not worth repeating.
        """
        try:
            return await work(1)
        except BridgeError as error:
            if self.policy.attempts == 1 or not self._worth_repeating(error):
                raise
            first = error
        return await self._again(work, first)

    async def _again(self, work: Callable[[int], Awaitable[Result]], first: BridgeError) -> Result:
        """Hand the first failure to tenacity as the outcome of attempt 1.

        tenacity is imported only now: most runs never fail, and its import is a sixth of a short run's start-up.
        """
        import tenacity

        retrying = tenacity.AsyncRetrying(
            stop=self._is_last,
            wait=self._wait,
            retry=tenacity.retry_if_exception(self._worth_repeating),
            before_sleep=self._tell,
            sleep=self.clock.sleep,
            reraise=True,
        )

        async def attempt(state: Any) -> Result:
            number = state.attempt_number
            if number == 1:
                raise first
            return await work(number)

        async for state in retrying:
            with state:
                return await attempt(state.retry_state)
        raise AssertionError("unreachable: tenacity re-raises the last failure")

    def _worth_repeating(self, error: BaseException) -> bool:
        if not isinstance(error, BridgeError):
            return False
        return error.kind in (self.policy.on or RETRIED_BY_DEFAULT) and self.repeatable(error)

    def _is_last(self, state: Any) -> bool:
        """No attempts left, or the wait before the next would end after the deadline."""
        out_of_time = self.clock.monotonic() + float(state.upcoming_sleep) >= self.deadline()
        return bool(state.attempt_number >= self.policy.attempts or out_of_time)

    def _wait(self, state: Any) -> float:
        """Retry-After if the server named one, or the rest of a circuit; else exponential, half of it jitter."""
        error = state.outcome.exception()
        if isinstance(error, LLMRateLimitError | CircuitOpenError) and error.retry_after is not None:
            return error.retry_after
        doublings = min(state.attempt_number - 1, 60)  # more would not fit into a float, nor into a life
        full = min(self.policy.max_wait, self.policy.wait * 2**doublings)
        return float(full * (0.5 + self.random() / 2))

    def _tell(self, state: Any) -> None:
        self.on_retry(state.attempt_number, state.outcome.exception(), state.upcoming_sleep)
