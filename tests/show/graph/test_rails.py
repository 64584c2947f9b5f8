"""The rails beside the steps: what they show is what waits for what, and no crossing lies."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from kit.graphs import read_rails

from runner.show.graph.rails import MOST, Rails, rails, run_together


def picture(drawn: Rails) -> list[str]:
    """All lines of the rails as a drawing has them."""
    lines: list[str] = []
    above = None
    for row in drawn.rows:
        if above is not None and run_together(above, row):
            lines.append(above.tail)
        lines += [row.head, *row.links]
        above = row
    return lines


def drawn(text: str) -> str:
    """``a b: c`` says that ``c`` waits for ``a`` and ``b``; a blank line in front and behind for the eye."""
    order, pairs = [], []
    for rule in text.split(","):
        needs, _, step = rule.strip().rpartition(":")
        order.append(step.strip())
        pairs += [(need, order[-1]) for need in needs.split()]
    return "\n" + "\n".join(picture(rails(order, pairs))) + "\n"


def test_a_chain_is_one_rail():
    assert (
        drawn("a, a: b, b: c")
        == """
●
│
●
│
●
"""
    )


def test_steps_that_have_nothing_to_do_with_each_other_are_not_connected():
    assert (
        drawn("a, b, c")
        == """
●
●
●
"""
    )


def test_what_only_one_step_waits_for_is_gathered():
    assert (
        drawn("a, a: b, a: c, a: d, b c d: e")
        == """
●
├▸●─╮
├▸●─┤
●───┤
    ●
"""
    )


def test_a_line_that_does_not_touch_a_rail_is_broken_there():
    assert (
        drawn("a, b, b: x, a: c, a: d, x: y, c: e, d: f, y: z")
        == """
●
│ ●
│ │
│ ●
├─│▸●
● │ │
│ ● │
│ │ ●
● │
  ●
"""
    )


def test_several_rails_can_lead_in_from_one_side():
    assert (
        drawn("a, b, c, a b c: d, a: e, b: f, c: g")
        == """
●
│ ●
│ │ ●
├─┼─┼▸●
● │ │
  ● │
    ●
"""
    )


def test_a_step_that_takes_from_the_side_to_which_it_gives_has_a_second_line():
    assert (
        drawn("a, b, a: c, b: d, c: x, b c d: e, x e: f")
        == """
●
│ ●
● │
│ ├▸●
├─│─│▸●─╮
●◂┴─╯   │
╰───────┤
        ●
"""
    )


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_who_follows_the_rails_finds_every_pair_and_no_other(data):
    count = data.draw(st.integers(1, 14))
    order = [f"s{index}" for index in range(count)]
    every = [(one, other) for index, other in enumerate(order) for one in order[:index]]
    pairs = data.draw(st.lists(st.sampled_from(every), unique=True, max_size=30)) if every else []
    result = rails(order, pairs)
    assert read_rails(picture(result), order) == set(pairs) - result.missing
    assert result.width <= 2 * MOST + 1


def test_what_finds_no_place_is_said_to_be_missing():
    left, right = [f"a{i}" for i in range(20)], [f"b{i}" for i in range(20)]
    pairs = [(a, b) for a in left for b in right if a[1:] != b[1:]]
    result = rails([*left, *right], pairs)
    assert result.missing
    assert read_rails(picture(result), [*left, *right]) == set(pairs) - result.missing
