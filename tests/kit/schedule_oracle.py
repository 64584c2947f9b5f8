"""The true optimum of a small scheduling problem, by looking at every decision there is. Slow, and knows no shortcut.

It shares no code with what it judges. Time stands still at each moment at which something ends; there any steps may
start whose needs are done, whose model is there and for which there is a slot, and any models may begin to load in
the place of any that nobody uses; or one waits. States are taken in the order of the least time in which they could
end (A*), so the first end that is reached is the best.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import combinations

from kit.schedule_case import Case

State = tuple[frozenset[int], frozenset[tuple[int, int]], frozenset[str], frozenset[tuple[str, int]]]
"""Steps done, steps running and models loading with the seconds they still take, models in memory."""


def best_seconds(case: Case) -> int:
    """The least time in which all steps can be done."""
    oracle = _Oracle(case)
    start: State = (frozenset(), frozenset(), frozenset(), frozenset())
    reached = {start: 0}
    queue = [(oracle.at_least(start), 0, 0, start)]
    count = 0
    while queue:
        _, _, elapsed, state = heappop(queue)
        if len(state[0]) == len(case.steps):
            return elapsed
        if elapsed > reached[state]:
            continue
        for seconds, following in oracle.decisions(state):
            then = elapsed + seconds
            if then < reached.get(following, 1 << 60):
                reached[following] = then
                count += 1
                heappush(queue, (then + oracle.at_least(following), count, then, following))
    raise AssertionError("unreachable: waiting for nothing is no decision")


class _Oracle:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.all_steps = range(len(case.steps))
        self.tail: dict[int, int] = {}
        for number in reversed(self.all_steps):
            after = [self.tail[other] for other in self.all_steps if number in case.steps[other][0]]
            self.tail[number] = case.steps[number][2] + max(after, default=0)

    def decisions(self, state: State) -> Iterator[tuple[int, State]]:
        """Everything that may be begun now, together with the wait until the next thing ends."""
        done, running, there, coming = state
        for begun in self._starts(state):
            now_running = running | {(step, self.case.steps[step][2]) for step in begun}
            used = {self.case.steps[step][1] for step, _ in now_running}
            for kept, loads in self._contents(done, used, there, coming):
                now_coming = coming | {(model, self.case.loads[model]) for model in loads}
                if now_running or now_coming:
                    yield _passed(done, now_running, kept, now_coming)

    def _starts(self, state: State) -> Iterator[tuple[int, ...]]:
        done, running, there, _ = state
        busy = {step for step, _ in running}
        ready = [
            step for step in self.all_steps
            if step not in done and step not in busy and done.issuperset(self.case.steps[step][0])
            and self.case.steps[step][1] in {None, *there}
        ]  # fmt: skip
        for count in range(min(self.case.parallel - len(busy), len(ready)) + 1):
            yield from combinations(ready, count)

    def _contents(
        self, done: frozenset[int], used: set[str | None], there: frozenset[str], coming: frozenset[tuple[str, int]]
    ) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
        """What may be in memory from now on, and what begins to load for that."""
        on_the_way = {model for model, _ in coming}
        wanted = {self.case.steps[step][1] for step in self.all_steps if step not in done} - {None}
        loadable = sorted(model for model in wanted if model and model not in there | on_the_way)
        for count in range(len(loadable) + 1):
            for loads in combinations(loadable, count):
                room = self.case.most - len(on_the_way) - count
                least = [model for model in there if model in used]
                if len(least) > room:
                    continue
                idle = sorted(there - set(least))
                for stay in combinations(idle, min(room - len(least), len(idle))):  # nobody leaves without need
                    yield frozenset((*least, *stay)), frozenset(loads)

    def at_least(self, state: State) -> int:
        """Seconds that it takes from here in any case."""
        done, running, there, coming = state
        left = dict(running)
        load_left = dict(coming)
        bound, work, needed = 0, sum(left.values()), set()
        for step, seconds in left.items():
            bound = max(bound, seconds + self.tail[step] - self.case.steps[step][2])
        for step in self.all_steps:
            if step in done or step in left:
                continue
            _, model, seconds = self.case.steps[step]
            work += seconds
            wait = 0
            if model is not None and model not in there:
                needed.add(model)
                wait = load_left.get(model, self.case.loads[model])
            bound = max(bound, wait + self.tail[step])
        bound = max(bound, -(-work // self.case.parallel))
        if self.case.most == 1:  # loads and work with models take turns
            loading = sum(load_left.get(model, self.case.loads[model]) for model in needed)
            with_models = sum(
                left.get(step, self.case.steps[step][2])
                for step in self.all_steps if step not in done and self.case.steps[step][1] is not None
            )  # fmt: skip
            bound = max(bound, loading + -(-with_models // self.case.parallel))
        return bound


def _passed(
    done: frozenset[int], running: frozenset[tuple[int, int]], there: frozenset[str], coming: frozenset[tuple[str, int]]
) -> tuple[int, State]:
    """The state after the next thing has ended, and when that is."""
    seconds = min(left for _, left in (*running, *coming))
    ended = {step for step, left in running if left == seconds}
    loaded = {model for model, left in coming if left == seconds}
    return seconds, (
        done | ended,
        frozenset((step, left - seconds) for step, left in running if left > seconds),
        there | loaded,
        frozenset((model, left - seconds) for model, left in coming if left > seconds),
    )
