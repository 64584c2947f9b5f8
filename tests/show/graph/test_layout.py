"""Where boxes stand and lines run: nothing overlaps, and no line goes through a box."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.show.graph.layers import layered
from runner.show.graph.layout import Layout, Size, lay_out

SIZES = st.builds(Size, width=st.floats(40, 400), height=st.floats(30, 300))


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 12))
    names = [f"s{index}" for index in range(count)]
    every = [(one, other) for index, other in enumerate(names) for one in names[:index]]
    pairs = draw(st.lists(st.sampled_from(every), unique=True, max_size=24)) if every else []
    return {name: draw(SIZES) for name in names}, pairs


def box_of(layout: Layout, sizes, key):
    (x, y), size = layout.corners[key], sizes[key]
    return x, y, x + size.width, y + size.height


def apart(one, other, slack=0.01):
    return (
        one[2] <= other[0] + slack
        or other[2] <= one[0] + slack
        or one[3] <= other[1] + slack
        or other[3] <= one[1] + slack
    )


@given(graph=graphs())
@settings(deadline=None, max_examples=150)
def test_boxes_lie_apart_and_within_the_picture(graph):
    sizes, pairs = graph
    layout = lay_out(sizes, pairs)
    boxes = {key: box_of(layout, sizes, key) for key in sizes}
    assert all(apart(boxes[one], boxes[other]) for one, other in combinations(boxes, 2))
    assert all(
        box[0] >= -0.01
        and box[1] >= -0.01
        and box[2] <= layout.size.width + 0.01
        and box[3] <= layout.size.height + 0.01
        for box in boxes.values()
    )


@given(graph=graphs())
@settings(deadline=None, max_examples=150)
def test_lines_lead_from_edge_to_edge_and_past_all_boxes(graph):
    sizes, pairs = graph
    layout = lay_out(sizes, pairs)
    assert set(layout.routes) == set(pairs)
    along = 1 if layout.direction == "down" else 0
    for (source, target), points in layout.routes.items():
        start, end = box_of(layout, sizes, source), box_of(layout, sizes, target)
        assert abs(points[0][along] - start[along + 2]) < 0.01
        assert abs(points[-1][along] - end[along]) < 0.01
        for point, box in ((points[0], start), (points[-1], end)):
            assert box[1 - along] < point[1 - along] < box[3 - along]
        for one, other in pairwise(points):
            assert other[along] >= one[along] - 0.01
            # A curve stays within the corners of its ends, for it leaves and arrives in the direction of the layers.
            hull = min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])
            assert all(apart(hull, box_of(layout, sizes, key)) for key in sizes)


def test_a_chain_goes_down_and_a_wide_fan_goes_right():
    box = Size(width=200, height=80)
    chain = [f"s{number}" for number in range(12)]
    assert lay_out(dict.fromkeys(chain, box), list(pairwise(chain))).direction == "down"
    fan = [("s", f"t{number}") for number in range(30)]
    assert lay_out({"s": box, **{target: box for _, target in fan}}, fan).direction == "right"


def test_a_diamond_is_symmetric():
    box = Size(width=100, height=50)
    layout = lay_out(dict.fromkeys("abcd", box), [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])
    assert layout.direction == "down"
    assert layout.corners["a"][0] == layout.corners["d"][0]
    assert layout.corners["b"][0] + layout.corners["c"][0] == 2 * layout.corners["a"][0]


def test_lines_that_need_not_cross_do_not():
    pairs = [("a", "y"), ("b", "x"), ("c", "z"), ("x", "q"), ("y", "p"), ("z", "r")]
    layers = layered(list("abcxyzpqr"), pairs).layers
    place = {spot: index for layer in layers for index, spot in enumerate(layer)}
    assert all(place[source] == place[target] for source, target in pairs)


def test_a_step_that_waits_for_nothing_stands_near_the_first_that_waits_for_it():
    layers = layered(list("abcx"), [("a", "b"), ("b", "c"), ("x", "c")]).layers
    assert layers == (("a",), ("b", "x"), ("c",))
