"""``bridge-run init``: a first project that passes all that it is checked by."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from kit.project import Project
from kit.stage import CODER, Stage, model

from runner.workflow.schema import schema_text

WRITTEN = [
    "workflows/hello.yaml",
    "workflows/hello.test.yaml",
    "workflows/.schema/workflow.schema.json",
    "workflows/.schema/test.schema.json",
    "bridge.toml",
]


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_a_first_project_says_what_it_wrote_and_what_to_do(project: Project) -> None:
    ended = project.run("init", "--no-lock")
    assert (ended.code, ended.out) == (
        0,
        "".join(f"wrote    {name}\n" for name in [*WRITTEN, ".github/workflows/bridge-run.yml", ".gitignore"]),
    )
    assert ended.err == (
        "\nNow:\n"
        "  bridge-run test                      the tests; no model is needed\n"
        "  bridge-run workflows/hello.yaml      the workflow, on the model that your server has loaded\n"
        "  bridge-run check                     after every change of a workflow\n"
    )
    assert (project.folder / ".gitignore").read_text() == ".bridge/\n"


def test_it_passes_its_own_checks_tests_and_rehearsal(project: Project) -> None:
    project.run("init", "--no-lock")
    assert project.run("check", "--offline", "--strict").out.startswith("1 workflow checked, nothing to complain about")
    assert project.run("check", "--offline", "--fix").err == "fixed nothing\n"
    ended = project.run("test")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "1 passed in 0.0s")
    assert project.run("workflows/hello.yaml", "--rehearse").code == 0


def test_its_lines_for_editors_lead_to_the_schemas_that_the_files_fit(project: Project) -> None:
    project.run("init", "--no-lock")
    for name, schema in (("hello.yaml", "workflow"), ("hello.test.yaml", "test")):
        text = (project.folder / "workflows" / name).read_text()
        first = text.split("\n", 1)[0]
        path = project.folder / "workflows" / first.removeprefix("# yaml-language-server: $schema=")
        assert json.loads(path.read_text()) == json.loads(schema_text(schema))
        jsonschema.validate(yaml.safe_load(text), json.loads(path.read_text()))


def test_nothing_that_is_there_is_written_over(project: Project) -> None:
    project.write("workflows/hello.yaml", "version: 1\nname: mine\nsteps: [{id: a, task: Go.}]\n")
    project.write("bridge.toml", "# mine\n")
    project.write(".gitignore", "*.pyc\r\nbuild")
    before = files(project.folder)
    ended = project.run("init", "--no-lock")
    assert ended.code == 0
    assert "left     workflows/hello.yaml  (it is there already)\n" in ended.out
    assert "left     bridge.toml  (it is there already)\n" in ended.out
    assert ended.out.endswith("changed  .gitignore  (one more line: `.bridge/`)\n")
    after = files(project.folder)
    assert after.pop(".gitignore") == before.pop(".gitignore") + b"\r\n.bridge/\r\n"
    assert before.items() <= after.items()


def test_what_is_there_goes_on_to_work(project: Project) -> None:
    project.write("workflows/hello.yaml", "version: 1\nname: mine\nsteps: [{id: a, task: Go.}]\n")
    project.write("pyproject.toml", '[tool.bridge-run]\ndefault_model = "qwen/qwen3-8b"\n')
    project.write(".git/HEAD", "")
    ended = project.run("init", "--no-lock")
    assert ended.code == 0, ended.err
    own = "workflows/hello.yaml is not the one that it tests"
    assert f"left     workflows/hello.test.yaml  ({own})\n" in ended.out
    settings = "has the settings, and would not be read any more"
    assert f"left     bridge.toml  (pyproject.toml {settings})\n" in ended.out
    assert project.run("check", "--offline", "--strict").code == 0
    assert f"left     part/bridge.toml  (../pyproject.toml {settings})\n" in project.run("init", "part").out
    project.write("pyproject.toml", "[tool.bridge-run]\n[[\n")
    ended = project.run("init", "--no-lock")
    assert f"left     bridge.toml  (pyproject.toml {settings})\n" in ended.out
    assert (ended.code, "error[BR501]" in ended.err) == (3, True)


def test_a_ci_file_where_nobody_reads_it_is_told(project: Project) -> None:
    project.write(".git/HEAD", "")
    ended = project.run("init", "a b/c", "--no-lock")
    assert ended.err.startswith(
        "\na b/c/.github/workflows/bridge-run.yml is read at the root of the repository only: move it there, as "
        ".github/workflows/bridge-run.yml, and let its commands begin with `cd 'a b/c'`\n\nNow:\n"
    )
    assert project.run("init", "--no-lock").err.startswith("\nNow:\n")
    assert project.run("init", "d", "--no-lock", "--ci", "none").err.startswith("\nNow:\n")


def test_a_second_time_changes_nothing(project: Project) -> None:
    project.run("init", "--no-lock")
    before = files(project.folder)
    ended = project.run("init", "--no-lock")
    assert ended.code == 0
    assert all(line.startswith("left ") for line in ended.out.splitlines())
    assert ended.out.endswith("left     .gitignore  (it has the line `.bridge/`)\n")
    assert files(project.folder) == before


def test_a_file_of_somebody_that_is_wrong_is_told(project: Project) -> None:
    project.write("workflows/hello.yaml", "version: 1\nname: mine\nsteps: []\n")
    ended = project.run("init", "--no-lock")
    assert ended.code == 3
    assert "--> workflows/hello.yaml" in ended.err


def test_another_folder_is_made(project: Project) -> None:
    ended = project.run("init", "a b/c", "--ci", "none", "--no-lock")
    assert (ended.code, ended.out) == (0, "".join(f"wrote    a b/c/{name}\n" for name in [*WRITTEN, ".gitignore"]))
    assert "\nNow:\n  cd 'a b/c'\n" in ended.err


def test_what_cannot_be_written_is_told(project: Project) -> None:
    project.write("workflows", "a file")
    ended = project.run("init")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: cannot write `workflows/hello.yaml`: ")
    project.write("other/.gitignore/x", "")
    ended = project.run("init", "other")
    assert (ended.code, ended.err.split("\n")[0]) == (2, "error: cannot write `other/.gitignore`: Is a directory")


def test_without_a_model_server_it_says_how_to_get_a_lock(project: Project) -> None:
    ended = project.run("init")
    assert ended.code == 0
    assert not (project.folder / "bridge.lock").exists()
    assert ended.err.startswith("no bridge.lock yet: write it with `bridge-run lock` where a model server runs")


def test_with_a_model_server_there_is_a_lock_and_the_files_pass_by_it(project: Project, stage: Stage) -> None:
    stage.serve({CODER: model(loaded=True)})
    ended = project.run("init")
    assert ended.out.endswith("bridge.lock: 1 model, 0 tool servers with 0 tools\n")
    project.environment["BRIDGE_RUN_ENDPOINT"] = "http://127.0.0.1:9"
    assert project.run("check", "--locked", "--strict").code == 0
    assert "left     bridge.lock  (it is there already)\n" in project.run("init").err


# --- the CI files ---------------------------------------------------------------------------------------------------


def shell_of(ci: str, read: Any) -> list[str]:
    """The commands of a CI file, less the one that installs."""
    if ci == "github":
        (job,) = read["jobs"].values()
        commands = [step["run"] for step in job["steps"] if "run" in step]
    else:
        commands = read["workflows"]["script"]
    assert "pip install 'bridge-run==" in commands[0]
    return commands[1:]


@pytest.mark.parametrize(("ci", "name"), [("github", ".github/workflows/bridge-run.yml"), ("gitlab", ".gitlab-ci.yml")])
def test_the_commands_of_the_ci_files_pass(project: Project, ci: str, name: str) -> None:
    project.run("init", "--ci", ci, "--no-lock")
    read = yaml.safe_load((project.folder / name).read_text())
    script = "set -e\n" + "\n".join(shell_of(ci, read))
    done = subprocess.run(
        ["sh", "-c", script], cwd=project.folder, env=project.environment, capture_output=True, text=True
    )
    said = done.stderr.replace("offline: models were not looked for\n", "")
    assert (done.returncode, said) == (0, "wrote test-report.xml\n")
    assert (project.folder / "test-report.xml").is_file()
    project.write("workflows/wrong.yaml", "version: 1\nname: wrong\nsteps: []\n")
    done = subprocess.run(
        ["sh", "-c", script], cwd=project.folder, env=project.environment, capture_output=True, text=True
    )
    assert done.returncode == 3
