"""``check --fix``: what is certain is written into the files, and all else stays byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.project import Ended, Project

BEFORE = """\
# my first workflow
version: "1"   # one day there may be two
name: fix
inputs:
  path: {type: string,   default: a}
  # for later
  unused: {type: string, default: b}  # nobody
mcp_servers:
  files: {builtin: files, write: yes}

steps:
  - id: scan
    tsk: "Look at {{ inputs.pth }}"
    mcp_servers: [fils]
    tools: files.raed
  - id: fix
    needs: [scn]
    when: "{{ steps.scan.status == 'succeeded' }}"
    task: |
      Fix {{ steps.scann.output }}
"""
AFTER = """\
# my first workflow
version: 1   # one day there may be two
name: fix
inputs:
  path: {type: string,   default: a}
  # for later
  unused: {type: string, default: b}  # nobody
mcp_servers:
  files: {builtin: files, write: true}

steps:
  - id: scan
    task: "Look at {{ inputs.path }}"
    mcp_servers: [files]
    tools: [files.read]
  - id: fix
    needs: [scan]
    when: "steps.scan.status == 'succeeded'"
    task: |
      Fix {{ steps.scan.output }}
"""
MISSPELT = "version: 1\nname: x\nsteps:\n  - id: a\n    tsk: Go.\n"


def fix(project: Project, *more: str) -> Ended:
    return project.run("check", "--offline", *more)


def test_what_is_certain_is_repaired_round_by_round_and_the_file_checked_again(project: Project) -> None:
    file = project.write("w.yaml", BEFORE)
    ended = fix(project, "--fix", "w.yaml")
    assert file.read_text() == AFTER
    assert ended.code == 0
    assert ended.err.startswith("fixed 10 things in 1 file\noffline: models were not looked for\nwarning[BR230]")
    assert ended.err.endswith("1 warning\nfixable: 1 with `--fix --unsafe-fixes`\n")


def written(file: Path) -> tuple[int, int]:
    """Which file it is and when it was last written, and not when it was last read: reading it is what a check does."""
    stat = file.stat()
    return stat.st_ino, stat.st_mtime_ns


def test_a_second_repair_changes_nothing(project: Project) -> None:
    file = project.write("w.yaml", AFTER)
    before = written(file)
    assert fix(project, "--fix", "w.yaml").err.startswith("fixed nothing\n")
    assert written(file) == before


def test_what_nothing_uses_goes_when_that_is_asked_for(project: Project) -> None:
    file = project.write("w.yaml", BEFORE)
    ended = fix(project, "--fix", "--unsafe-fixes", "w.yaml")
    assert (ended.code, ended.err) == (0, "fixed 11 things in 1 file\n")
    assert file.read_text() == AFTER.replace("  unused: {type: string, default: b}  # nobody\n", "")


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_byte_order_mark_and_mode_stay(project: Project, end: str) -> None:
    before = ("\ufeff" + MISSPELT.replace("\n", end) + "    # the end").encode()
    file = project.write("w.yaml", before)
    file.chmod(0o640)
    assert fix(project, "--fix", "w.yaml").code == 0
    assert file.read_bytes() == before.replace(b"tsk", b"task")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in project.folder.iterdir() if path.is_file()] == ["w.yaml"]


def test_the_file_that_a_link_leads_to_is_repaired(project: Project) -> None:
    real = project.write("real/w.yaml", MISSPELT)
    (project.folder / "w.yaml").symlink_to("real/w.yaml")
    assert fix(project, "--fix", "w.yaml").code == 0
    assert real.read_text() == MISSPELT.replace("tsk", "task")
    assert (project.folder / "w.yaml").is_symlink()


def test_a_diff_shows_what_would_be_repaired_and_changes_nothing(project: Project) -> None:
    file = project.write("w.yaml", MISSPELT)
    ended = fix(project, "--diff", "w.yaml")
    assert file.read_text() == MISSPELT
    assert ended.code == 3
    assert ended.err.startswith("would fix 1 thing in 1 file\n")
    assert ended.out == (
        "--- a/w.yaml\n+++ b/w.yaml\n@@ -2,4 +2,4 @@\n name: x\n steps:\n   - id: a\n-    tsk: Go.\n+    task: Go.\n"
    )


def test_findings_say_how_many_of_them_can_be_repaired(project: Project) -> None:
    project.write("w.yaml", MISSPELT + "inputs:\n  a: {type: string}\n  b: {type: string}\n")
    assert fix(project, "w.yaml").err.endswith("1 error\nfixable: 1 with `--fix`\n")
    project.write("w.yaml", MISSPELT.replace("tsk: Go.", "task: Go.\n    needs: [nobody]"))
    assert fix(project, "w.yaml").err.endswith("\n1 error\n")


def test_a_repair_that_makes_it_worse_is_left_out(project: Project) -> None:
    """What the anchor stands before is used elsewhere: without it the file could not be read at all."""
    text = (
        "version: 1\nname: x\nmodels:\n  one: &one x/y\n  two: x/z\nsteps:\n"
        "  - id: a\n    task: Go.\n    model: *one\n    nedes: []\n"
    )
    file = project.write("w.yaml", text)
    ended = fix(project, "--fix", "--unsafe-fixes", "w.yaml")
    assert file.read_text() == text.replace("nedes", "needs").replace("  two: x/z\n", "")
    assert ended.err.startswith("fixed 2 things in 1 file\n")
    assert "nothing uses the model `one`" in ended.err


def test_a_file_that_is_only_called_is_not_touched(project: Project) -> None:
    called = project.write("called.yaml", MISSPELT)
    project.write("w.yaml", "version: 1\nname: w\nsteps: [{id: call, workflow: called.yaml}]\n")
    assert fix(project, "--fix", "w.yaml").code == 3
    assert called.read_text() == MISSPELT
    assert fix(project, "--fix", "w.yaml", "called.yaml").code == 0
    assert called.read_text() == MISSPELT.replace("tsk", "task")


def test_a_file_that_is_no_yaml_stays(project: Project) -> None:
    broken, binary = project.write("broken.yaml", "a: [\n"), project.write("binary.yaml", b"\xff\x00")
    ended = fix(project, "--fix", "broken.yaml", "binary.yaml")
    assert (ended.code, ended.err.split("\n")[0]) == (3, "fixed nothing")
    assert (broken.read_bytes(), binary.read_bytes()) == (b"a: [\n", b"\xff\x00")


def test_a_comment_that_allows_nothing_goes_where_the_models_are_known(project: Project) -> None:
    script = "models: {x/y: {loaded: true}}\n"
    project.write("s.sim.yaml", script)
    text = "version: 1\nname: x\nsteps:\n  - id: a\n    task: Go.  # bridge: allow BR305, BR318 we know\n"
    file = project.write("w.yaml", text)
    assert "BR329" not in fix(project, "--fix", "w.yaml").err
    assert file.read_text() == text
    assert project.run("check", "--simulate", "s.sim.yaml", "--fix", "w.yaml").code == 0
    assert file.read_text() == text.replace("  # bridge: allow BR305, BR318 we know", "")


@pytest.mark.parametrize("schema", [".schema/workflow.schema.json", "schemas/workflow.schema.json"])
@pytest.mark.parametrize(("file", "way"), [("w.yaml", ""), ("sub/w.yaml", "../")])
def test_a_file_names_the_schema_that_the_project_has(project: Project, schema: str, file: str, way: str) -> None:
    project.write(schema, "{}")
    text = MISSPELT.replace("tsk", "task").replace("\n", "\r\n")
    path = project.write(file, text)
    assert fix(project, "--fix", file).err == "fixed 1 thing in 1 file\n"
    assert path.read_bytes().decode() == f"# yaml-language-server: $schema={way}{schema}\r\n{text}"
    assert fix(project, "--fix", file).err == "fixed nothing\n"


def test_a_schema_above_the_repository_is_none_of_the_project(project: Project) -> None:
    project.write("schemas/workflow.schema.json", "{}")
    (project.folder / "inner/.git").mkdir(parents=True)
    project.write("inner/w.yaml", MISSPELT.replace("tsk", "task"))
    assert fix(project, "--fix", "inner/w.yaml").err == "fixed nothing\n"


def test_options_that_exclude_each_other(project: Project) -> None:
    project.write("w.yaml", MISSPELT)
    assert fix(project, "--fix", "--diff", "w.yaml").code == 2
    assert fix(project, "--unsafe-fixes", "w.yaml").code == 2
    assert fix(project, "--diff", "--format", "json", "w.yaml").code == 2
    both = fix(project, "--diff", "--format", "json", "--output-file", "found.json", "w.yaml")
    assert (both.code, both.out[:3]) == (3, "---")


def test_the_examples_need_no_repair(project: Project) -> None:
    root = Path(__file__).parents[2]
    for file in sorted((root / "workflows").glob("*.yaml")):
        if not file.name.endswith((".sim.yaml", ".test.yaml")):
            project.write(f"workflows/{file.name}", file.read_text())
    assert fix(project, "--fix", "--unsafe-fixes").err == "fixed nothing\n"
