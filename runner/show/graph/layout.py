"""Where the boxes of a drawn graph stand, in pixels, and how its lines run: between the boxes, never through one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Literal

from runner.show.graph.layers import Layered, Pair, Spot, layered
from runner.words.noun import noun

Direction = Literal["down", "right"]
Point = tuple[float, float]

_BETWEEN_BOXES, _BETWEEN_LINES = 28.0, 16.0
"""Between neighbours of a layer. Boxes that stand below each other need less, for they are wide and low."""
_BETWEEN_LOW_BOXES = 16.0
_GAP, _GAP_OF_A_LINE, _WIDEST_GAP = 46.0, 2.5, 110.0
_PORT = 16.0
_PASSES = 12
_ENOUGH: Point = (1100.0, 1700.0)
"""A page that is read without scrolling sideways."""


@noun
class Size:
    """Width and height."""

    width: float
    height: float

    @property
    def turned(self) -> Size:
        """The other way round."""
        return Size(width=self.height, height=self.width)


@noun
class Layout:
    """The upper left corner of each box, the points of each line, and the size of it all.

    Between its points 0 and 1, 2 and 3 and so on a line is straight and leads on in ``direction``; the pieces between
    are curves that leave and arrive in that direction.
    """

    direction: Direction
    size: Size
    corners: Mapping[str, Point]
    routes: Mapping[Pair, tuple[Point, ...]]


def lay_out(sizes: Mapping[str, Size], pairs: Sequence[Pair]) -> Layout:
    """The better of two ways: layers below each other, or beside each other if that needs less of a page."""
    layers = layered(list(sizes), pairs)
    down = _down(sizes, pairs, layers, _BETWEEN_BOXES)
    right = _turned(_down({key: size.turned for key, size in sizes.items()}, pairs, layers, _BETWEEN_LOW_BOXES))
    return right if _excess(right.size) < 0.9 * _excess(down.size) else down


def _excess(size: Size) -> float:
    return max(size.width / _ENOUGH[0], size.height / _ENOUGH[1])


def _turned(layout: Layout) -> Layout:
    return Layout(
        direction="right",
        size=layout.size.turned,
        corners={key: (y, x) for key, (x, y) in layout.corners.items()},
        routes={pair: tuple((y, x) for x, y in points) for pair, points in layout.routes.items()},
    )


def _down(sizes: Mapping[str, Size], pairs: Sequence[Pair], layers: Layered, between: float) -> Layout:
    widths = {spot: sizes[spot].width if isinstance(spot, str) else 0.0 for layer in layers.layers for spot in layer}
    centres = _centres(layers, widths, between)
    left = min(centres[spot] - widths[spot] / 2 for spot in centres)
    centres = {spot: centre - left for spot, centre in centres.items()}
    tops, bottoms = _bands(layers, sizes)
    level = {spot: number for number, layer in enumerate(layers.layers) for spot in layer}
    corners = {key: (centres[key] - size.width / 2, tops[level[key]]) for key, size in sizes.items()}
    ports = _Ports(layers, centres, widths)
    routes: dict[Pair, tuple[Point, ...]] = {}
    for source, target in pairs:
        passed: list[Spot] = [(source, target, n) for n in range(level[source] + 1, level[target])]
        way = [source, *passed, target]
        start, end = ports.out[way[0], way[1]], ports.into[way[-2], way[-1]]
        points = [(start, tops[level[source]] + sizes[source].height), (start, bottoms[level[source]])]
        points += [(centres[spot], y) for spot in passed for y in (tops[level[spot]], bottoms[level[spot]])]
        routes[source, target] = (*points, (end, tops[level[target]]))
    width = max(centres[spot] + widths[spot] / 2 for spot in centres)
    return Layout(direction="down", size=Size(width=width, height=bottoms[-1]), corners=corners, routes=routes)


def _bands(layers: Layered, sizes: Mapping[str, Size]) -> tuple[list[float], list[float]]:
    """Where each layer begins and ends; the more lines run between two, the more room they have."""
    level = {spot: number for number, layer in enumerate(layers.layers) for spot in layer}
    lines = [0] * len(layers.layers)
    for source, _ in layers.hops:
        lines[level[source]] += 1
    tops, bottoms, y = [], [], 0.0
    for number, layer in enumerate(layers.layers):
        tops.append(y)
        bottoms.append(y + max(sizes[spot].height for spot in layer if isinstance(spot, str)))
        y = bottoms[-1] + min(_GAP + _GAP_OF_A_LINE * lines[number], _WIDEST_GAP)
    return tops, bottoms


def _centres(layers: Layered, widths: Mapping[Spot, float], between: float) -> dict[Spot, float]:
    """A place for each spot, near the mean of what it is tied to, in the order of its layer."""
    above: dict[Spot, list[Spot]] = {}
    below: dict[Spot, list[Spot]] = {}
    for source, target in layers.hops:
        above.setdefault(target, []).append(source)
        below.setdefault(source, []).append(target)
    distances = {layer: _distances(layer, widths, between) for layer in layers.layers}
    centres: dict[Spot, float] = {}
    for layer in layers.layers:
        centres.update(zip(layer, accumulate(distances[layer], initial=0.0), strict=True))
    for turn in range(_PASSES):
        ordered = layers.layers if turn % 2 == 0 else layers.layers[::-1]
        for layer in ordered:
            wishes = [_wish(spot, above, below, centres, both=turn >= _PASSES - 4) for spot in layer]
            centres.update(zip(layer, _apart(wishes, distances[layer]), strict=True))
        above, below = below, above
    return centres


def _distances(layer: Sequence[Spot], widths: Mapping[Spot, float], between: float) -> list[float]:
    """The least distance between the centres of neighbours."""
    return [
        (widths[one] + widths[other]) / 2
        + (between if isinstance(one, str) and isinstance(other, str) else _BETWEEN_LINES)
        for one, other in pairwise(layer)
    ]


def _wish(
    spot: Spot,
    towards: Mapping[Spot, Sequence[Spot]],
    away: Mapping[Spot, Sequence[Spot]],
    centres: Mapping[Spot, float],
    *,
    both: bool,
) -> tuple[float, float]:
    """Where a spot would like to stand and how much: lines that pass a layer want to be straight above all."""
    tied = [*towards.get(spot, ()), *(away.get(spot, ()) if both else ())]
    if not tied:
        return centres[spot], 0.1
    weights = [8.0 if not isinstance(spot, str) and not isinstance(one, str) else 1.0 for one in tied]
    total = sum(weights)
    return sum(weight * centres[one] for weight, one in zip(weights, tied, strict=True)) / total, total


def _apart(wishes: Sequence[tuple[float, float]], distances: Sequence[float]) -> list[float]:
    """Places as near to the wishes as the distances allow (least squares; neighbours that collide move as one)."""
    shifts = [0.0, *accumulate(distances)]
    pools: list[tuple[float, float, int]] = []
    for (wish, weight), shift in zip(wishes, shifts, strict=True):
        pool = (wish - shift, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            place, heavy, count = pools.pop()
            both = heavy + pool[1]
            pool = ((place * heavy + pool[0] * pool[1]) / both, both, count + pool[2])
        pools.append(pool)
    places = [place for place, _, count in pools for _ in range(count)]
    return [place + shift for place, shift in zip(places, shifts, strict=True)]


class _Ports:
    """Where lines leave and enter the boxes: side by side, in the order in which they go on."""

    def __init__(self, layers: Layered, centres: Mapping[Spot, float], widths: Mapping[Spot, float]) -> None:
        leaving: dict[Spot, list[Spot]] = {}
        coming: dict[Spot, list[Spot]] = {}
        for source, target in layers.hops:
            leaving.setdefault(source, []).append(target)
            coming.setdefault(target, []).append(source)
        self.out = {(spot, end): x for spot, ends in leaving.items() for end, x in _spread(spot, ends, centres, widths)}
        self.into = {(end, spot): x for spot, ends in coming.items() for end, x in _spread(spot, ends, centres, widths)}


def _spread(
    spot: Spot, ends: Sequence[Spot], centres: Mapping[Spot, float], widths: Mapping[Spot, float]
) -> list[tuple[Spot, float]]:
    step = min(_PORT, 0.6 * widths[spot] / len(ends))
    first = centres[spot] - step * (len(ends) - 1) / 2
    ordered = sorted(ends, key=centres.__getitem__)
    return [(end, first + step * number) for number, end in enumerate(ordered)]
