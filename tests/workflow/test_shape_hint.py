"""What to do about a value of the wrong shape, told from the value itself."""

from __future__ import annotations

import pytest
from kit.finding_text import shape_text
from kit.rule_text import steps


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        ("task: x\nreads_only: 'yes'", "write `true`"),
        ("task: x\nreads_only: 'off'", "write `false`"),
        ("task: x\nreads_only: 'TRUE'", "write `true`, without quotes"),
        ("task: x\nreads_only: 'maybe'", ""),
        ("task: x\nrepair: '3'", "write `3`, without quotes"),
        ("task: x\nrepair: 'three'", ""),
        ("task: x\nrepair: 'nan'", ""),
        ("task: 5", "put it in quotes"),
        ("task: true", "put it in quotes"),
        ("task: [x]", ""),
        ("task: x\neffects: 3", "write `none`, `idempotent` or `unsafe`"),
        ("task: x\neffects: unsave", "did you mean `unsafe`?"),
        ("task:", "write a value behind it, or delete the key if nothing is meant"),
        ("task: x\noutput: [a]", "describe the answer by a JSON Schema; `output: json` belongs to a `run` step"),
        ("run: ls -l", "write it as a list, `[program, argument]`, or add `shell: true`"),
        ("run: [ls]\nshell: true", "with `shell: true` write one text"),
        ("task: x\nexpect: [{run: ls}]", "write it as a list, `[program, argument]`"),
        ("task: x\nmcp_servers: files", "write it as a list: `[files]`"),
        ("task: x\nmcp_servers: 5", "write it as a list: `[5]`"),
        ("task: x\nmcp_servers: {a: 1}", "write a list: a line `- …` for each item"),
        (f"task: x\nmcp_servers: {'y' * 40}", "write a list: a line `- …` for each item"),
        ("task: x\nlimits: 5", "write keys below it, farther to the right: `key: value`"),
        ("task: x\njoin: all", "did you mean `all_succeeded`?"),
        ("task: x\njoin: one_success", "did you mean `any_succeeded`?"),
        ("task: x\non_error: ignore", "did you mean `continue`?"),
        ("task: x\nretry: 3", "write `retry: {attempts: 3}`"),
        ("task: x\nrepeat: 3", "say when it is good enough: `repeat: {until: output.score >= 8, max: 3}`"),
        ("approve: true", "write the question: `approve: Publish this?`"),
        ("task: x\nmatrix: [a]", "give each list a name: `matrix: {size: [small, large]}`"),
        ("run: [ls]\nshell: ls -l", "write the command as `run`, and `shell: true` beside it"),
        ("task: x\nexpect: [5]", ""),
        ("task: x\nexpect: [null]", ""),
    ],
)
def test_a_hint(lines: str, hint: str) -> None:
    told = shape_text("version: 1\nname: x\n" + steps(lines))
    assert "error: " in told
    assert [line.removeprefix("  help: ") for line in told.splitlines() if "help: " in line] == ([hint] if hint else [])
