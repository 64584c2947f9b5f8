"""What asking for a model costs: cached, cold, 50 at once, 50 in a row; beside a bare httpx GET of the same list.

python benchmarks/validator.py [--rounds 200] [--json URL]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

import httpx
from measure import zero_server

from runner import ModelValidator

LIST = "/api/v1/models"
MODEL = "zero-model"
CACHED_CALLS = 1000
CALLERS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Medians, in seconds. ``bare`` opens a connection, asks for the list and closes it, as a cold call must."""

    bare: float
    cold: float
    many: float
    row: float
    cached: float

    def __str__(self) -> str:
        """A line a figure, each beside the floor that it is measured against."""
        return "\n".join((
            f"bare httpx GET of the list       {self.bare * 1e3:8.3f} ms",
            f"cold validate                    {self.cold * 1e3:8.3f} ms   {self.cold / self.bare:.2f}x the GET",
            f"{CALLERS} cold at once, all of them     {self.many * 1e3:8.3f} ms   {self.many / self.bare:.2f}x the GET",
            f"{CALLERS} in a row, the first cold      {self.row * 1e3:8.3f} ms   {self.row / self.many:.2f}x at once",
            f"cached validate                  {self.cached * 1e3:8.4f} ms   mark: below 0.1 ms",
        ))  # fmt: skip


async def figures(url: str, rounds: int) -> Figures:
    """Measure all of them in the same minutes, by turns."""
    taken: dict[str, list[float]] = {"bare": [], "cold": [], "many": [], "row": [], "cached": []}
    async with ModelValidator(url, environment={}) as validator:

        async def bare() -> None:
            async with httpx.AsyncClient(verify=False, trust_env=False) as client:
                (await client.get(url + LIST)).json()

        async def cold() -> None:
            validator.clear_cache()
            await validator.validate(MODEL)

        async def many() -> None:
            validator.clear_cache()
            await asyncio.gather(*(validator.validate(MODEL) for _ in range(CALLERS)))

        async def row() -> None:
            validator.clear_cache()
            for _ in range(CALLERS):
                await validator.validate(MODEL)

        async def cached() -> None:
            for _ in range(CACHED_CALLS):
                await validator.validate(MODEL)

        for number in range(rounds + 1):  # the first round warms up, uncounted
            for work in (bare, cold, many, row, cached):
                seconds = await _timed(work)
                if number:
                    taken[work.__name__].append(seconds)
    medians = {name: statistics.median(some) for name, some in taken.items()}
    return Figures(**{**medians, "cached": medians["cached"] / CACHED_CALLS})


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", metavar="URL", help="only the figures, for a server that runs already")
    given = parser.parse_args()
    if given.json:
        print(json.dumps({**asdict(asyncio.run(figures(given.json, given.rounds))), "callers": CALLERS}))
        return
    with zero_server() as server:
        print(asyncio.run(figures(server.url, given.rounds)))


if __name__ == "__main__":
    main()
