"""``action.yml`` and ``.pre-commit-hooks.yaml``: what is in them is run as GitHub and pre-commit would run it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kit.project import Project

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
WRONG = "version: 1\nname: wrong\nsteps: [{id: a, tsk: Go.}]\n"
DOUBTFUL = "version: 1\nname: doubtful\ninputs: {path: {type: string}}\nsteps: [{id: a, task: Go.}]\n"
FINE = "version: 1\nname: fine\nsteps: [{id: a, task: Go.}]\n"


def step(name: str) -> dict[str, Any]:
    (found,) = (one for one in ACTION["runs"]["steps"] if one.get("name") == name)
    return found


class Done:
    """A step of the action after it ran; ``outputs`` are what it set."""

    def __init__(self, project: Project, name: str, inputs: Mapping[str, str], env: Mapping[str, str]) -> None:
        given = {key: str(value.get("default", "")) for key, value in ACTION["inputs"].items()} | dict(inputs)
        assert given.keys() == ACTION["inputs"].keys()

        def filled(text: str) -> str:
            text = text.replace("${{ github.action_path }}", str(ROOT))
            return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], text)

        described = step(name)
        assert "${{" not in described["run"], "an input in a script could be a command"
        output = project.write("outputs.txt", "")
        temp = project.folder / "temp"
        temp.mkdir(exist_ok=True)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", described["run"]],
            cwd=project.folder / filled(described.get("working-directory", ".")),
            env={
                **project.environment,
                **{key: filled(value) for key, value in described["env"].items()},
                "GITHUB_OUTPUT": str(output),
                "RUNNER_TEMP": str(temp),
                **env,
            },
            capture_output=True,
            text=True,
        )
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())


def checked(project: Project, env: Mapping[str, str] | None = None, **inputs: str) -> Done:
    named = {name.replace("_", "-"): value for name, value in inputs.items()}
    return Done(project, "Check the workflows", named, env or {})


def test_the_action_has_the_form_that_github_wants() -> None:
    assert ACTION["runs"]["using"] == "composite"
    for one in ACTION["runs"]["steps"]:
        assert ("uses" in one) != ("run" in one)
        assert "run" not in one or one["shell"] == "bash"
    for value in ACTION["inputs"].values():
        assert isinstance(value["description"], str)
        assert isinstance(value["default"], str)
    named = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text()))
    assert named == set(ACTION["inputs"])


def test_what_is_installed_is_the_action_itself_unless_told_otherwise(project: Project, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    python = tools / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)

    def installed(**inputs: str) -> list[str]:
        env = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        done = Done(project, "Install bridge-run", inputs, env)
        assert done.code == 0, done.err
        return done.out.splitlines()

    pip = ["-m", "pip", "install", "--quiet"]
    assert installed() == [*pip, str(ROOT)]
    assert installed(version="1.2") == [*pip, "bridge-run==1.2"]
    assert installed(version="1.2", package="./my wheel.whl; id") == [*pip, "./my wheel.whl; id"]


def test_the_action_annotates_and_fails_by_warnings(project: Project) -> None:
    project.write("workflows/doubtful.yaml", DOUBTFUL)
    done = checked(project)
    assert (done.code, done.outputs) == (3, {"exit-code": "3"})
    assert done.out.startswith("::warning file=workflows/doubtful.yaml,line=3,")
    done = checked(project, strict="false")
    assert (done.code, done.outputs) == (0, {"exit-code": "0"})


def test_the_action_takes_paths_one_a_line_whatever_is_in_them(project: Project) -> None:
    project.write("a b.yaml", FINE)
    project.write("--strict.yaml", FINE)
    project.write("$(touch gone).yaml", FINE)
    done = checked(project, paths="a b.yaml  \n\n  --strict.yaml\r\n$(touch gone).yaml\n", format="json")
    assert json.loads(done.out)["files"] == ["a b.yaml", "--strict.yaml", "$(touch gone).yaml"]
    assert not (project.folder / "gone").exists()


def test_the_action_checks_against_the_lock_if_there_is_one(project: Project) -> None:
    project.write("workflows/fine.yaml", FINE)
    assert "offline: models were not looked for" in checked(project).err
    assert checked(project, locked="true").code == 2
    project.write("bridge.lock", "not a lock")
    assert "BR510" in checked(project).err
    assert checked(project, locked="false").code == 0


def test_the_action_finds_the_lock_above_as_the_check_does(project: Project) -> None:
    project.write(".git/HEAD", "")
    project.write("bridge.lock", "not a lock")
    project.write("a/b/workflows/fine.yaml", FINE)
    assert "BR510" in checked(project, working_directory="a/b").err
    project.write("a/.git", "gitdir: elsewhere")
    assert "offline: models were not looked for" in checked(project, working_directory="a/b").err


@pytest.mark.parametrize(
    ("name", "known"), [("strict", "true, false"), ("upload_sarif", "true, false"), ("locked", "true, false, auto")]
)
def test_the_action_takes_no_word_for_false_that_is_not(project: Project, name: str, known: str) -> None:
    project.write("workflows/doubtful.yaml", DOUBTFUL)
    done = checked(project, **{name: "yes"})
    assert (done.code, done.outputs) == (2, {"exit-code": "2"})
    assert done.out == f"::error title=bridge-run::the input `{name.replace('_', '-')}` is none of: {known}\n"


def test_the_action_writes_a_report_and_shows_the_text(project: Project) -> None:
    project.write("sub/workflows/wrong.yaml", WRONG)
    done = checked(project, working_directory="sub", format="junit", output_file="out/report.xml")
    assert done.code == 3
    assert "error[BR217]" in done.err
    assert "<failure" in (project.folder / "sub/out/report.xml").read_text()


def test_the_action_makes_a_sarif_file_for_the_upload_though_the_check_fails(project: Project) -> None:
    project.write("workflows/wrong.yaml", WRONG)
    done = checked(project, upload_sarif="true", format="text")
    assert (done.code, done.outputs["exit-code"]) == (3, "3")
    log = json.loads(Path(done.outputs["sarif"]).read_text())
    assert [one["ruleId"] for one in log["runs"][0]["results"]] == ["BR217"]
    upload = ACTION["runs"]["steps"][-1]
    assert upload["with"]["sarif_file"] == ACTION["outputs"]["sarif"]["value"] == "${{ steps.check.outputs.sarif }}"
    assert upload["if"].startswith("always() && ")


def test_a_check_that_could_not_begin_has_nothing_to_upload(project: Project) -> None:
    done = checked(project, upload_sarif="true")
    assert (done.code, done.outputs) == (2, {"exit-code": "2"})


# --- pre-commit -----------------------------------------------------------------------------------------------------


def hooked(project: Project, hook: str, *files: str, args: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run a hook with the files that it takes, as pre-commit does."""
    described = HOOKS[hook]
    taken = [
        name for name in files if re.search(described["files"], name) and not re.search(described["exclude"], name)
    ]
    done = project.run(*shlex.split(described["entry"])[1:], *args, *taken)
    return done.code, done.err


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_the_keys_that_pre_commit_wants(hook: str) -> None:
    described = HOOKS[hook]
    assert {"id", "name", "entry", "language", "files"} <= set(described)
    assert (described["language"], described["entry"].split()[0]) == ("python", "bridge-run")
    assert described["require_serial"] is True


def test_the_hook_checks_the_workflows_among_the_files_that_changed(project: Project) -> None:
    project.write("workflows/a/doubtful.yml", DOUBTFUL)
    project.write("workflows/x.test.yaml", "no workflow")
    project.write("other.yaml", "no workflow")
    names = ("workflows/a/doubtful.yml", "workflows/x.test.yaml", "other.yaml")
    code, said = hooked(project, "bridge-run-check", *names)
    assert (code, said.count("BR230")) == (0, 1)
    assert hooked(project, "bridge-run-check", *names, args=("--strict",))[0] == 3


def test_the_other_hook_repairs_them(project: Project) -> None:
    file = project.write("workflows/wrong.yaml", WRONG)
    assert hooked(project, "bridge-run-fix", "workflows/wrong.yaml")[0] == 0
    assert file.read_text() == WRONG.replace("tsk", "task")
