"""The order of the rows, and rows that stand for many steps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from kit.graphs import call, task, workflow

from runner.show.graph.graph import Diagram, diagram
from runner.show.graph.order import file_order, folded, narrow_order


def view(text: str) -> Diagram:
    """``a, a: b`` says that ``b`` reads ``a``."""
    rules = [rule.strip().rpartition(":") for rule in text.split(",")]
    return diagram(workflow(*(task(step.strip(), *needs.split()) for needs, _, step in rules)))


PIPES = "s, s: a, s: b, s: c, a: a2, b: b2, c: c2"


def test_the_order_of_the_file_is_kept_where_it_can_be():
    assert " ".join(file_order(view("z: b, y, z, a"))) == "y z b a"


def test_the_narrow_order_finishes_what_was_begun():
    assert " ".join(file_order(view(PIPES))) == "s a b c a2 b2 c2"
    assert " ".join(narrow_order(view(PIPES))) == "s a a2 b b2 c c2"


@given(st.permutations(range(8)), st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_every_step_stands_once_and_after_what_it_waits_for(shuffled, pairs):
    needs = {one: [f"s{low}" for low, high in sorted(pairs) if high == one and low < high] for one in shuffled}
    shown = diagram(workflow(*(task(f"s{one}", *those) for one, those in needs.items())))
    for order in (file_order(shown), narrow_order(shown)):
        assert sorted(order) == [f"s{one}" for one in range(8)]
        assert all(order.index(line.source) < order.index(line.target) for line in shown.lines)


def test_steps_that_differ_only_in_name_are_drawn_as_one():
    shown = folded(view("s, s: a, s: b, s: c, s: d, a b c d: e"))
    assert [(box.id, box.title) for box in shown.boxes] == [
        ("s", ""), ("a and 3 more", "4 steps alike: a, b, c, d"), ("e", ""),
    ]  # fmt: skip
    assert [(line.source, line.target) for line in shown.lines] == [("s", "a"), ("a", "e")]


def test_of_very_many_not_all_are_named():
    shown = folded(diagram(workflow(*(task(f"t{number}") for number in range(40)))))
    [box] = shown.boxes
    assert box.title == "40 steps alike: t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, …, t39"


def test_three_alike_different_ones_and_calls_stay_as_they_are():
    leaf = workflow(task("x"), name="leaf")
    few = diagram(workflow(task("a"), task("b"), task("c"), task("d", model="thinker"), task("e", when="inputs.x")))
    calls = diagram(workflow(*(call(name, leaf) for name in "abcde")))
    assert (folded(few), folded(calls)) == (few, calls)
