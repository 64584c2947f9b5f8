"""The order of the work."""

from __future__ import annotations

import graphlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.plan.graph import run_order
from runner.workflow.model import Step, TaskWork


def make(needs: dict[str, list[str]]) -> list[Step]:
    return [
        Step(id=name, path=("steps", index), needs=tuple(wants), work=TaskWork(task="Go."))
        for index, (name, wants) in enumerate(needs.items())
    ]


def order(needs: dict[str, list[str]]) -> str:
    return " ".join(step.id for step in run_order(make(needs)))


def test_a_file_in_a_good_order_keeps_it() -> None:
    assert order({"b": [], "a": [], "d": ["a"], "c": ["b"]}) == "b a d c"


def test_a_step_comes_after_what_it_waits_for_and_no_later_than_it_must() -> None:
    assert order({"note": ["fix"], "fix": ["survey"], "survey": [], "other": []}) == "survey fix note other"


def test_a_circle_is_an_error_and_not_an_endless_wait() -> None:
    with pytest.raises(graphlib.CycleError):
        order({"a": ["b"], "b": ["a"]})


@given(st.permutations(range(8)), st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_every_step_once_and_after_its_needs(shuffled: list[int], pairs: set[tuple[int, int]]) -> None:
    needs = {f"s{one}": [f"s{low}" for low, high in sorted(pairs) if high == one and low < high] for one in shuffled}
    result = order(needs).split()
    assert sorted(result) == sorted(needs)
    assert all(result.index(need) < result.index(step) for step, wants in needs.items() for need in wants)
