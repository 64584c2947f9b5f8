"""The examples in ``workflows/``: checked, and run whole on the simulator, with real tools, files, tests and git."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from runner.workflow.document import read_document

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / "workflows"
EXAMPLES = sorted(path for path in WORKFLOWS.glob("*.yaml") if path.name.count(".") == 1)
OF_US = sorted(
    path for path in WORKFLOWS.rglob("*.yaml") if not {"sample", ".schema"} & {*path.relative_to(WORKFLOWS).parts}
)
BIN = Path(sys.executable).parent
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false")


def run(*argv, cwd, code=0):
    """Run a command with the environment's own tools on PATH; its stdout."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "LMSTUDIO", "BRIDGE_RUN"))}
    env |= {"PATH": f"{BIN}{os.pathsep}{env.get('PATH', '')}", "NO_COLOR": "1"}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def place(tmp_path):
    """A scratch copy of the examples in a git repository with one commit; its simulated models take no time."""
    shutil.copytree(WORKFLOWS, tmp_path / "workflows", ignore=shutil.ignore_patterns("__pycache__"))
    for script in (tmp_path / "workflows").glob("*.sim.yaml"):
        text = script.read_text(encoding="utf-8")
        script.write_text(re.sub(r"\n    (first_token|tokens_per_second): .*", "", text), encoding="utf-8")
    (tmp_path / ".gitignore").write_text("__pycache__/\n.bridge/\n")
    for arguments in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "as it was")):
        run(*GIT, *arguments, cwd=tmp_path)
    return tmp_path


def simulated(place, name, *options):
    """The result of running an example on its script."""
    file, script = f"workflows/{name}.yaml", f"workflows/{name}.sim.yaml"
    return json.loads(run("bridge-run", file, "--simulate", script, "--output", "json", *options, cwd=place))


def events(place):
    (journal,) = (place / ".bridge" / "runs").glob("*/journal.jsonl")
    return [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("file", OF_US, ids=lambda path: str(path.relative_to(WORKFLOWS)))
def test_each_file_names_for_editors_the_schema_that_it_fits(file):
    read = read_document(str(file))
    way = read.text.split("\n", 1)[0].removeprefix("# yaml-language-server: $schema=")
    jsonschema.validate(read.data, json.loads((file.parent / way).read_text("utf-8")))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_how_to_edit_it_and_how_to_rehearse_it_and_has_a_test(example):
    assert example.read_text().startswith("# yaml-language-server: $schema=../schemas/workflow.schema.json\n")
    assert example.with_suffix(".sim.yaml").exists()
    assert example.with_suffix(".test.yaml").exists()


def test_the_examples_pass_the_strict_check():
    run("bridge-run", "check", "--offline", "--strict", "workflows", cwd=ROOT)


def test_the_tests_of_the_examples_pass():
    out = run("bridge-run", "test", "workflows", cwd=ROOT)
    assert re.search(r"^\d+ passed in", out, re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_way_through_an_example_can_be_walked(example):
    out = run("bridge-run", f"workflows/{example.name}", "--rehearse", cwd=ROOT)
    assert "·" not in out


def test_hello(place):
    result = simulated(place, "hello", "-i", "name=Ada")
    assert (result["status"], result["exit_code"]) == ("succeeded", 0)
    assert result["outputs"] == {"greet": "Hello Ada, good to see you."}
    assert result["steps"]["greet"]["model"] == "qwen/qwen3-4b"


def test_review_of_a_change(place):
    (place / "workflows/sample/timesheet.py").write_text("def totals(text):\n    return {}\n")
    result = simulated(place, "review")
    assert result["outputs"] == {
        "verdict": "change",
        "findings": [{"file": "workflows/sample/timesheet.py", "problem": "The new code path has no test."}],
    }
    assert result["steps"]["clarity"]["output"] == "workflows/sample/timesheet.py: reads well; no name misleads."


def test_review_without_a_change_asks_no_model(place):
    result = simulated(place, "review")
    assert (result["status"], result["outputs"]) == ("succeeded", {"verdict": None, "findings": None})
    assert {name: step["status"] for name, step in result["steps"].items()} == {
        "diff": "succeeded",
        "mistakes": "skipped",
        "clarity": "skipped",
        "summary": "skipped",
    }
    assert [event["type"] for event in events(place) if event["type"] == "model_asked"] == []


def test_refactor_really_edits_and_its_tests_really_judge(place):
    result = simulated(place, "refactor")
    assert (result["status"], result["outputs"]["targets"]) == ("succeeded", ["totals", "table"])
    assert [item["status"] for item in result["steps"]["fix"]["items"]] == ["succeeded", "succeeded"]

    assert run("git", "diff", "--name-only", cwd=place) == "workflows/sample/timesheet.py\n"
    run(sys.executable, "-m", "unittest", "discover", "-q", "-s", "workflows/sample", cwd=place)
    after = (place / "workflows/sample/timesheet.py").read_text()
    assert "def clock_minutes(" in after
    assert "sorted(minutes_per_project.items()" in after
    assert max(len(line) - len(line.lstrip()) for line in after.splitlines()) <= 12

    facts = events(place)
    edits = [fact["is_error"] for fact in facts if fact["type"] == "tool_returned" and fact["tool"] == "edit"]
    assert edits == [True, False, False, False, False]
    verdicts = [fact["exit_code"] for fact in facts if fact["type"] == "command_ran" and fact.get("expectation")]
    assert verdicts == [1, 0, 0]
    (diff,) = [fact for fact in facts if fact["type"] == "tool_returned" and fact["server"] == "git"]
    assert "+def clock_minutes(" in diff["text"]


def test_refactor_stops_before_any_edit_when_the_tests_fail_already(place):
    test = place / "workflows/sample/test_timesheet.py"
    test.write_text(test.read_text().replace('("writing", 255)', '("writing", 256)'))
    before = (place / "workflows/sample/timesheet.py").read_text()
    file, script = "workflows/refactor.yaml", "workflows/refactor.sim.yaml"
    out = run("bridge-run", file, "--simulate", script, "--output", "json", cwd=place, code=1)
    statuses = {name: step["status"] for name, step in json.loads(out)["steps"].items()}
    assert statuses == {"baseline": "failed", "survey": "succeeded", "fix": "skipped", "note": "skipped"}
    assert (place / "workflows/sample/timesheet.py").read_text() == before


def test_make_demo_leaves_a_diff_and_the_command_for_your_own_models(tmp_path):
    shutil.copytree(WORKFLOWS, tmp_path / "workflows", ignore=shutil.ignore_patterns("__pycache__"))
    out = run("sh", "workflows/demo.sh", cwd=tmp_path)
    assert "what they say is replayed from the recording" in out
    assert "\n+def clock_minutes(time: str, number: int) -> int:\n" in out
    assert "bridge-run workflows/refactor.yaml --model thinker=YOUR-MODEL --model coder=YOUR-MODEL\n" in out
