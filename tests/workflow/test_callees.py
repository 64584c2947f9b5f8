"""Files that call files: found, checked with their caller, bounded."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, loaded, steps

from runner.words.errors import WorkflowError
from runner.workflow.load import load
from runner.workflow.model import CallWork

LEAF = "version: 1\nname: leaf\nsteps:\n  - {id: a, task: Go.}\n"


def write(path: Path, *called: str, body: str = "") -> None:
    """A file that calls these, one step each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    calls = "".join(f"  - {{id: c{number}, workflow: {file}}}\n" for number, file in enumerate(called))
    path.write_text(f"version: 1\nname: x\nsteps:\n{calls}{body}", encoding="utf-8")


def test_paths_start_at_the_calling_file(tmp_path: Path) -> None:
    (tmp_path / "leaf.yaml").write_text(LEAF, encoding="utf-8")
    write(tmp_path / "deep" / "er" / "b.yaml", "../../leaf.yaml")
    write(tmp_path / "a.yaml", "deep/er/b.yaml", "./leaf.yaml")
    workflow = load(str(tmp_path / "a.yaml")).workflow
    first = workflow.step("c0").work
    assert isinstance(first, CallWork)
    assert first.callee.file == str(tmp_path / "deep" / "er" / "b.yaml")
    assert [Path(one.file).name for one in workflow.family] == ["a.yaml", "b.yaml", "leaf.yaml", "leaf.yaml"]
    with pytest.raises(KeyError):
        workflow.step("none")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "./none.yaml",
            "BR232 5:15 there is no file `./none.yaml` | the path starts at the folder of the workflow file",
        ),
        (".", "BR232 5:15 `.` is a folder | name the workflow file in it"),
        (
            '"{{ run.id }}.yaml"',
            "BR228 5:16 `workflow` takes no templates"
            " | write the value itself; templates may stand in prompts, arguments, commands and outputs",
        ),
    ],
)
def test_a_file_that_cannot_be_called(tmp_path: Path, file: str, expected: str) -> None:
    assert findings(tmp_path, steps(f"workflow: {file}")) == [expected]


def test_a_circle_through_files(tmp_path: Path) -> None:
    for name, called in (("a", "b"), ("b", "c"), ("c", "b")):
        write(tmp_path / f"{name}.yaml", f"./{called}.yaml")
    with pytest.raises(WorkflowError) as caught:
        load(str(tmp_path / "a.yaml"))
    b, c = tmp_path / "b.yaml", tmp_path / "c.yaml"
    assert [(one.code, one.message, one.file) for one in caught.value.diagnostics] == [
        ("BR236", f"these workflows call each other: {b} -> {c} -> {b}", str(c))
    ]


@pytest.mark.parametrize(("deep", "fine"), [(8, True), (9, False), (12, False)])
def test_eight_files_below_the_first_are_the_most(tmp_path: Path, deep: int, fine: bool) -> None:
    (tmp_path / f"f{deep}.yaml").write_text(LEAF, encoding="utf-8")
    for number in range(deep):
        write(tmp_path / f"f{number}.yaml", f"./f{number + 1}.yaml")
    if fine:
        assert len(load(str(tmp_path / "f0.yaml")).workflow.family) == deep + 1
        return
    with pytest.raises(WorkflowError) as caught:
        load(str(tmp_path / "f0.yaml"))
    assert {one.code for one in caught.value.diagnostics} == {"BR236"}
    assert "workflows call each other more than 8 deep" in caught.value.diagnostics[0].message


def test_a_file_that_was_read_on_a_short_way_is_too_deep_on_a_long_one(tmp_path: Path) -> None:
    (tmp_path / "end.yaml").write_text(LEAF, encoding="utf-8")
    for number in range(5):
        write(tmp_path / f"low{number}.yaml", f"./low{number + 1}.yaml" if number < 4 else "./end.yaml")
        write(tmp_path / f"high{number}.yaml", f"./high{number + 1}.yaml" if number < 4 else "./low0.yaml")
    write(tmp_path / "a.yaml", "./low0.yaml", "./high0.yaml")
    with pytest.raises(WorkflowError) as caught:
        load(str(tmp_path / "a.yaml"))
    assert {one.code for one in caught.value.diagnostics} == {"BR236"}


def test_what_is_wrong_in_a_called_file_is_told_where_it_stands(tmp_path: Path) -> None:
    write(tmp_path / "b.yaml", body="  - {id: a, task: '{{ inputs.x }}'}\n")
    write(tmp_path / "a.yaml", "./b.yaml", "./b.yaml")
    with pytest.raises(WorkflowError) as caught:
        load(str(tmp_path / "a.yaml"))
    assert [(one.code, one.file) for one in caught.value.diagnostics] == [("BR206", str(tmp_path / "b.yaml"))]


def test_a_warning_of_a_called_file_comes_with_its_caller(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(LEAF.replace("steps:", "secrets: [T]\nsteps:"), encoding="utf-8")
    found = loaded(tmp_path, steps("workflow: ./b.yaml", "workflow: ./b.yaml")).warnings
    assert [(one.code, one.file) for one in found] == [("BR231", str(tmp_path / "b.yaml"))]


def test_a_called_file_that_is_no_workflow(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("- a\n", encoding="utf-8")
    with pytest.raises(WorkflowError) as caught:
        loaded(tmp_path, steps("workflow: ./b.yaml"))
    assert {one.file for one in caught.value.diagnostics} == {str(tmp_path / "b.yaml")}
