"""Names in templates: which exist where, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, loaded, steps


@pytest.mark.parametrize(
    ("text", "column"),
    [("{{ steps | tojson }}", 15), ("{{ steps[run.id].output }}", 15), ("{% for s in steps %}{{ s }}{% endfor %}", 24)],
)
def test_steps_as_a_whole_would_be_a_matter_of_time(tmp_path: Path, text: str, column: int) -> None:
    """No step is named, so none would be waited for: what is read would differ from run to run."""
    assert findings(tmp_path, steps(f'task: "{text}"', "task: Look.")) == [
        f"BR207 5:{column} `steps` cannot be read as a whole, nor by a name that is only known in the run"
        " | name the step that is meant: the steps are `a`, `b`"
    ]


def test_all_of_one_step_may_be_read_and_is_waited_for(tmp_path: Path) -> None:
    body = steps('task: "{{ steps.b | tojson }}"', "task: Look.")
    assert loaded(tmp_path, body).workflow.step("a").needs == ("b",)


def test_of_many_steps_eight_are_named(tmp_path: Path) -> None:
    body = steps('task: "{{ steps.zzzz.output }}"', *["task: Look."] * 9)
    assert findings(tmp_path, body) == [
        "BR207 5:15 there is no step `zzzz` | the steps are `a`, `b`, `c`, `d`, `e`, `f`, `g`, `h`, …"
    ]


@pytest.mark.parametrize("lines", ["for_each: [1, 2]", "for_each: [1, 2]\nas: spot", "matrix: {os: [a, b]}"])
def test_names_of_a_fan_out_are_known_though_it_cannot_be_carried_out(tmp_path: Path, lines: str) -> None:
    name = "spot" if "spot" in lines else "matrix.os" if "matrix" in lines else "item"
    found = findings(tmp_path, steps(f'task: "{{{{ {name} }}}} {{{{ loop.index }}}}"\n{lines}'))
    assert {line.split(" ")[0] for line in found} == {"BR221"}


def test_repeat_knows_what_was_before(tmp_path: Path) -> None:
    body = steps('task: "{{ previous }} {{ loop.index }}"\nrepeat: {until: output == 1, max: 3}')
    assert [line.split(" ")[0] for line in findings(tmp_path, body)] == ["BR221"]


def test_as_replaces_item(tmp_path: Path) -> None:
    found = findings(tmp_path, steps('task: "{{ item }}"\nfor_each: [1, 2]\nas: spot'))
    assert "BR207 5:15 `item` exists only in a step with `for_each`" in found


def test_for_each_itself_is_judged_outside_of_the_items(tmp_path: Path) -> None:
    found = findings(tmp_path, steps('task: "{{ item }}"\nfor_each: item.parts'))
    assert "BR207 6:15 `item` exists only in a step with `for_each`" in found
