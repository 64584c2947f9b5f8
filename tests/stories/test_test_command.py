"""``bridge-run test``: cases of workflows, with stubs, expectations and snapshots."""

from __future__ import annotations

import os
import signal
import xml.etree.ElementTree as ET

import pytest
from kit.project import Project, wait_until

FLOW = """version: 1
name: flow
inputs: {path: {type: string, default: src}}
mcp_servers: {files: {builtin: files, root: "{{ inputs.path }}"}}
steps:
  - {id: look, tool: files.read, arguments: {path: a.py}}
  - id: rate
    task: "Rate {{ steps.look.output }}"
    output: {type: object, required: [score], properties: {score: {type: integer}, why: {type: string}}}
  - {id: gate, approve: "Ship {{ steps.rate.output.score }}?"}
  - {id: ship, when: steps.gate.output == 'yes', run: [ship-it, "{{ inputs.path }}"]}
outputs: {score: "{{ steps.rate.output.score }}", shipped: "{{ steps.ship.status }}"}
"""
CASES = """workflow: flow.yaml
inputs: {path: lib}
stubs: {look: "x = 1"}
cases:
  - name: a good one is shipped
    stubs: {rate: {score: 9}}
    answers: {gate: "yes"}
    expect:
      status: succeeded
      outputs: {score: 9, shipped: succeeded}
      outputs_schema: {required: [score]}
      steps: {ship: {status: succeeded}, rate: {output_schema: {required: [score]}, error: null}}
      calls: [{tool: files.read, arguments: {path: a.py}}]
    snapshot: true
  - name: nobody answers
    expect: {status: paused, exit_code: 8, steps: {gate: {status: waiting}}, calls: [files.read]}
"""
TWICE = tuple(f"  - {{name: {name}, snapshot: same.txt}}\n" for name in ("one", "two"))


@pytest.fixture
def tested(project: Project) -> Project:
    project.write("flows/flow.yaml", FLOW)
    project.write("flows/flow.test.yaml", CASES)
    return project


def test_cases_pass_one_line_each_and_leave_the_checkout_alone(tested: Project) -> None:
    assert tested.run("test", "--update").code == 0
    before = sorted(path for path in tested.folder.rglob("*"))
    ended = tested.run("test", "flows", env={"PATH": "/nowhere"})
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        "flows/flow.test.yaml::a good one is shipped  passed\n"
        "flows/flow.test.yaml::nobody answers         passed\n"
        "2 passed in  0.0s\n"
    ).replace("  0.0s", " 0.0s")
    assert sorted(path for path in tested.folder.rglob("*")) == before


def test_a_snapshot_holds_what_the_run_did_and_no_path_of_this_machine(tested: Project) -> None:
    tested.run("test", "--update")
    picture = (tested.folder / "flows/__snapshots__/flow.a-good-one-is-shipped.txt").read_text("utf-8")
    assert picture == (
        "workflow: flow\n"
        "status: succeeded, exit code 0\n"
        "inputs:\n"
        "  path: lib\n"
        "\n"
        "look: succeeded\n"
        "  did:\n"
        '    - files.read {"path": "a.py"}\n'
        "  output: x = 1\n"
        "\n"
        "rate: succeeded\n"
        "  model: rehearsed-model\n"
        "  output:\n"
        "    score: 9\n"
        "\n"
        "gate: succeeded\n"
        "  did:\n"
        '    - answered "yes"\n'
        '  output: "yes"\n'
        "\n"
        "ship: succeeded\n"
        "  did:\n"
        '    - command ["ship-it", "lib"] → exit code 0\n'
        '  output: "[output of ship]"\n'
        "\n"
        "outputs:\n"
        "  score: 9\n"
        "  shipped: succeeded\n"
    )


def test_what_was_expected_what_came_and_where_it_stands(tested: Project) -> None:
    tested.write(
        "flows/wrong.test.yaml",
        """workflow: flow.yaml
stubs: {rate: {score: 3, why: short}}
answers: {gate: "no"}
expect:
  status: failed
  outputs:
    score: 9
    other: 1
  steps:
    rate: {output: {score: 3, why: long}, items: 2}
    ship:
      status: succeeded
      error: command
    shop: {status: failed}
  calls: [files.list]
  warnings: [nothing]
""",
    )
    ended = tested.run("test", "flows/wrong.test.yaml")
    assert ended.code == 1
    listing, _, rest = ended.out.partition("\n\n")
    assert listing == "flows/wrong.test.yaml::wrong  FAILED"
    blocks = rest.split("\n\n")
    assert blocks[-1].startswith("1 failed in")
    assert blocks[0] == ('wrong: status\n  --> flows/wrong.test.yaml:5\n  expected: "failed"\n  got:      "succeeded"')
    assert [tuple(line.strip() for line in block.splitlines()[:4]) for block in blocks[1:-1]] == [
        ("wrong: outputs.score", "--> flows/wrong.test.yaml:7", "expected: 9", "got:      3"),
        (
            "wrong: outputs.other",
            "--> flows/wrong.test.yaml:8",
            "expected: 1",
            "got:      no such key, only `score`, `shipped`",
        ),
        ("wrong: rate.output.why", "--> flows/wrong.test.yaml:10", 'expected: "long"', 'got:      "short"'),
        ("wrong: rate.items", "--> flows/wrong.test.yaml:10", "expected: 2", "got:      null"),
        ("wrong: ship.status", "--> flows/wrong.test.yaml:12", 'expected: "succeeded"', 'got:      "skipped"'),
        ("wrong: ship.error", "--> flows/wrong.test.yaml:13", 'expected: "command"', "got:      null"),
        (
            "wrong: step shop",
            "--> flows/wrong.test.yaml:14",
            "expected: a step of that name",
            "got:      the steps `look`, `rate`, `gate`, `ship`",
        ),
        ("wrong: calls", "--> flows/wrong.test.yaml:15", 'expected: ["files.list"]', 'got:      ["files.read"]'),
        ("wrong: a warning", "--> flows/wrong.test.yaml:16", "expected: … nothing …", "got:      []"),
    ]


def test_a_changed_run_differs_from_its_snapshot_until_it_is_updated(tested: Project) -> None:
    ended = tested.run("test")
    assert ended.code == 1
    assert "a good one is shipped: it has no snapshot yet\n  --> flows/flow.test.yaml:14\n" in ended.out
    assert tested.run("test", "--update").code == 0
    tested.write("flows/flow.yaml", FLOW.replace("ship-it", "ship-them"))
    ended = tested.run("test")
    assert ended.code == 1
    assert '  -    - command ["ship-it", "lib"] → exit code 0\n' in ended.out
    assert '  +    - command ["ship-them", "lib"] → exit code 0\n' in ended.out
    ended = tested.run("test", "--update")
    assert ended.code == 0
    assert "changed flows/__snapshots__/flow.a-good-one-is-shipped.txt\n" in ended.out
    assert "1 passed, 1 updated in" in ended.out
    assert tested.run("test").code == 0


def test_a_case_that_misses_what_is_expected_writes_no_snapshot(tested: Project) -> None:
    tested.write("flows/flow.test.yaml", CASES.replace("status: succeeded\n", "status: failed\n", 1))
    ended = tested.run("test", "--update")
    assert ended.code == 1
    assert "  nothing is written while the case fails for something else\n" in ended.out
    assert not (tested.folder / "flows/__snapshots__").exists()


def test_a_snapshot_that_no_case_uses_fails_until_it_is_deleted(tested: Project) -> None:
    tested.run("test", "--update")
    old = tested.write("flows/__snapshots__/flow.of-old.txt", "old\n")
    other = tested.write("flows/__snapshots__/another.txt", "of somebody else\n")
    ended = tested.run("test")
    assert ended.code == 1
    assert "unused snapshots: no case uses this snapshot\n  --> flows/__snapshots__/flow.of-old.txt\n" in ended.out
    assert tested.run("test", "-k", "nobody").code == 0
    assert "deleted flows/__snapshots__/flow.of-old.txt\n" in tested.run("test", "--update").out
    assert (old.exists(), other.exists()) == (False, True)


def test_snapshots_of_a_test_file_that_is_gone_fail_until_they_are_deleted(tested: Project) -> None:
    tested.run("test", "--update")
    other = tested.write("flows/__snapshots__/another.txt", "of somebody else\n")
    (tested.folder / "flows/flow.test.yaml").rename(tested.folder / "flows/new.test.yaml")
    assert tested.run("test", "flows/new.test.yaml", "--update").code == 0
    ended = tested.run("test")
    assert ended.code == 1
    stray = "flows/__snapshots__/flow.a-good-one-is-shipped.txt"
    assert f"unused snapshots: no case uses this snapshot\n  --> {stray}\n" in ended.out
    assert "  delete it, or run `bridge-run test --update`\n" in ended.out
    assert tested.run("test", "flows/new.test.yaml").code == 0, (
        "of a folder only part of which is named nothing is said"
    )
    assert f"deleted {stray}\n" in tested.run("test", "flows", "--update").out
    assert tested.run("test").code == 0
    assert sorted(path.name for path in other.parent.iterdir()) == ["another.txt", "new.a-good-one-is-shipped.txt"]


def test_each_snapshot_is_of_one_case(tested: Project) -> None:
    tested.write("flows/one.test.yaml", "workflow: flow.yaml\nsnapshot: __snapshots__/flow.a-good-one-is-shipped.txt\n")
    tested.write("flows/two.test.yaml", "workflow: flow.yaml\ncases:\n" + "".join(TWICE))
    ended = tested.run("test", "--update")
    assert (ended.code, ended.out) == (3, "")
    assert "error[BR220]: `flows/same.txt` is the snapshot of `flows/two.test.yaml::one` already\n" in ended.err
    (tested.folder / "flows/two.test.yaml").unlink()
    ended = tested.run("test", "--update")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith(
        "error[BR220]: `flows/__snapshots__/flow.a-good-one-is-shipped.txt` is the snapshot of "
        "`flows/flow.test.yaml::a good one is shipped` already\n --> flows/one.test.yaml:2:1\n"
    )


def test_what_is_no_snapshot_is_not_written_over(tested: Project) -> None:
    tested.write("flows/flow.test.yaml", "workflow: flow.yaml\nanswers: {gate: 'yes'}\nsnapshot: flow.yaml\n")
    ended = tested.run("test", "--update")
    assert ended.code == 3
    assert "error: `flows/flow.yaml` is no snapshot of a run, so it is not written over\n" in ended.out
    assert (tested.folder / "flows/flow.yaml").read_text("utf-8") == FLOW


def test_a_case_with_a_long_name_has_a_snapshot(tested: Project) -> None:
    name = "all that this case is about " * 12
    tested.write("flows/flow.test.yaml", f"workflow: flow.yaml\ncases:\n  - {{name: {name}, snapshot: true}}\n")
    assert tested.run("test", "--update").code == 0
    assert tested.run("test").code == 0


def test_a_run_that_differs_from_time_to_time_is_unstable(tested: Project) -> None:
    tested.write("flows/flow.test.yaml", "workflow: flow.yaml\nanswers: {gate: 'yes'}\n")
    ended = tested.run("test", "--repeat", "3")
    assert (ended.code, ended.out.splitlines()[0]) == (0, "flows/flow.test.yaml::flow  passed")


def test_one_case_is_chosen_by_a_part_of_its_name(tested: Project) -> None:
    ended = tested.run("test", "-k", "NOBODY")
    assert ended.out.splitlines()[0] == "flows/flow.test.yaml::nobody answers  passed"
    told = "flows/flow.test.yaml::nobody answers"
    assert tested.run("test", told).err == (
        f"error: there is no file `{told}`\n"
        f"  = help: `bridge-run test flows/flow.test.yaml -k '{told}'` runs one case\n"
    )
    ended = tested.run("test", "-k", "nothing like it")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == ("error: no case has `nothing like it` in its name\n  = help: leave `-k` out to see them all\n")


def test_the_junit_report_has_a_suite_a_file_and_the_words_of_failures(tested: Project) -> None:
    tested.write("flows/broken.test.yaml", "workflow: no.yaml\n")
    ended = tested.run("test", "--junit", "report.xml")
    assert (ended.code, ended.err) == (3, "wrote report.xml\n")
    root = ET.parse(tested.folder / "report.xml").getroot()
    assert {key: root.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
    }
    assert [suite.get("name") for suite in root] == ["flows/broken.test.yaml", "flows/flow.test.yaml"]
    assert root[1][0][0].get("message") == "it has no snapshot yet"
    assert "there is no workflow file `flows/no.yaml`" in (root[0][0][0].text or "")


def test_a_test_file_that_is_at_fault_names_every_line(tested: Project) -> None:
    tested.write(
        "flows/bad.test.yaml",
        "workflow: flow.yaml\nexpect: {status: done, outcome: 1}\nstub: {}\n",
    )
    tested.write("flows/worse.test.yaml", "cases:\n  - {name: A b}\n  - {name: a-b, workflow: flow.yaml, stubs: {}}\n")
    ended = tested.run("test")
    assert (ended.code, ended.out) == (3, "")
    heads = [line for line in ended.err.splitlines() if line.startswith(("error", " -->"))]
    assert heads == [
        "error[BR220]: expect.status: expected `succeeded`, `failed`, `cancelled` or `paused`, got `done`",
        " --> flows/bad.test.yaml:2:10",
        "error[BR217]: expect: unknown key `outcome`",
        " --> flows/bad.test.yaml:2:24",
        "error[BR217]: the test: unknown key `stub`",
        " --> flows/bad.test.yaml:3:1",
        "error[BR218]: the test names no workflow",
        " --> flows/worse.test.yaml:2:5",
        "error[BR220]: a case before is called `A b` as well, or nearly so",
        " --> flows/worse.test.yaml:3:6",
    ]


def test_a_report_says_that_a_test_file_is_at_fault(tested: Project) -> None:
    tested.write("flows/bad.test.yaml", "workflow: flow.yaml\nexpct: {}\n")
    ended = tested.run("test", "--junit", "report.xml")
    assert (ended.code, ended.out) == (3, "")
    (suite,) = ET.parse(tested.folder / "report.xml").getroot()
    assert (suite.get("name"), suite.get("errors")) == ("flows/bad.test.yaml", "1")
    assert suite[0][0].get("message") == "BR217: the test: unknown key `expct`"
    assert suite[0][0].text == "flows/bad.test.yaml:2\nhelp: did you mean `expect`?"


def test_a_workflow_that_is_at_fault_is_shown_unless_that_is_expected(tested: Project) -> None:
    tested.write("flows/flow.yaml", FLOW.replace("steps.gate", "steps.gaet"))
    tested.write("flows/flow.test.yaml", "workflow: flow.yaml\n")
    ended = tested.run("test")
    assert ended.code == 3
    assert "flow: it cannot be run\n  --> flows/flow.test.yaml:1\n" in ended.out
    assert "did you mean `gate`?" in ended.out
    tested.write("flows/flow.test.yaml", "workflow: flow.yaml\nexpect: {exit_code: 3}\n")
    assert tested.run("test").code == 0
    tested.write("flows/flow.test.yaml", "workflow: flow.yaml\nexpect: {exit_code: 3, calls: []}\nsnapshot: true\n")
    ended = tested.run("test")
    assert ended.code == 1
    assert "flow: `calls` cannot be judged: the run never began\n  --> flows/flow.test.yaml:2\n" in ended.out
    assert "flow: `snapshot` cannot be judged: the run never began\n  --> flows/flow.test.yaml:3\n" in ended.out


def test_a_run_that_fails_where_nothing_is_expected_fails_the_case(tested: Project) -> None:
    tested.write("flows/flow.test.yaml", "workflow: flow.yaml\nstubs: {look: {fail: tool, message: gone}}\n")
    ended = tested.run("test")
    assert ended.code == 1
    assert (
        "flow: the run ended with exit code 1\n"
        "  --> flows/flow.test.yaml\n"
        "  `look` failed (tool): files.read failed: gone\n"
    ) in ended.out


def test_stubs_may_lie_in_a_file_and_those_of_the_case_are_all_used(tested: Project) -> None:
    tested.write("flows/good.stubs.yaml", "rate: {score: 7}\nship: shipped\n")
    tested.write(
        "flows/flow.test.yaml",
        "workflow: flow.yaml\nstubs: good.stubs.yaml\ncases:\n"
        "  - {name: of a file, answers: {gate: 'no'}, expect: {outputs: {score: 7}}}\n"
        "  - name: of its own\n    stubs: {rate: {score: 1}, ship: never}\n    answers: {gate: 'no'}\n"
        "    expect: {outputs: {score: 1}}\n",
    )
    ended = tested.run("test")
    assert ended.code == 1
    assert ended.out.splitlines()[0] == "flows/flow.test.yaml::of a file   passed"
    assert "of its own: the stub of `ship` was never used\n  --> flows/flow.test.yaml:6\n" in ended.out


def test_without_a_test_file_there_is_nothing_to_run(project: Project) -> None:
    project.write("flow.yaml", FLOW)
    ended = project.run("test")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: there is no test file in this folder\n"
        "  = help: a test file ends in .test.yaml; `bridge-run schema test` says what it holds\n"
    )
    ended = project.run("test", "flow.tset.yaml")
    assert (ended.code, ended.err) == (2, "error: there is no file `flow.tset.yaml`\n")


def test_a_case_may_replay_a_recording_and_says_what_changed_since(tested: Project) -> None:
    project = tested
    project.write(
        "ask.yaml", "version: 1\nname: ask\nsteps:\n  - {id: ask, model: tiny, task: Name a colour., timeout: 1m}\n"
    )
    project.write("ask.sim.yaml", {"models": {"tiny": {"loaded": True, "turns": [{"say": "Blue."}]}}})
    assert project.run("ask.yaml", "--simulate", "ask.sim.yaml", "--record").code == 0
    project.write(
        "ask.test.yaml",
        "workflow: ask.yaml\nrecording: ask.recording.jsonl\nexpect: {outputs: {ask: Blue.}}\nsnapshot: true\n",
    )
    assert project.run("test", "ask.test.yaml", "--update").code == 0
    assert project.run("test", "ask.test.yaml", "--repeat", "2").code == 0
    text = (project.folder / "ask.yaml").read_text("utf-8")
    project.write("ask.yaml", text.replace("a colour", "one colour"))
    ended = project.run("test", "ask.test.yaml")
    assert ended.code == 1
    assert "ask: outputs.ask\n  --> ask.test.yaml:3\n" in ended.out
    assert "messages[0].content: Name [-a-]{+one+} colour." in ended.out
    project.write("ask.test.yaml", "workflow: ask.yaml\nrecording: none.jsonl\n")
    ended = project.run("test", "ask.test.yaml")
    assert ended.code == 3
    assert "none.jsonl" in ended.out


ASK = """version: 1
name: ask
steps:
  - {id: gate, approve: "Shall I?", default: "yes"}
  - {id: ask, when: steps.gate.output == 'yes', model: tiny, task: Name a colour., on_error: {output: none}}
"""


@pytest.fixture
def recorded(project: Project) -> Project:
    project.write("ask.yaml", ASK)
    project.write("ask.sim.yaml", {"models": {"tiny": {"loaded": True, "turns": [{"say": "Blue."}]}}})
    assert project.run("ask.yaml", "--simulate", "ask.sim.yaml", "--record").code == 0
    return project


def test_a_case_fails_for_lines_of_its_recording_that_nobody_used(recorded: Project) -> None:
    recorded.write(
        "ask.test.yaml",
        "workflow: ask.yaml\nrecording: ask.recording.jsonl\ncases:\n"
        "  - {name: as it was}\n"
        "  - {name: another answer, answers: {gate: 'no'}}\n"
        "  - {name: that is meant so, answers: {gate: 'no'}, strict: false, expect: {outputs: {ask: null}}}\n",
    )
    ended = recorded.run("test")
    assert ended.code == 1
    assert [line.split()[-1] for line in ended.out.splitlines()[:3]] == ["passed", "FAILED", "passed"]
    assert (
        "another answer: 2 recorded exchanges were not used\n"
        "  --> ask.test.yaml:2\n"
        "    ask.recording.jsonl:3: question of `gate` (attempt 1)\n"
        "    ask.recording.jsonl:4: request to the model of `ask` (attempt 1, round 1)\n"
        "  help: record it anew with `bridge-run ask.yaml --record`; `strict: false` lets lines be unused\n"
    ) in ended.out


def test_a_request_that_is_not_recorded_fails_a_case_also_where_the_step_tolerates_it(recorded: Project) -> None:
    recorded.write("ask.yaml", ASK.replace("a colour", "one colour"))
    recorded.write(
        "ask.test.yaml",
        "workflow: ask.yaml\nrecording: ask.recording.jsonl\ncases:\n"
        "  - {name: as it was, expect: {status: succeeded}}\n"
        "  - {name: known to be old, expect: {steps: {ask: {error: request}}}}\n",
    )
    ended = recorded.run("test")
    assert ended.code == 1
    assert [line.split()[-1] for line in ended.out.splitlines()[:2]] == ["FAILED", "passed"]
    assert (
        "as it was: `ask` is not as it was recorded\n"
        "  --> ask.test.yaml:2\n"
        "  the request to the model of `ask` (attempt 1, round 1) is not in ask.recording.jsonl; line 4 is nearest:\n"
        "    messages[0].content: Name [-a-]{+one+} colour.\n"
        "  help: the workflow has changed since it was recorded; `bridge-run ask.yaml --record "
        "--step ask` records just that anew\n"
    ) in ended.out


MANY = "workflow: flow.yaml\ncases:\n" + "".join(
    f"  - {{name: case {number}, answers: {{gate: 'no'}}, stubs: {{rate: {{score: {number}}}}}}}\n"
    for number in range(12)
)


def test_cases_run_at_once_are_told_in_their_order(tested: Project) -> None:
    tested.write("flows/flow.test.yaml", MANY.replace("score: 7", "score: seven") + "  - {name: new, snapshot: true}\n")
    one, many = (tested.run("test", "--jobs", jobs) for jobs in ("1", "5"))
    assert one.code == many.code == 3
    assert many.out == one.out
    assert [line.split("::")[1].split("  ")[0] for line in many.out.splitlines()[:13]] == [
        *(f"case {number}" for number in range(12)), "new",
    ]  # fmt: skip
    assert tested.run("test", "--jobs", "5", "--update", "-k", "new").code == 0
    assert (tested.folder / "flows/__snapshots__/flow.new.txt").exists()


@pytest.mark.parametrize("jobs", ["1", "3"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_cases_and_leaves_nothing(tested: Project, jobs: str, number: int) -> None:
    tested.write("flows/flow.test.yaml", MANY)
    (tested.folder / "tmp").mkdir()
    env = {"TMPDIR": str(tested.folder / "tmp")}
    process = tested.start("test", "--jobs", jobs, "--repeat", "100", group=True, env=env)
    wait_until(lambda: any((tested.folder / "tmp").glob("**/journal.jsonl")), "a case runs")
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    ended = tested.ended(process)
    assert (ended.code, ended.err) == (130, "\ninterrupted\n")
    assert "passed in" not in ended.out
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    if jobs != "1":
        assert list((tested.folder / "tmp").iterdir()) == []
