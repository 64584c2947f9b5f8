"""Where a recording is written, what of it is written anew, and the commands that messages tell a person to type."""

from __future__ import annotations

import json
import os
import shlex
import stat
from typing import Any

import pytest
from kit.project import Ended, Project

FLOW = """\
version: 1
name: flow
inputs:
  word: {type: string, default: one}
  other: {type: string, default: more}
steps:
  - {id: say, run: [echo, "{{ inputs.word }}"]}
  - {id: each, for_each: [a, b, c], run: [echo, "{{ item }} of {{ inputs.word }}"]}
  - {id: call, for_each: [x, y], workflow: ./inner.yaml, with: {word: "{{ item }} and {{ inputs.word }}"}}
  - {id: last, run: [echo, "{{ inputs.other }}"]}
"""
INNER = """\
version: 1
name: inner
inputs: {word: {type: string}}
steps:
  - {id: draft, run: [echo, "{{ inputs.word }}"]}
  - {id: mark, run: [sh, -c, "cat mark.txt"]}
"""
GATED = """\
version: 1
name: flow
steps:
  - {id: one, run: [echo, hi]}
  - {id: gate, needs: [one], approve: Sure?, choices: ["yes", "no"]}
  - {id: two, when: steps.gate.output == 'yes', run: [echo, two]}
"""


@pytest.fixture
def flow(project: Project) -> Project:
    """A workflow of commands alone, recorded."""
    project.write("flow.yaml", FLOW)
    project.write("inner.yaml", INNER)
    project.write("mark.txt", "first\n")
    ended = project.run("flow.yaml", "--record")
    assert ended.code == 0, ended
    return project


def lines(project: Project) -> list[dict[str, Any]]:
    text = (project.folder / "flow.recording.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def said(project: Project, unit: str) -> str:
    """What the command of a unit printed when it was recorded."""
    [one] = [line for line in lines(project) if line.get("unit") == unit]
    return "\n".join(one["answer"]["result"]["stdout"]["|"]).strip()


def typed(project: Project, text: str) -> Ended:
    """The command between the last two backticks of a text, or on its last line, typed as it stands."""
    command = text.rsplit("`", 2)[1] if "`" in text else text.strip().splitlines()[-1]
    words = shlex.split(command)
    assert words[0] == "bridge-run"
    return project.run(*words[1:])


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("flow.yaml", "`flow.yaml` is no recording, and stays as it is"),
        ("inner.yaml", "`inner.yaml` is no recording, and stays as it is"),
        ("theirs.jsonl", "`theirs.jsonl` is the recording of the workflow `theirs`, and stays as it is"),
    ],
)
def test_no_other_file_is_written_over(flow: Project, place: str, words: str) -> None:
    head = (flow.folder / "flow.recording.jsonl").read_text("utf-8").splitlines()[0]
    flow.write("theirs.jsonl", head.replace('"workflow": "flow"', '"workflow": "theirs"') + "\n")
    before, runs = (flow.folder / place).read_bytes(), len(flow.runs())
    ended = flow.run("flow.yaml", "--record", "--recording", place)
    assert ended.code == 2
    assert ended.err == (f"error: {words}\n  = help: `--recording PATH` says another place; or delete the file first\n")
    assert (flow.folder / place).read_bytes() == before
    assert len(flow.runs()) == runs  # nothing ran


def test_a_device_is_not_written_over(flow: Project) -> None:
    os.mkfifo(flow.folder / "pipe")
    ended = flow.run("flow.yaml", "--record", "--recording", "pipe")
    assert ended.code == 2
    assert ended.err.startswith("error: `pipe` is no file that a recording can replace\n")
    assert stat.S_ISFIFO((flow.folder / "pipe").stat().st_mode)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("no/such/place.jsonl", "No such file or directory"),
        ("flow.yaml/place.jsonl", "Not a directory"),
        (".", "it is a folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_runs(flow: Project, place: str, why: str) -> None:
    runs = len(flow.runs())
    ended = flow.run("flow.yaml", "--record", "--recording", place)
    assert ended.code == 6
    assert ended.err == (
        f"error: the recording `{place}` cannot be written: {why}\n  = help: `--recording PATH` says another place\n"
    )
    assert len(flow.runs()) == runs


def test_a_link_stays_a_link_and_a_mode_stays(flow: Project) -> None:
    kept = flow.folder / "kept.jsonl"
    (flow.folder / "flow.recording.jsonl").rename(kept)
    kept.chmod(0o600)
    (flow.folder / "flow.recording.jsonl").symlink_to("kept.jsonl")
    flow.write("mark.txt", "second\n")
    assert flow.run("flow.yaml", "--record").code == 0
    assert (flow.folder / "flow.recording.jsonl").is_symlink()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert said(flow, "call[0]/mark") == "second"


@pytest.mark.parametrize("broken", ["<<<<<<< ours\n{}\n", "", "\x00\x01"])
def test_a_broken_recording_may_be_written_anew(flow: Project, broken: str) -> None:
    flow.write("flow.recording.jsonl", broken)
    assert flow.run("flow.yaml", "--record").code == 0
    assert lines(flow)[0]["workflow"] == "flow"


def test_a_renamed_workflow_may_be_recorded_in_its_own_place(flow: Project) -> None:
    flow.write("flow.yaml", FLOW.replace("name: flow", "name: other"))
    assert flow.run("flow.yaml", "--record").code == 0
    assert lines(flow)[0]["workflow"] == "other"


def test_a_step_below_a_call_is_named_for_all_items_or_for_one(flow: Project) -> None:
    flow.write("mark.txt", "second\n")
    assert flow.run("flow.yaml", "--re-record", "call[1]/mark").code == 0
    assert [said(flow, f"call[{item}]/mark") for item in (0, 1)] == ["first", "second"]
    flow.write("mark.txt", "third\n")
    assert flow.run("flow.yaml", "--re-record", "call/mark").code == 0
    assert [said(flow, f"call[{item}]/mark") for item in (0, 1)] == ["third", "third"]
    assert said(flow, "call[0]/draft") == "x and one"


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("call/marc", "`flow.yaml` has no step `call/marc`\n  = help: did you mean `call/mark`?"),
        ("call[*]/mark", "`flow.yaml` has no step `call[*]`\n  = help: did you mean `call`?"),
        ("kall/mark", "`flow.yaml` has no step `kall`\n  = help: did you mean `call`?"),
    ],
)
def test_a_step_below_a_call_that_is_not_there(flow: Project, step: str, words: str) -> None:
    ended = flow.run("flow.yaml", "--re-record", step)
    assert (ended.code, ended.err) == (2, f"error: `--step {step}`: {words}\n")


def test_an_item_that_was_not_there_to_be_recorded_is_told(flow: Project) -> None:
    before = lines(flow)
    ended = flow.run("flow.yaml", "--re-record", "each[7]")
    assert ended.code == 0
    assert "warning: `each[7]` asked nothing, so nothing of it was recorded\n" in ended.err
    assert lines(flow) == before


def test_the_command_of_a_mismatch_repeats_what_shaped_the_run(flow: Project) -> None:
    ended = flow.run("flow.yaml", "--replay", "-i", "other=it's another")
    assert ended.code == 1
    hint = flow.result()["steps"]["last"]["error"]["hint"]
    assert hint == ("`bridge-run flow.yaml --record -i 'other=it'\"'\"'s another' --step last` records just that anew")
    assert typed(flow, hint).code == 0
    assert said(flow, "last") == "it's another"
    ended = flow.run("flow.yaml", "--replay", "--strict")
    assert ended.code == 0, ended


def test_one_command_records_anew_all_that_differs(flow: Project) -> None:
    ended = flow.run("flow.yaml", "--replay", "-i", "word=two")
    assert ended.code == 1
    [at] = [at for at, line in enumerate(ended.err.splitlines()) if line.startswith("error: ")]
    told = ended.err.splitlines()[at : at + 2]
    assert told == [
        "error: 6 steps and items ask what is not in flow.recording.jsonl; all of them are recorded anew by:",
        "  bridge-run flow.yaml --record -i word=two --step say --step each --step call/draft",
    ]
    assert typed(flow, told[1]).code == 0
    ended = flow.run("flow.yaml", "--replay", "--strict", "-i", "word=two")
    assert ended.code == 0, ended
    assert said(flow, "each[2]") == "c of two"


def test_items_that_are_as_recorded_are_not_recorded_anew(flow: Project) -> None:
    flow.write("flow.yaml", FLOW.replace("[a, b, c]", "[a, B, C]"))
    ended = flow.run("flow.yaml", "--replay")
    assert "  bridge-run flow.yaml --record --step 'each[1]' --step 'each[2]'\n" in ended.err
    many = ", ".join(["a", *map(str, range(25))])
    flow.write("flow.yaml", FLOW.replace("[a, b, c]", f"[{many}]"))
    assert "  bridge-run flow.yaml --record --step each\n" in flow.run("flow.yaml", "--replay").err


def test_two_runs_that_record_steps_anew_at_once_keep_both(flow: Project) -> None:
    flow.write("inner.yaml", INNER.replace("cat mark.txt", "cat mark.txt; test ! -e slow || cat gate"))
    assert flow.run("flow.yaml", "--record").code == 0
    os.mkfifo(flow.folder / "gate")
    flow.write("slow", "")
    flow.write("mark.txt", "second\n")
    slow = flow.start("flow.yaml", "--re-record", "call[0]/mark")
    with (flow.folder / "gate").open("w") as gate:  # it is at work now
        flow.run("flow.yaml", "--re-record", "last", "-i", "other=new")
        assert said(flow, "last") == "new"
        gate.write("late\n")
    ended = flow.ended(slow)
    assert said(flow, "last") == "new", ended
    assert said(flow, "call[0]/mark") == "second\nlate"


def test_a_step_is_not_recorded_into_what_became_another_recording(flow: Project) -> None:
    flow.write("inner.yaml", INNER.replace("cat mark.txt", "cat mark.txt; test ! -e slow || cat gate"))
    assert flow.run("flow.yaml", "--record").code == 0
    os.mkfifo(flow.folder / "gate")
    flow.write("slow", "")
    slow = flow.start("flow.yaml", "--re-record", "call[0]/mark")
    with (flow.folder / "gate").open("w") as gate:
        (flow.folder / "slow").unlink()
        assert flow.run("flow.yaml", "--record").code == 0
        after = lines(flow)
        gate.write("late\n")
    ended = flow.ended(slow)
    assert ended.code == 6
    assert ended.err.endswith(
        "error: `flow.recording.jsonl` was recorded anew by another run meanwhile, and stays as it is\n"
        "  = help: start this again\n"
    )
    assert lines(flow) == after


def test_what_pauses_says_how_to_answer_a_replay_and_how_to_record_it_whole(project: Project) -> None:
    project.write("flow.yaml", GATED)
    ended = project.run("flow.yaml", "--record")
    assert ended.code == 8
    assert (
        "note: what `resume` does is not recorded; `bridge-run flow.yaml --record --answer ID=CHOICE` "
        "records it to its end\n"
    ) in ended.err
    ended = project.run("flow.yaml", "--replay")
    assert ended.code == 8
    assert "answer with:\n  bridge-run flow.yaml --replay --answer 'gate=<yes|no>'\n" in ended.err
    ended = project.run("flow.yaml", "--replay", "--answer", "gate=no")
    assert ended.code == 0, ended


def test_an_answer_given_while_a_step_is_recorded_anew_is_recorded_with_it(project: Project) -> None:
    project.write("flow.yaml", GATED)
    project.run("flow.yaml", "--record")
    ended = project.run("flow.yaml", "--replay", "--answer", "gate=yes")
    assert ended.code == 1
    hint = project.result()["steps"]["two"]["error"]["hint"]
    assert hint == "`bridge-run flow.yaml --record --answer gate=yes --step two` records just that anew"
    assert typed(project, hint).code == 0
    ended = project.run("flow.yaml", "--replay", "--strict")
    assert (ended.code, ended.out) == (0, "two\n")
    assert project.run("flow.yaml", "--re-record", "one", "--answer", "gate=no").code == 0
    assert project.run("flow.yaml", "--replay").code == 0
    assert project.result()["steps"]["gate"]["output"] == "no"


def edited(project: Project, change: tuple[str, str]) -> Ended:
    path = project.folder / "flow.recording.jsonl"
    text = path.read_text("utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change, 1), "utf-8")
    return project.run("flow.yaml", "--replay", "--strict")


@pytest.mark.parametrize("change", [("}\n", "}\n\n"), ("}\n", "}\n  \n"), ("}\n", "}\r\n")])
def test_what_an_editor_adds_is_no_fault(flow: Project, change: tuple[str, str]) -> None:
    assert edited(flow, change).code == 0


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (('"version": 1', '"version": 2'), "take a newer bridge-run"),
        (("{", "<<<<<<< ours\n{"), "keep one side of each line"),
    ],
)
def test_what_helps_is_told_before_what_loses_the_recording(flow: Project, change: tuple[str, str], hint: str) -> None:
    ended = edited(flow, change)
    assert ended.code == 3
    assert ended.err.endswith(f"  = help: {hint}, or record the run anew: `bridge-run FILE --record`\n")


@pytest.mark.parametrize(
    ("now", "why"), [('"exit_code": "0"', "it has another shape"), ('"code": 0', "`exit_code` is missing")]
)
def test_an_answer_that_somebody_edited_wrong_is_named_with_its_line(flow: Project, now: str, why: str) -> None:
    ended = edited(flow, ('"exit_code": 0', now))
    assert ended.code == 1
    assert f"request: flow.recording.jsonl:2: the answer is none of a command: {why}\n" in ended.err


def test_what_a_replay_of_a_part_did_not_use_of_it_is_told(flow: Project) -> None:
    path = flow.folder / "flow.recording.jsonl"
    path.write_text(path.read_text("utf-8") + path.read_text("utf-8").splitlines()[-1] + "\n", "utf-8")
    ended = flow.run("flow.yaml", "--replay", "tools")
    assert ended.code == 0
    assert "warning: 1 recorded exchange was not used:\n" in ended.err
    ended = flow.run("flow.yaml", "--replay", "tools", "--strict")
    assert ended.code == 1
    assert "error: 1 recorded exchange was not used:\n" in ended.err
    assert flow.run("flow.yaml", "--replay", "models", "--strict").code == 0  # it runs the commands themselves


def test_a_model_that_the_recording_lacks_is_recorded_not_downloaded(project: Project) -> None:
    file = "version: 1\nname: flow\nsteps:\n  - {id: say, model: qwen/qwen3-8b, task: Say it}\n"
    project.write("flow.yaml", file)
    model = {"loaded": True, "max_context_length": 32768, "turns": [{"say": "fine"}]}
    project.write("sim.yaml", {"models": {"qwen/qwen3-8b": model, "mistralai/magistral-small-2509": model}})
    assert project.run("flow.yaml", "--simulate", "sim.yaml", "--record").code == 0
    ended = project.run("flow.yaml", "--replay", "--model", "mistralai/magistral-small-2509")
    assert ended.code == 0, ended  # the step names its own
    project.write("flow.yaml", file.replace("qwen/qwen3-8b", "mistralai/magistral-small-2509"))
    ended = project.run("flow.yaml", "--replay")
    assert ended.code == 4
    assert ended.err.startswith(
        "error[BR301]: the recording has no model named `mistralai/magistral-small-2509`\n --> flow.yaml:4:22\n"
    )
    assert "  = note: server has `qwen/qwen3-8b` (loaded)\n" in ended.err
    way = "`bridge-run flow.yaml --record` records it with that model, with `--step ID` one step alone"
    assert f"  = help: {way}\n" in ended.err
    project.write("flow.yaml", file.replace("qwen3-8b", "qwen3-8c"))
    ended = project.run("flow.yaml", "--replay")
    assert f"  = help: did you mean `qwen/qwen3-8b` or `qwen/qwen3-8b@q4_k_m`? Otherwise {way}\n" in ended.err
    project.write("flow.yaml", file.replace("qwen/qwen3-8b", "mistralai/magistral-small-2509"))
    assert project.run("flow.yaml", "--simulate", "sim.yaml", "--record", "--step", "say").code == 0
    assert project.run("flow.yaml", "--replay", "--strict").code == 0


def test_a_run_that_cannot_be_done_leaves_the_recording_as_it_was(flow: Project) -> None:
    served = FLOW.replace("steps:", "mcp_servers: {t: {command: sh, args: [serve.sh]}}\nsteps:", 1)
    flow.write("flow.yaml", served + "  - {id: ask, tool: t.ask}\n")
    flow.write("serve.sh", "echo gone >&2; exit 3\n")
    before = lines(flow)
    ended = flow.run("flow.yaml", "--record")
    assert ended.code == 5
    assert "nothing was recorded in flow.recording.jsonl: the run could not be done\n" in ended.err
    assert lines(flow) == before


def test_the_file_may_stand_behind_the_option(flow: Project) -> None:
    assert flow.run("--replay", "flow.yaml", "--strict").code == 0
    assert flow.run("run", "--replay", "tools", "flow.yaml").code == 0
    assert flow.run("flow.yaml", "--replay", "--", "flow.yaml").code == 2


@pytest.mark.parametrize(
    ("words", "ways"),
    [
        (["--replay", "flow.recording.jsonl"], "`--recording flow.recording.jsonl` says where the recording lies"),
        (["--record", "x.jsonl"], "`--recording x.jsonl` says where the recording lies"),
        (["--replay", "model"], "did you mean `models`?"),
        (["--replay", "x.yaml"], "`bridge-run check` takes several"),
        (["--rehearse", "x.yaml"], "`--stubs x.yaml` takes the answers from there"),
    ],
)
def test_a_word_that_is_left_over_is_told_its_place(flow: Project, words: list[str], ways: str) -> None:
    ended = flow.run("flow.yaml", *words)
    assert ended.code == 2
    assert ended.err.endswith(f"Error: a run takes one file, and `{words[-1]}` is left over; {ways}\n")


def test_a_recording_in_place_of_its_workflow(flow: Project) -> None:
    ended = flow.run("flow.recording.jsonl", "--replay")
    assert (ended.code, ended.err) == (
        2,
        "error: `flow.recording.jsonl` is a recording, and no workflow\n"
        "  = help: name the workflow: its recording is found beside it\n",
    )


HASTY = """\
version: 1
name: flow
steps:
  - id: each
    for_each: [a, bad, c, d, e, f]
    max_parallel: 2
    fail_fast: true
    run: [sh, work.sh, "{{ item }}"]
"""
STOPPED = """\
version: 1
name: flow
limits: {fail_fast: true}
steps:
  - {id: bad, run: [sh, work.sh, wait], expect: [{that: output == 'yes'}]}
  - {id: one, run: [echo, one]}
  - {id: two, needs: [one], retry: {attempts: 2, wait: 200ms, on: [command]}, run: [sh, work.sh, twice]}
  - {id: three, needs: [two], run: [sh, work.sh, d]}
  - {id: four, needs: [three], run: [echo, four]}
  - {id: clean, needs: [four], join: all_finished, run: [echo, clean]}
"""
WORK = """\
case $1 in
bad) while ! test -e begun; do sleep 0.05; done; exit 1;;
wait) while ! test -e begun; do sleep 0.05; done;;
twice) test -e mark || { touch mark; exit 1; };;
d) touch begun; sleep 60;;
esac
"""


@pytest.mark.parametrize(
    ("file", "ends"),
    [
        (HASTY, ["succeeded", "failed", "succeeded", "cancelled", "cancelled", "cancelled"]),
        (STOPPED, ["failed", "succeeded", "succeeded", "cancelled", "cancelled", "succeeded"]),
    ],
)
def test_what_a_failure_called_off_is_called_off_again_and_nothing_else(
    project: Project, file: str, ends: list[str]
) -> None:
    project.write("flow.yaml", file)
    project.write("work.sh", WORK)
    assert project.run("flow.yaml", "--record").code == 1
    before = project.result()["steps"]
    assert [one["status"] for one in before.get("each", {"items": before.values()})["items"]] == ends
    ended = project.run("flow.yaml", "--replay", "--strict")
    assert "not used" not in ended.err
    after = project.result()["steps"]
    assert [one["status"] for one in after.get("each", {"items": after.values()})["items"]] == ends


def test_the_inputs_of_a_case_stand_in_for_those_recorded_name_by_name(flow: Project) -> None:
    assert flow.run("flow.yaml", "--record", "-i", "word=two").code == 0
    case = "workflow: flow.yaml\nrecording: flow.recording.jsonl\ninputs: {other: OTHER}\n"
    flow.write("flow.test.yaml", case.replace("OTHER", "more"))
    ended = flow.run("test")
    assert ended.code == 0, ended
    flow.write("flow.test.yaml", case.replace("OTHER", "else"))
    ended = flow.run("test")
    assert ended.code == 1
    assert "`bridge-run flow.yaml --record -i other=else --step last` records just that anew\n" in ended.out + ended.err


@pytest.mark.parametrize(("now", "code"), [("Ran 8 tests in 1.25s (3 ms each)", 0), ("Ran 9 tests in 0.001s", 1)])
def test_real_commands_need_not_take_the_time_that_was_recorded(project: Project, now: str, code: int) -> None:
    """What they say beside that is compared, and a replay without them compares all."""
    project.write("said.txt", "Ran 8 tests in 0.001s (0 ms each)\n")
    project.write(
        "flow.yaml",
        "version: 1\nname: flow\nsteps:\n  - {id: tests, run: [cat, said.txt]}\n"
        '  - {id: judge, task: "Well? {{ steps.tests.output }}"}\n',
    )
    project.write("flow.sim.yaml", "models: {m/one: {loaded: true, turns: [{say: Good.}]}}\n")
    assert project.run("flow.yaml", "--simulate", "flow.sim.yaml", "--record").code == 0
    project.write("said.txt", f"{now}\n")
    ended = project.run("flow.yaml", "--replay", "models")
    assert ended.code == code, ended
    assert ("{+9+}" in ended.err) == bool(code)
    project.write("flow.yaml", (project.folder / "flow.yaml").read_text("utf-8").replace("Well?", "In 3 s?"))
    assert project.run("flow.yaml", "--replay").code == 1


def test_a_model_that_was_asked_again_when_it_was_recorded_is_asked_again(project: Project) -> None:
    """Five failures within a minute keep a model from being asked; a replay has no minutes."""
    project.write(
        "flow.yaml",
        "version: 1\nname: flow\nmodels:\n  m: {id: qwen/a, fallback: [qwen/b]}\nsteps:\n  - id: each\n"
        "    for_each: [1, 2, 3, 4, 5, 6]\n    max_parallel: 1\n    model: m\n    retry: {attempts: 1}\n"
        "    task: Say {{ item }}\n",
    )
    model = {"loaded": True, "max_context_length": 32768}
    fails = {**model, "turns": [{"fault": {"error_event": "internal error of the engine"}}]}
    project.write("sim.yaml", {"models": {"qwen/a": fails, "qwen/b": {**model, "turns": [{"say": "fine"}]}}})
    assert project.run("flow.yaml", "--simulate", "sim.yaml", "--record").code == 0
    path = project.folder / "flow.recording.jsonl"
    *rest, last = path.read_text("utf-8").splitlines()
    assert json.loads(last)["unit"] == "each[5]"
    assert json.loads(last)["request"]["model"] == "qwen/b"  # the other was left alone
    path.write_text("\n".join([*rest, last.replace("qwen/b", "qwen/a")]) + "\n", "utf-8")
    ended = project.run("flow.yaml", "--replay", "--strict")
    assert ended.code == 0, ended
    assert [one["model"] for one in project.result()["steps"]["each"]["items"]] == [*["qwen/b"] * 5, "qwen/a"]
