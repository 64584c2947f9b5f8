"""Comparisons that come out the same whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, steps

HEAD = """\
inputs:
  n: {type: integer, default: 1}
  s: {type: string, default: x}
  flag: {type: boolean, default: true}
  mode: {enum: [fast, slow], default: fast}
  level: {enum: [1, 2], default: 1}
  many: {enum: [a1, b2, c3, d4, e5, f6, g7, h8, i9], default: a1}
  names: {type: array, items: {enum: [ann, bob]}, default: []}
  map: {type: object, default: {}}
  free: {default: 1}
"""


BARE = "write `3`, without quotes"


def found_of(folder: Path, expression: str) -> list[str]:
    """Findings about an expression, without code and place."""
    found = findings(folder, HEAD + steps(f"task: '{{{{ inputs | length }}}}'\nwhen: >-\n  {expression}"))
    assert all(line.startswith("BR243") for line in found), found
    return [line.split(" ", 2)[2] for line in found]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("inputs.mode == 'fast'", ""),
        ("inputs.mode == 'fats'", "`inputs.mode` is never `fats` | did you mean `fast`?"),
        ("inputs.mode != 'zzz'", "`inputs.mode` is never `zzz` | it is `fast` or `slow`"),
        ("('zzz' == inputs.mode)", "`inputs.mode` is never `zzz` | it is `fast` or `slow`"),
        ("inputs.mode == 3", "`inputs.mode` is never the number 3 | it is `fast` or `slow`"),
        (
            "inputs.many == 'zzz'",
            "`inputs.many` is never `zzz` | it is `a1`, `b2`, `c3`, `d4`, `e5`, `f6`, `g7`, `h8`, …",
        ),
        ("inputs.level == 1.0", ""),
        ("inputs.level == 3", "`inputs.level` is never the number 3 | it is `1` or `2`"),
        ("inputs.mode == none", ""),
        ("none != inputs.n", ""),
        ("inputs.n == '3'", f"`inputs.n` is a whole number, never the text `3` | {BARE}"),
        ("inputs.n == 'x'", "`inputs.n` is a whole number, never the text `x`"),
        ("inputs.n == 3", ""),
        ("inputs.n == 3.5", ""),
        ("inputs.n == true", ""),
        (
            "inputs.flag == 'true'",
            "`inputs.flag` is true or false, never the text `true` | write `true`, without quotes",
        ),
        ("inputs.flag == 'x'", "`inputs.flag` is true or false, never the text `x`"),
        ("inputs.s == 3", "`inputs.s` is a text, never the number 3 | put it in quotes: `'3'`"),
        ("inputs.s == true", "`inputs.s` is a text, never `true` | put it in quotes: `'true'`"),
        ("inputs.s == ''", ""),
        ("inputs.free == 'x'", ""),
        ("inputs.n == inputs.s", "`inputs.n` is a whole number and `inputs.s` is a text: they are never equal"),
        (
            "inputs.level == inputs.mode",
            "`inputs.level` is `1` or `2` and `inputs.mode` is `fast` or `slow`: they are never equal",
        ),
        ("(inputs.n ~ '') == inputs.n", "this is a text and `inputs.n` is a whole number: they are never equal"),
        ("inputs.names == []", ""),
        ("inputs.names == 'ann'", "`inputs.names` is a list, never the text `ann`"),
        (
            "inputs.names | length == '1'",
            "`inputs.names | length` is a whole number, never the text `1` | write `1`, without quotes",
        ),
        ("inputs.mode in ['fast', 'fats', none]", "`inputs.mode` is never `fats` | did you mean `fast`?"),
        ("inputs.mode not in ('slow', inputs.s)", ""),
        ("inputs.n in inputs.names", ""),
        ("'ann' in inputs.names", ""),
        ("'anne' in inputs.names", "`inputs.names` never holds `anne` | did you mean `ann`?"),
        ("3 in inputs.names", "`inputs.names` never holds the number 3 | it holds `ann` or `bob`"),
        ("3 in (inputs.names | map('upper') | list)", ""),
        ("3 in [inputs.s] | list", "this holds a text, never the number 3 | put it in quotes: `'3'`"),
        ("'x' in inputs.s", ""),
        ("'x' in inputs.map", ""),
        ("'x' in inputs.n", "`inputs.n` is a whole number: nothing can be in it"),
        ("inputs.s in inputs.free", ""),
        ("inputs.n < 3", ""),
        ("inputs.n < inputs.level", ""),
        ("inputs.s < 'y'", ""),
        ("inputs.names < ['y']", ""),
        ("inputs.free < 3", ""),
        (
            "inputs.s < 3",
            "`inputs.s` (a text) is compared with the number 3: there is no order between them"
            " | make a number of it: `inputs.s | int`",
        ),
        (
            "3 >= inputs.names",
            "the number 3 is compared with `inputs.names` (a list): there is no order between them"
            " | count it: `inputs.names | length`",
        ),
        (
            "inputs.n > '3'",
            f"`inputs.n` (a whole number) is compared with the text `3`: there is no order between them | {BARE}",
        ),
        ("inputs.n > 'x'", "`inputs.n` (a whole number) is compared with the text `x`: there is no order between them"),
        (
            "(inputs.n ~ '') > inputs.n",
            "a text is compared with `inputs.n` (a whole number): there is no order between them",
        ),
        (
            "inputs.s > inputs.names",
            "`inputs.s` (a text) is compared with `inputs.names` (a list): there is no order between them",
        ),
        (
            "inputs.s | upper > 3",
            "`inputs.s | upper` (a text) is compared with the number 3: there is no order between them",
        ),
        (
            "inputs.map > 3",
            "`inputs.map` (a mapping) is compared with the number 3: there is no order between them"
            " | count it: `inputs.map | length`",
        ),
        (
            "inputs.map > inputs.map",
            "`inputs.map` (a mapping) is compared with `inputs.map` (a mapping): there is no order between them",
        ),
        (
            "1 < inputs.n < '3'",
            f"`inputs.n` (a whole number) is compared with the text `3`: there is no order between them | {BARE}",
        ),
    ],
)
def test_a_comparison(tmp_path: Path, expression: str, expected: str) -> None:
    assert found_of(tmp_path, expression) == ([expected] if expected else [])


def test_in_templates_and_checks_too_and_at_its_place(tmp_path: Path) -> None:
    body = HEAD + steps(
        "task: |\n  {{ inputs | length }}\n  {% if inputs.mode == 'fats' %}x{% endif %}\n"
        "output: {enum: [good, bad]}\nexpect: [{that: output == 'god'}]\nrepeat: {until: previous == 'bat', max: 3}",
        'task: \'{{ [steps.a.output == "godd", 3 == "3"] }}\'',
    )
    assert findings(tmp_path, body) == [
        "BR243 17:28 `inputs.mode` is never `fats` | did you mean `fast`?",
        "BR243 19:31 `output` is never `god` | did you mean `good`?",
        "BR243 20:33 `previous` is never `bat` | did you mean `bad`?",
        "BR243 22:34 `steps.a.output` is never `godd` | did you mean `good`?",
        "BR243 22:47 this is never `3` | it is `3`",
    ]


@pytest.mark.parametrize(
    ("first", "when", "expected"),
    [
        ("approve: x", "steps.a.output == 'yess'", "`steps.a.output` is never `yess` | did you mean `yes`?"),
        ("approve: x\nchoices: [now, later]", "steps.a.output == 'now'", ""),
        (
            "approve: x\nchoices: [now, later]",
            "steps.a.output == 'yes'",
            "`steps.a.output` is never `yes` | it is `now` or `later`",
        ),
        ("task: x", "steps.a.status == 'success'", "`steps.a.status` is never `success` | did you mean `succeeded`?"),
        (
            "task: x",
            "steps.a.error.kind == 'time_out'",
            "`steps.a.error.kind` is never `time_out` | did you mean `timeout`?",
        ),
        ("task: x\noutput: {enum: [a, b]}\non_error: {output: none}", "steps.a.output == 'none'", ""),
        ("task: x\noutput: {enum: [a, b]}\non_error: continue", "steps.a.output == none", ""),
        (
            "task: x\noutput: {enum: [a, b]}\nfor_each: [1]",
            "steps.a.output[0] == 'c'",
            "`steps.a.output[0]` is never `c` | it is `a` or `b`",
        ),
    ],
)
def test_what_a_step_can_answer(tmp_path: Path, first: str, when: str, expected: str) -> None:
    found = findings(tmp_path, steps(first, f"task: x\njoin: all_finished\nwhen: {when}"))
    assert [line.split(" ", 2)[2] for line in found] == ([expected] if expected else [])


RUNS = "here: step `b` runs only if what it needs succeeded"
FINISHED = "give step `b` the key `join: all_finished`"


@pytest.mark.parametrize(
    ("first", "lines", "expected"),
    [
        ("task: x", "when: steps.a.status == 'succeeded'", ""),
        ("task: x", "when: steps.a.status == 'failed'", f"8:11 `steps.a.status` is never `failed` {RUNS} | {FINISHED}"),
        (
            "task: x",
            "when: ('failed' == steps.a.status)",
            f"8:12 `steps.a.status` is never `failed` {RUNS} | {FINISHED}",
        ),
        (
            "task: x",
            "when: steps.a.status in ['failed', 'cancelled']",
            f"8:11 `steps.a.status` is never `failed` or `cancelled` {RUNS} | {FINISHED}",
        ),
        ("task: x", "when: steps.a.status in ['failed', 'succeeded']", ""),
        (
            "task: x",
            "when: steps.a.status != 'succeeded'",
            f"8:11 `steps.a.status` is never other than `succeeded` {RUNS} | {FINISHED}",
        ),
        ("task: x", "when: steps.a.status not in ['failed']", ""),
        ("task: x", "when: steps.a.status != 'failed'", ""),
        ("task: x", "when: steps.a.status == inputs.s", ""),
        ("task: x", "when: steps.a.status < 'failed'", ""),
        ("task: x", "when: steps.a.output == 'failed'", ""),
        ("task: x", "when: steps.a.status in []", ""),
        ("task: x", "when: steps.a.status == 'failed'\njoin: all_finished", ""),
        ("task: x", "when: steps.a.status == 'failed'\njoin: any_succeeded", ""),
        ("task: x", "when: steps.a.status == 'skipped'\njoin: none_failed", ""),
        (
            "task: x",
            "when: steps.a.status == 'failed'\njoin: none_failed",
            f"8:11 `steps.a.status` is never `failed` {RUNS} or was skipped | {FINISHED}",
        ),
        ("task: x\non_error: continue", "when: steps.a.status == 'failed'", ""),
        ("task: x\non_error: {output: y}", "when: steps.a.status == 'recovered'", ""),
        (
            "task: x\non_error: {output: y}",
            "when: steps.a.status == 'failed'",
            f"9:11 `steps.a.status` is never `failed` {RUNS} | {FINISHED}",
        ),
    ],
)
def test_a_status_under_a_join(tmp_path: Path, first: str, lines: str, expected: str) -> None:
    found = findings(tmp_path, steps(first, f"task: x\n{lines}").replace("inputs.s", "run.id"))
    assert found == ([f"BR244 {expected}"] if expected else [])


def test_an_output_of_the_file_is_worked_out_whatever_happened(tmp_path: Path) -> None:
    body = (
        steps("task: x")
        + "outputs: {bad: \"{{ steps.a.status == 'failed' }}\", no: \"{{ steps.zz.status == 'failed' }}\"}\n"
    )
    assert [line.split(" ")[0] for line in findings(tmp_path, body)] == ["BR207"]
