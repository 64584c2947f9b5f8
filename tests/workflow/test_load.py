"""From a path to a checked workflow, stage by stage."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.words.errors import WorkflowError
from runner.workflow.load import load

EXAMPLES = sorted(
    path
    for path in (Path(__file__).parents[2] / "workflows").glob("*.yaml")
    if not path.name.endswith((".sim.yaml", ".test.yaml"))
)


def faults(path: Path, text: str) -> list[tuple[str, str, int]]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WorkflowError) as caught:
        load(str(path))
    return [(one.code, one.level, one.span.line if one.span else 0) for one in caught.value.diagnostics]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_load_without_a_word(example: Path) -> None:
    loaded = load(str(example))
    assert loaded.warnings == ()
    assert loaded.workflow.folder == str(example.parent)
    assert loaded.document.file == loaded.workflow.file == str(example)


def test_a_stage_is_reported_whole_and_the_next_not_begun(tmp_path: Path) -> None:
    shape = "version: 1\nname: x\nsteps:\n  - {id: a, taks: x}\n  - {id: b, task: [1], needs: [zzz]}\n"
    assert {code for code, _, _ in faults(tmp_path / "x.yaml", shape)} == {"BR217", "BR219"}


def test_what_it_means_is_one_stage_in_file_order_with_warnings(tmp_path: Path) -> None:
    text = (
        "version: 1\nname: x\ninputs: {unused: {type: string}}\nsteps:\n"
        "  - id: a\n    task: x\n    needs: [c]\n  - id: b\n    task: x\n    needs: [zzz]\n"
        '  - id: c\n    task: "{{ steps.q.output }}"\n'
    )
    assert faults(tmp_path / "x.yaml", text) == [
        ("BR230", "warning", 3),
        ("BR204", "error", 10),
        ("BR207", "error", 12),
    ]


def test_files_are_looked_up_beside_the_workflow_wherever_one_stands(tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "answer.json").write_text('{"type": "object"}', encoding="utf-8")
    file = folder / "x.yaml"
    file.write_text(
        "version: 1\nname: x\nsteps:\n  - {id: a, task: x, output: {schema: answer.json}}\n", encoding="utf-8"
    )
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        loaded = load("flows/x.yaml")
    finally:
        os.chdir(before)
    assert loaded.workflow.steps[0].output_schema == {"type": "object"}
    assert loaded.workflow.folder == "flows"
