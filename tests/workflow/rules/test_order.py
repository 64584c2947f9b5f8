"""Which step waits for which: needs of steps that are not there, circles without end."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, steps


@pytest.mark.parametrize(
    ("others", "help_"),
    [
        (0, "there is no other step"),
        (1, "the only other step is `b`"),
        (3, "the steps are `b`, `c`, `d`"),
        (10, "the steps are `b`, `c`, `d`, `e`, `f`, `g`, `h`, `i`, …"),
    ],
)
def test_a_need_that_is_like_no_step_is_told_what_there_is(tmp_path: Path, others: int, help_: str) -> None:
    body = steps("task: x\nneeds: [survey]", *["task: x"] * others)
    assert findings(tmp_path, body) == [f"BR204 6:13 step `a` needs `survey`, which does not exist | {help_}"]


def test_twenty_circles_are_enough(tmp_path: Path) -> None:
    body = "steps:\n" + "".join(f"  - {{id: s{n}, task: x, needs: [s{n}]}}\n" for n in range(25))
    found = findings(tmp_path, body)
    assert len(found) == 20
    assert {line.split(" ")[0] for line in found} == {"BR205"}


def test_a_tool_step_answers_what_its_schema_says_and_else_anything(tmp_path: Path) -> None:
    head = "mcp_servers: {git: {command: g}}\n"
    loose = head + steps("tool: git.log", "task: '{{ steps.a.output.x.y }}'")
    strict = head + steps(
        "tool: git.log\noutput: {type: object, additionalProperties: false}", "task: '{{ steps.a.output.x }}'"
    )
    assert findings(tmp_path, loose) == []
    assert [line.split(" ", 2)[2] for line in findings(tmp_path, strict)] == [
        "`steps.a.output` has no `x` (it is empty)"
    ]


def test_who_reads_its_own_result_waits_for_nobody(tmp_path: Path) -> None:
    """One finding, at the reading: no circle is made of it."""
    assert findings(tmp_path, steps('task: "{{ steps.a.output }}"')) == [
        "BR234 5:15 step `a` reads its own result | name another step"
    ]
