"""The pytest plugin, as a project of a user's has it: a process of pytest in a folder of its own."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from kit.project import Project

FLOW = """version: 1
name: flow
inputs: {base: {type: string, default: main}}
steps:
  - {id: diff, run: [git, diff, "{{ inputs.base }}"]}
  - {id: sum, when: steps.diff.output | length > 0, task: "Sum up {{ steps.diff.output }}"}
outputs: {sum: "{{ steps.sum.output }}"}
"""
CASES = """workflow: flow.yaml
cases:
  - {name: a change is summed up, stubs: {diff: x, sum: Good.}, expect: {outputs: {sum: Good.}}, snapshot: true}
  - {name: nothing changed, stubs: {diff: ""}, expect: {outputs: {sum: null}}}
"""


@pytest.fixture
def tested(project: Project) -> Project:
    project.write("flows/flow.yaml", FLOW)
    project.write("flows/flow.test.yaml", CASES)
    project.write("pytest.ini", "[pytest]\naddopts = -p no:cacheprovider\n")
    return project


def run_pytest(project: Project, *arguments: str, at: str = ".") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "runner.pytest_plugin", "-q", *arguments],
        cwd=project.folder / at,
        env={**project.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_cases_are_items_with_the_words_of_the_command(tested: Project) -> None:
    done = run_pytest(tested)
    assert done.returncode == 1, done.stdout + done.stderr
    assert (
        "a change is summed up: it has no snapshot yet\n"
        "  --> flows/flow.test.yaml:3\n"
        "  `pytest --workflow-snapshot-update` writes `flows/__snapshots__/flow.a-change-is-summed-up.txt`\n"
    ) in done.stdout
    assert "Traceback" not in done.stdout
    assert "1 failed, 1 passed" in done.stdout
    assert run_pytest(tested, "--workflow-snapshot-update").returncode == 0
    assert run_pytest(tested, "--workflow-repeat", "3").returncode == 0
    assert tested.run("test").code == 0, "both write and read the same snapshots"


def test_junit_comes_from_pytest(tested: Project) -> None:
    run_pytest(tested, "--junit-xml", "report.xml")
    suite = ET.parse(tested.folder / "report.xml").getroot()[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "2",
        "failures": "1",
        "errors": "0",
    }


def test_an_unused_snapshot_and_a_broken_file_fail(tested: Project) -> None:
    run_pytest(tested, "--workflow-snapshot-update")
    old = tested.write("flows/__snapshots__/flow.of-old.txt", "old\n")
    done = run_pytest(tested)
    assert "unused snapshots: no case uses this snapshot\n  --> flows/__snapshots__/flow.of-old.txt\n" in done.stdout
    assert "delete it, or run `pytest --workflow-snapshot-update`\n" in done.stdout
    done = run_pytest(tested, "--snapshot-update")
    assert (done.returncode, old.exists()) == (0, False)
    assert "deleted flows/__snapshots__/flow.of-old.txt\n" in done.stdout, "what was written is said of what passes"
    tested.write("flows/bad.test.yaml", "workflow: flow.yaml\nexpct: {}\n")
    done = run_pytest(tested)
    assert done.returncode == 2
    assert "error[BR217]: the test: unknown key `expct`" in done.stdout
    assert " --> flows/bad.test.yaml:2:1" in done.stdout


def test_snapshots_of_a_test_file_that_is_gone_fail_until_they_are_deleted(tested: Project) -> None:
    run_pytest(tested, "--workflow-snapshot-update")
    tested.write("flows/new.test.yaml", CASES)
    (tested.folder / "flows/flow.test.yaml").unlink()
    done = run_pytest(tested, "--workflow-snapshot-update", "flows/new.test.yaml")
    assert "wrote flows/__snapshots__/new.a-change-is-summed-up.txt\n" in done.stdout
    done = run_pytest(tested)
    assert "  --> flows/__snapshots__/flow.a-change-is-summed-up.txt\n" in done.stdout
    assert "1 failed, 2 passed" in done.stdout
    assert run_pytest(tested, "flows/new.test.yaml").returncode == 0
    assert run_pytest(tested, "--workflow-snapshot-update").returncode == 0
    assert [path.name for path in (tested.folder / "flows/__snapshots__").iterdir()] == [
        "new.a-change-is-summed-up.txt"
    ]


def test_two_test_files_do_not_share_a_snapshot(tested: Project) -> None:
    tested.write("flows/flow.test.yml", CASES)
    done = run_pytest(tested)
    assert done.returncode == 2
    assert (
        "error[BR220]: `flows/__snapshots__/flow.a-change-is-summed-up.txt` is the snapshot of "
        "`flows/flow.test.yaml::a change is summed up` already\n"
    ) in done.stdout


@pytest.mark.parametrize("times", ["0", "-1", "101", "x"])
def test_cases_are_repeated_so_often_as_the_command_does(tested: Project, times: str) -> None:
    done = run_pytest(tested, f"--workflow-repeat={times}")
    assert done.returncode == 4
    assert f"argument --workflow-repeat: `{times}` is not a whole number from 1 to 100" in done.stderr


def test_a_test_in_python_runs_a_workflow_and_compares_it_with_its_snapshot(tested: Project) -> None:
    tested.write(
        "test_flow.py",
        "def test_it(workflow_run, snapshot):\n"
        "    run = workflow_run('flows/flow.yaml', base='dev', stubs={'sum': 'Good.'})\n"
        "    assert (run.status, run.outputs, run.calls) == ('succeeded', {'sum': 'Good.'}, ())\n"
        "    assert run.steps['diff']['status'] == 'succeeded'\n"
        "    assert run == snapshot\n"
        "\n"
        "def test_in_a_file(workflow_run, workflow_snapshot):\n"
        "    assert workflow_run('flows/flow.yaml', stubs={'diff': ''}) == workflow_snapshot\n",
    )
    done = run_pytest(tested, "test_flow.py", "--snapshot-update")
    assert done.returncode == 0, done.stdout
    assert '    - command ["git", "diff", "dev"] → exit code 0\n' in (
        tested.folder / "__snapshots__/test_flow.ambr"
    ).read_text("utf-8")
    picture = (tested.folder / "__snapshots__/test_flow/test_in_a_file.run").read_text("utf-8")
    assert picture.startswith(
        "workflow: flow\nstatus: succeeded, exit code 0\ninputs:\n  base: main\n\ndiff: succeeded\n"
    )
    assert run_pytest(tested, "test_flow.py").returncode == 0
    tested.write("flows/flow.yaml", FLOW.replace("git, diff", "git, show"))
    assert "2 failed" in run_pytest(tested, "test_flow.py").stdout


def test_what_is_wrong_with_a_call_is_told_without_a_traceback(tested: Project) -> None:
    tested.write("test_flow.py", "def test_it(workflow_run):\n    workflow_run('flows/flow.yaml', stubs={'smu': 1})\n")
    done = run_pytest(tested, "test_flow.py")
    assert done.returncode == 1
    assert (
        "error[BR217]: the workflow has no step `smu`\n --> stubs:1:2\n  = help: did you mean `sum`?\n" in done.stdout
    )
    assert "During handling" not in done.stdout


def test_syrupy_leaves_the_snapshots_of_test_files_alone(tested: Project) -> None:
    python = (
        "def test_it(workflow_run, snapshot):\n    assert workflow_run('flows/flow.yaml').status == snapshot\n\n"
        "def test_in_a_file(workflow_run, workflow_snapshot):\n"
        "    assert workflow_run('flows/flow.yaml') == workflow_snapshot\n"
    )
    tested.write("flows/test_flow.py", python)
    kept = tested.folder / "flows/__snapshots__/flow.a-change-is-summed-up.txt"
    for _ in "12":
        done = run_pytest(tested, "--snapshot-update")
        assert (done.returncode, kept.exists()) == (0, True), done.stdout
    done = run_pytest(tested)
    assert done.returncode == 0, done.stdout
    assert "unused" not in done.stdout
    tested.write("flows/test_flow.py", python.partition("\n\n")[0] + "\n")
    done = run_pytest(tested)
    assert done.returncode == 1
    assert "1 snapshot unused" in done.stdout, "its own it still looks after"


def test_a_workflow_is_started_at_the_root_wherever_pytest_is_typed(tested: Project) -> None:
    there = tested.folder / "a"
    tested.write("flows/flow.test.yaml", f"workflow: flow.yaml\ninputs: {{base: {there}}}\nsnapshot: true\n")
    tested.write(
        "flows/test_flow.py",
        "def test_it(workflow_run, tmp_path, monkeypatch):\n"
        f"    assert '[\"git\", \"diff\", \"PROJECT/a\"]' in workflow_run('flows/flow.yaml', base='{there}').snapshot\n"
        "    monkeypatch.chdir(tmp_path)\n"
        f"    assert 'PROJECT' not in workflow_run('flows/flow.yaml', base='{there}').snapshot\n",
    )
    assert run_pytest(tested, "--workflow-snapshot-update").returncode == 0
    for at, arguments in (("flows", []), ("..", [str(tested.folder)])):
        done = run_pytest(tested, *arguments, at=at)
        assert "2 passed" in done.stdout, done.stdout
        assert done.returncode == 0


def test_stubs_beside_a_recording_are_not_passed_over(tested: Project) -> None:
    tested.write(
        "test_flow.py",
        "def test_it(workflow_run):\n    workflow_run('flows/flow.yaml', stubs={'sum': '1'}, recording='a.jsonl')\n",
    )
    done = run_pytest(tested, "test_flow.py")
    assert done.returncode == 1
    assert "error: `stubs` and `recording` exclude each other\n" in done.stdout


def test_the_plugin_costs_nothing_where_no_test_file_is(tested: Project) -> None:
    tested.write(
        "test_flow.py",
        "import sys\n\ndef test_it():\n"
        "    assert [name for name in sys.modules if name.startswith('runner.')] == ['runner.pytest_plugin']\n",
    )
    done = run_pytest(tested, "test_flow.py")
    assert done.returncode == 0, done.stdout
