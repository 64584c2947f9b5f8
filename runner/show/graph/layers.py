"""Which layer each box of a drawn graph stands in, and in which order, so that few lines cross (Sugiyama's way).

Lines that pass layers get a place in each of them, so that they run between the boxes and never through one.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from itertools import pairwise

from runner.words.noun import noun

Pair = tuple[str, str]
Spot = str | tuple[str, str, int]
"""What has a place in a layer: a box by its key, or a line (source, target) that passes the layer of that number."""
_SWEEPS = 12


@noun
class Layered:
    """The layers from the first on, each in order; ``hops`` are all pieces of lines, from one layer to the next."""

    layers: tuple[tuple[Spot, ...], ...]
    hops: tuple[tuple[Spot, Spot], ...]


def layered(keys: Sequence[str], pairs: Sequence[Pair]) -> Layered:
    """Sort the boxes into layers. ``pairs`` hold no circle; ``keys`` are in the order that is kept where it can be."""
    level = _levels(keys, pairs)
    layers: list[list[Spot]] = [[] for _ in range(max(level.values()) + 1)]
    for key in keys:
        layers[level[key]].append(key)
    hops: list[tuple[Spot, Spot]] = []
    for source, target in pairs:
        spots: list[Spot] = [source]
        for number in range(level[source] + 1, level[target]):
            spots.append((source, target, number))
            layers[number].append(spots[-1])
        spots.append(target)
        hops += pairwise(spots)
    return Layered(layers=tuple(map(tuple, _untangled(layers, hops))), hops=tuple(hops))


def _levels(keys: Sequence[str], pairs: Sequence[Pair]) -> dict[str, int]:
    """The longest way to each box; one that waits for nothing stands right above the first that waits for it."""
    needs: dict[str, list[str]] = {key: [] for key in keys}
    readers: dict[str, list[str]] = {key: [] for key in keys}
    for source, target in pairs:
        needs[target].append(source)
        readers[source].append(target)
    waits = {key: len(those) for key, those in needs.items()}
    level = dict.fromkeys(keys, 0)
    ready = [key for key in keys if not needs[key]]
    while ready:
        key = ready.pop()
        for reader in readers[key]:
            level[reader] = max(level[reader], level[key] + 1)
            waits[reader] -= 1
            if waits[reader] == 0:
                ready.append(reader)
    for key in keys:
        if not needs[key] and readers[key]:
            level[key] = min(level[reader] for reader in readers[key]) - 1
    return level


def _untangled(layers: Sequence[Sequence[Spot]], hops: Sequence[tuple[Spot, Spot]]) -> list[list[Spot]]:
    """The layers, each in the order of the means of what its spots are tied to; the best of several passes."""
    above: dict[Spot, list[Spot]] = {}
    below: dict[Spot, list[Spot]] = {}
    for source, target in hops:
        above.setdefault(target, []).append(source)
        below.setdefault(source, []).append(target)
    best = now = [list(layer) for layer in layers]
    fewest = _crossings(best, below)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        now = [list(layer) for layer in now]
        for number in range(1, len(now)) if down else range(len(now) - 2, -1, -1):
            place = {spot: index for index, spot in enumerate(now[number - 1 if down else number + 1])}
            now[number] = _by_means(now[number], above if down else below, place)
        crossings = _crossings(now, below)
        if crossings < fewest:
            best, fewest = now, crossings
    return best


def _by_means(layer: Sequence[Spot], ties: Mapping[Spot, Sequence[Spot]], place: Mapping[Spot, int]) -> list[Spot]:
    """Spots without ties stay where they are, as far as the others let them."""
    means = {spot: _mean([place[tied] for tied in ties.get(spot, ())]) for spot in layer}
    tied = iter(sorted((spot for spot in layer if means[spot] is not None), key=lambda spot: means[spot] or 0))
    return [spot if means[spot] is None else next(tied) for spot in layer]


def _mean(numbers: Sequence[int]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def _crossings(layers: Sequence[Sequence[Spot]], below: Mapping[Spot, Sequence[Spot]]) -> int:
    count = 0
    for upper, lower in pairwise(layers):
        place = {spot: index for index, spot in enumerate(lower)}
        seen: list[int] = []
        for spot in upper:
            ends = sorted(place[end] for end in below.get(spot, ()))
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count
