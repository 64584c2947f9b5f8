"""Keys that mean nothing where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, steps


@pytest.mark.parametrize("name", ["steps", "inputs", "loop", "matrix", "output", "if", "range", "true"])
def test_an_item_is_not_called_what_means_something_else(tmp_path: Path, name: str) -> None:
    assert findings(tmp_path, steps(f'for_each: [1]\nas: "{name}"\ntask: x')) == [
        f"BR237 6:9 an item cannot be called `{name}`: in templates that means something else"
        " | choose another name, or leave it out: then it is `item`"
    ]


def test_an_item_may_be_called_item_or_like_a_step(tmp_path: Path) -> None:
    body = steps('for_each: [1]\nas: item\ntask: "{{ item }}"', 'for_each: [1]\nas: a\ntask: "{{ a }}"')
    assert findings(tmp_path, body) == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "task: x\nas: spot",
            "BR238 6:5 `as` names the items of `for_each`, and this step has none | add `for_each`, or take it out",
        ),
        (
            "task: x\nmatrix: {os: [a]}\nas: spot",
            "BR238 7:5 `as` names the items of `for_each`, and this step has none"
            " | take it out: in templates the row is called `matrix`",
        ),
        (
            "task: x\nmax_parallel: 2",
            "BR238 6:5 `max_parallel` is about many items, and this step runs once"
            " | add `for_each` or `matrix`, or take it out; `limits: {parallel: …}` at the top is for all steps",
        ),
        (
            "task: x\nfail_fast: true",
            "BR238 6:5 `fail_fast` is about many items, and this step runs once"
            " | add `for_each` or `matrix`, or take it out; `limits: {fail_fast: true}` at the top is for all steps",
        ),
        (
            "task: x\norder: items",
            "BR238 6:5 `order` is about many items, and this step runs once"
            " | add `for_each` or `matrix`, or take it out",
        ),
        (
            "run: [ls]\nrepair: 2",
            "BR238 6:5 `repair` asks a model again, and a `run` step has none"
            " | take it out; `retry` is what does a step again",
        ),
        ("matrix: {os: [a]}\nmax_parallel: 1\nfail_fast: true\norder: items\ntask: x\nrepair: 1", ""),
        ("for_each: [1]\nas: spot\nmax_parallel: 1\nfail_fast: true\norder: items\ntask: x", ""),
        ("approve: x\ntimeout: 1m\nchoices: [yes, no]\ndefault: no\non_error: continue\njoin: all_finished", ""),
    ],
)
def test_a_key(tmp_path: Path, lines: str, expected: str) -> None:
    assert findings(tmp_path, steps(lines)) == ([expected] if expected else [])


def test_a_person_is_asked_once_and_has_no_tools(tmp_path: Path) -> None:
    lines = """\
approve: Sure?
output: {type: string}
expect: [{that: output}]
repair: 1
retry: {attempts: 2}
repeat: {until: output == 'yes', max: 3}
limits: {rounds: 3}
artifacts: [a.txt]
reads_only: true
effects: none"""
    keys = ("output", "expect", "repair", "retry", "repeat", "limits", "artifacts", "reads_only", "effects")
    assert findings(tmp_path, steps(lines)) == [
        f"BR238 {line}:5 `{key}` means nothing in an `approve` step: a person is asked, once | take it out"
        for line, key in enumerate(keys, 6)
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("default: yes", ""),
        ("choices: [now, later]\ndefault: later", ""),
        ("default: yess", "BR239 6:14 `yess` is none of the choices | did you mean `yes`?"),
        (
            "choices: [now, later]\ndefault: yes",
            "BR239 7:14 `yes` is none of the choices | the choices are `now` and `later`",
        ),
    ],
)
def test_the_default_of_a_question(tmp_path: Path, lines: str, expected: str) -> None:
    assert findings(tmp_path, steps(f"approve: Sure?\n{lines}")) == ([expected] if expected else [])


def test_yes_and_no_are_words_only_where_a_person_is_asked(tmp_path: Path) -> None:
    body = steps("approve: Sure?\nchoices: [yes, no]\ndefault: no", "run: [ls]\nenv: {A: yes}")
    assert [line.split(" | ")[0] for line in findings(tmp_path, body)] == [
        "BR227 10:14 `yes` is a text here, not a boolean"
    ]


def test_an_answer_that_nobody_reads(tmp_path: Path) -> None:
    body = steps("approve: Sure?", "task: x\nneeds: a\nwhen: steps.a.status == 'succeeded'")
    assert findings(tmp_path, body) == [
        "BR245 5:5 nothing reads the answer to `a`: the steps after it run whatever is answered"
        " | write `when: steps.a.output == 'yes'` where it matters"
    ]


@pytest.mark.parametrize(
    ("lines", "rest", "expected"),
    [
        ("approve: Sure?", "", ""),
        ("approve: Sure?\nchoices: [read]", "  - {id: b, task: x, needs: a}\n", ""),
        ("approve: Sure?", "  - {id: b, task: '{{ steps.a | tojson }}'}\n", ""),
        ("approve: Sure?", "  - {id: b, task: x, when: steps.a.output == 'no'}\n", ""),
        ("approve: Sure?", "outputs: {x: '{{ steps.a.output }}'}\n", ""),
        (
            "approve: Sure?\nfor_each: [1, 2]",
            "  - {id: b, task: x, needs: a}\n",
            "BR245 5:5 nothing reads the answer to `a`: the steps after it run whatever is answered"
            " | read the list `steps.a.output` where it matters",
        ),
        (
            "approve: Sure?\nchoices: [now, later]",
            "outputs: {x: '{{ run.id }}'}\n",
            "BR245 5:5 nothing reads the answer to `a` | write `when: steps.a.output == 'now'` where it matters",
        ),
    ],
)
def test_who_reads_an_answer(tmp_path: Path, lines: str, rest: str, expected: str) -> None:
    assert findings(tmp_path, steps(lines) + rest) == ([expected] if expected else [])


def test_steps_that_an_item_hides_are_no_trouble(tmp_path: Path) -> None:
    body = steps('for_each: [1]\nas: steps\ntask: "{{ steps.a }}"')
    assert [line.split(" ")[0] for line in findings(tmp_path, body)] == ["BR237", "BR208", "BR234"]
