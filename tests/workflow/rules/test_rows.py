"""Lists and matrices that are written out."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, steps

NONE = "5:5 this matrix has no rows: the step would never do anything"
LEFT = "so this leaves none out"


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ("{os: [linux, mac], py: [3, 4], exclude: [{os: mac, py: 3}], include: [{os: bsd, py: 3, extra: 1}]}", []),
        ("{include: [{os: linux, n: 1}, {os: mac, n: 2}]}", []),
        (
            "{os: [linux, mac], exclude: [{os: lunix}]}",
            [f"5:47 no row has this `os`, {LEFT} | did you mean `linux`?"],
        ),
        ("{os: [linux, mac], exclude: [{os: 3}]}", [f"5:47 no row has this `os`, {LEFT} | `os` is `linux` or `mac`"]),
        ("{n: [1, 2], exclude: [{n: x}]}", [f"5:39 no row has this `n`, {LEFT} | `n` is `1` or `2`"]),
        ("{os: [a], exclude: [{oss: a}]}", [f"5:34 no row has a `oss`, {LEFT} | did you mean `os`?"]),
        ("{os: [a], n: [1], exclude: [{zz: a}]}", [f"5:42 no row has a `zz`, {LEFT} | the rows have `os` and `n`"]),
        (
            "{os: [a], include: [{oss: b}]}",
            ["5:34 this row has no `os`, which the other rows have | did you mean `os`?"],
        ),
        (
            "{os: [a], n: [1], include: [{os: b}]}",
            ["5:41 this row has no `n`, which the other rows have | add `n: …`: templates read it in every row"],
        ),
        (
            "{include: [{os: linux, n: 1}, {os: mac}]}",
            ["5:43 this row has no `n`, which the other rows have | add `n: …`: templates read it in every row"],
        ),
        ("{os: [a], exclude: [{os: a}]}", [f"{NONE} | `exclude` takes all of them away"]),
        ("{include: []}", [f"{NONE} | give it names with lists of values"]),
        ("{os: [a], exclude: [{}]}", [f"{NONE} | `exclude` takes all of them away"]),
        (
            "{" + ", ".join(f"{name}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" for name in "abcde") + "}",
            [
                "5:5 this matrix has 100,000 rows, and 10,000 are the most"
                " | take out values that nobody needs to combine"
            ],
        ),
    ],
)
def test_a_matrix(tmp_path: Path, matrix: str, expected: list[str]) -> None:
    assert findings(tmp_path, steps(f"matrix: {matrix}\ntask: x")) == [f"BR240 {line}" for line in expected]


def test_a_list_without_items(tmp_path: Path) -> None:
    assert findings(tmp_path, steps("for_each: []\ntask: x")) == [
        "BR240 5:15 this list is empty: the step never does anything | fill it, or delete the step"
    ]
