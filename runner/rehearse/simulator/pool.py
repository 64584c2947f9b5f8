"""The context of an instance, which all of its slots share: LM Studio's unified KV cache.

With 32 K of context three requests of 13 K at once all die, one after the other they pass (recorded on 0.4.21).
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.rehearse.simulator import refusal


@dataclass(slots=True, eq=False)
class Claim:
    """What one running request holds of the pool, in tokens; ``burst``: the pool was full while it ran."""

    tokens: int = 0
    burst: bool = False

    def check(self) -> None:
        """Nothing, as long as the pool has held.

        Raises:
            Refusal: it was full; every request that ran then dies of it.
        """
        if self.burst:
            raise refusal.plain(refusal.POOL_FULL)


class Pool:
    """The claims on one context of ``size`` tokens. A request alone never fills it: its own limit is another matter."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._claims: set[Claim] = set()

    def enter(self) -> Claim:
        """A request begins to run."""
        claim = Claim()
        self._claims.add(claim)
        return claim

    def take(self, claim: Claim, tokens: int) -> None:
        """It needs more.

        Raises:
            Refusal: as ``Claim.check``.
        """
        claim.tokens += tokens
        if len(self._claims) > 1 and sum(other.tokens for other in self._claims) > self._size:
            for other in self._claims:
                other.burst = True
        claim.check()

    def leave(self, claim: Claim) -> None:
        """It is over."""
        self._claims.discard(claim)
