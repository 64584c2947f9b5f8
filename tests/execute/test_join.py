"""Joins, cell by cell of the table in docs/flow.md: how a need ended, which rule holds, why the step waits for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FLOW = Path(__file__).parents[2] / "docs" / "flow.md"
HEAD = "version: 1\nname: joins\n"

NEEDED = {
    "succeeded": "  - {id: x, run: [echo, fine]}",
    "recovered: failed, and `on_error` gave an output": "  - {id: x, run: ['false'], on_error: {output: instead}}",
    "failed, with `on_error: continue`": "  - {id: x, run: ['false'], on_error: continue}",
    "failed": "  - {id: x, run: ['false']}",
    "skipped by its own `when`": "  - {id: x, when: false, run: ['true']}",
    "skipped because of a failure above it": "  - {id: bad, run: ['false']}\n  - {id: x, needs: [bad], run: ['true']}",
    "skipped because of a `when` above it": (
        "  - {id: never, when: false, run: ['true']}\n  - {id: x, needs: [never], run: ['true']}"
    ),
    "cancelled, because the run was stopped": ("  - {id: stop, run: ['false']}\n  - {id: x, run: [sleep, '30']}"),
}
EDGES = {
    "written": "needs: [x], run: [echo, ran]",
    "inferred": "run: [echo, ran, '{{ steps.x.status }}']",
    "through when": "when: steps.x.status | length > 0, run: [echo, ran]",
}


def table() -> dict[tuple[str, str], str]:
    lines = [line for line in FLOW.read_text("utf-8").splitlines() if line.startswith("| ")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = [re.sub("`", "", cell) for cell in head[1:]]
    return {(row[0], rule): cell for row in rows for rule, cell in zip(rules, row[1:], strict=True)}


TABLE = table()


def test_the_table_has_every_state_and_every_rule():
    assert {state for state, _ in TABLE} == set(NEEDED)
    assert {rule for _, rule in TABLE} == {"all_succeeded", "none_failed", "any_succeeded", "all_finished"}
    assert set(TABLE.values()) == {"runs", "skipped", "skipped, as failed", "cancelled"}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(("state", "rule"), list(TABLE))
def test_every_cell(bench, state, rule, edge):
    stops = "limits: {fail_fast: true}\n" if state.startswith("cancelled") else ""
    step = f"  - {{id: s, join: {rule}, {EDGES[edge]}}}"
    below = "  - {id: below, needs: [s], join: none_failed, run: ['true']}"
    ran = bench().run(f"{HEAD}{stops}steps:\n{NEEDED[state]}\n{step}\n{below}\n")
    end, after = ran.finished["s"], ran.finished["below"]
    expected = TABLE[state, rule]
    if expected == "runs":
        assert end.status == "succeeded"
        assert end.output.startswith("ran")
    else:
        assert end.status == expected.partition(",")[0]
        assert end.reason
    if not stops:  # how it counts for the next
        assert after.status == ("skipped" if expected == "skipped, as failed" else "succeeded")


class TestSeveral:
    @pytest.mark.parametrize(
        ("rule", "first", "second", "status"),
        [
            ("all_succeeded", "'true'", "'false'", "skipped"),
            ("none_failed", "'true'", "'false'", "skipped"),
            ("any_succeeded", "'true'", "'false'", "succeeded"),
            ("any_succeeded", "'false'", "'true'", "succeeded"),
            ("any_succeeded", "'false'", "'false'", "skipped"),
            ("all_finished", "'false'", "'false'", "succeeded"),
        ],
    )
    def test_two_needs(self, bench, rule, first, second, status):
        ran = bench().run(
            f"{HEAD}steps:\n  - {{id: a, run: [{first}]}}\n  - {{id: b, run: [{second}]}}\n"
            f"  - {{id: s, needs: [a, b], join: {rule}, run: ['true']}}\n"
        )
        assert ran.finished["s"].status == status

    def test_any_waits_for_all_so_that_nothing_depends_on_who_is_faster(self, bench):
        ran = bench().run(
            f"{HEAD}steps:\n  - {{id: quick, run: ['true']}}\n  - {{id: slow, run: [sh, -c, 'sleep 0.2; echo late']}}\n"
            "  - {id: s, join: any_succeeded, run: [echo, '{{ steps.quick.status }} {{ steps.slow.output }}']}\n"
        )
        assert ran.finished["s"].output == "succeeded late"

    def test_the_reason_names_all_when_none_succeeded(self, bench):
        ran = bench().run(
            f"{HEAD}steps:\n  - {{id: a, run: ['false']}}\n  - {{id: b, when: false, run: ['true']}}\n"
            "  - {id: s, needs: [a, b], join: any_succeeded, run: ['true']}\n"
        )
        assert ran.finished["s"].reason == "it needs one of `a`, `b`, and none of them succeeded"
        assert ran.finished["s"].failed_above

    def test_without_needs_every_join_holds(self, bench):
        joins = ("all_succeeded", "none_failed", "any_succeeded", "all_finished")
        steps = "".join(f"  - {{id: {join}, join: {join}, run: ['true']}}\n" for join in joins)
        ran = bench().run(f"{HEAD}steps:\n{steps}")
        assert {end.status for end in ran.finished.values()} == {"succeeded"}
