"""Inputs, models, servers and secrets that nothing uses: told only where it is certain."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, steps

INPUTS = "inputs: {a: {type: string, default: x}, b: {type: string, default: y}}\n"


def test_only_what_nothing_reads(tmp_path: Path) -> None:
    assert findings(tmp_path, INPUTS + steps('task: "{{ inputs.a }}"')) == [
        "BR230 3:41 nothing uses the input `b` | write `{{ inputs.b }}` where it is meant, or take it out"
    ]


@pytest.mark.parametrize("text", ["{{ inputs | tojson }}", "{{ inputs[run.id] }}"])
def test_who_takes_all_inputs_may_use_each(tmp_path: Path, text: str) -> None:
    assert findings(tmp_path, INPUTS + steps(f'task: "{text}"')) == []


def test_in_a_template_that_is_broken_any_may_be_meant(tmp_path: Path) -> None:
    found = findings(tmp_path, INPUTS + steps('task: "{{ inputs.a"'))
    assert [line.split(" ")[0] for line in found] == ["BR216"]


def test_a_server_that_is_not_defined_may_be_a_slip_for_any(tmp_path: Path) -> None:
    body = "mcp_servers: {files: {builtin: files}}\n" + steps("mcp_servers: [fils]\ntask: x")
    assert [line.split(" ")[0] for line in findings(tmp_path, body)] == ["BR213"]


def test_a_secret_that_is_not_declared_may_be_a_slip_for_any(tmp_path: Path) -> None:
    body = "secrets: [TOKEN]\n" + steps('run: [ls]\nenv: {T: "{{ secrets.TOKN }}"}')
    assert [line.split(" ")[0] for line in findings(tmp_path, body)] == ["BR211"]


def test_a_model_may_be_used_by_the_defaults_by_a_step_or_by_another(tmp_path: Path) -> None:
    body = "models: {one: x, two: {id: one}, three: y, four: z}\ndefaults: {model: two}\n" + steps(
        "model: three\ntask: x", "task: x"
    )
    assert [line.split(" | ")[0] for line in findings(tmp_path, body)] == ["BR231 3:44 nothing uses the model `four`"]
