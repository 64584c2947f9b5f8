"""A run goes on: after a pause, a failure, Ctrl-C and kill -9; and when it may not."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from kit.project import Ended, Project, interrupt, processes_with, wait_until

COUNTER = Path(__file__).parents[1] / "servers" / "counter.py"
LOG = "[sh, -c, 'echo {word} >> log; echo {word}']"
SECOND = """run: [sh, -c, 'echo second >> log; test -e fixed && echo "$W"'], env: {W: "{{ inputs.word }}"}"""
FLAKY = f"""version: 1
name: flaky
inputs: {{word: {{type: string}}}}
steps:
  - {{id: first, run: {LOG.format(word="first")}}}
  - {{id: second, needs: [first], {SECOND}}}
  - {{id: third, needs: [second], run: {LOG.format(word="third")}}}
  - {{id: tidy, needs: [second], join: all_finished, run: {LOG.format(word="tidy")}}}
  - {{id: never, when: "inputs.word == 'x'", run: {LOG.format(word="never")}}}
outputs: {{word: "{{{{ steps.second.output }}}}"}}
"""
ITEMS = """version: 1
name: items
steps:
  - id: fix
    for_each: [a, b, c, d]
    run: [sh, -c, 'echo "$ITEM" >> log; test "$ITEM" != c -o -e fixed && echo "$ITEM"']
    env: {ITEM: "{{ item }}"}
"""
SLOW = f"""version: 1
name: slow
steps:
  - {{id: first, run: {LOG.format(word="first")}}}
  - {{id: wait, needs: [first], run: [sh, -c, 'echo wait >> log; test -e fixed || sleep 600']}}
  - {{id: last, needs: [wait], run: {LOG.format(word="last")}}}
"""


def log(project: Project) -> list[str]:
    return (project.folder / "log").read_text().split()


def resumed(project: Project, *options: str) -> Ended:
    return project.run("resume", "last", *options)


def types(project: Project) -> list[str]:
    return [entry["type"] for entry in project.journal()]


@pytest.fixture
def flaky(project: Project) -> Project:
    project.write("flaky.yaml", FLAKY)
    assert project.run("flaky.yaml", "-i", "word=hello").code == 1
    return project


def test_what_failed_is_done_again_with_all_that_needs_it_and_nothing_else(flaky: Project) -> None:
    assert log(flaky) == ["first", "second", "tidy"]
    flaky.write("fixed", "")
    ended = resumed(flaky)
    assert (ended.code, ended.out) == (0, "hello\n"), ended
    assert log(flaky)[:4] == ["first", "second", "tidy", "second"]
    assert sorted(log(flaky)[4:]) == ["third", "tidy"]
    assert [step["status"] for step in flaky.result()["steps"].values()] == ["succeeded"] * 4 + ["skipped"]
    assert len(flaky.runs()) == 1
    assert [entry["seq"] for entry in flaky.journal()] == list(range(1, len(flaky.journal()) + 1))
    assert (types(flaky).count("run_started"), types(flaky).count("run_resumed")) == (1, 1)


def test_what_fails_again_may_go_on_again(flaky: Project) -> None:
    assert [resumed(flaky).code for _ in range(2)] == [1, 1]
    flaky.write("fixed", "")
    assert resumed(flaky).code == 0
    assert log(flaky).count("first") == 1


def test_only_the_items_that_failed_are_done_again(project: Project) -> None:
    project.write("items.yaml", ITEMS)
    assert project.run("items.yaml").code == 1
    project.write("fixed", "")
    ended = resumed(project, "--output", "json")
    assert ended.code == 0, ended
    assert project.result()["outputs"] == {"fix": ["a", "b", "c", "d"]}
    assert sorted(log(project)) == ["a", "b", "c", "c", "d"]


@pytest.mark.unmeasured  # what a signal ends has no time to write down what it did
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_run_that_was_ended_goes_on(project: Project, number: int) -> None:
    project.write("slow.yaml", SLOW)
    process = project.start("slow.yaml")
    wait_until(lambda: (project.folder / "log").exists() and "wait" in log(project), "the second step begins")
    interrupt(process, number)
    project.ended(process)
    project.write("fixed", "")
    ended = resumed(project)
    assert (ended.code, ended.out) == (0, "last\n"), ended
    assert log(project) == ["first", "wait", "wait", "last"]


@pytest.mark.unmeasured
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux says when a process was born")
def test_a_command_that_a_killed_run_left_at_work_is_ended_before_it_is_started_again(project: Project) -> None:
    mark = f"left-{project.folder.name}-{os.getpid()}"
    script = f"echo began >> log; test -e fixed || sleep 300 # {mark}"
    project.write("slow.yaml", {"version": 1, "name": "slow", "steps": [{"id": "wait", "run": ["sh", "-c", script]}]})
    process = project.start("slow.yaml")
    wait_until(lambda: (project.folder / "log").exists(), "the command is at work")
    wait_until(lambda: (project.runs()[-1] / "processes").exists(), "that is written down")
    interrupt(process, signal.SIGKILL)
    project.ended(process)
    assert len(processes_with(mark)) == 1
    project.write("fixed", "")
    ended = resumed(project)
    assert ended.code == 0, ended
    assert "ended what the run had left at work when it was killed: sh\n" in ended.err
    assert (processes_with(mark), log(project)) == ([], ["began", "began"])
    assert not (project.runs()[-1] / "processes").exists()


@pytest.mark.unmeasured
def test_a_torn_last_line_is_no_hindrance(project: Project) -> None:
    project.write("slow.yaml", SLOW)
    process = project.start("slow.yaml")
    wait_until(lambda: (project.folder / "log").exists() and "wait" in log(project), "the second step begins")
    interrupt(process, signal.SIGKILL)
    project.ended(process)
    journal = project.runs()[-1] / "journal.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"seq":99,"at":"2026-')
    project.write("fixed", "")
    assert resumed(project).code == 0
    assert b'"seq":99,"at":"2026-{' not in journal.read_bytes()
    assert project.journal()[-1]["status"] == "succeeded"


@pytest.mark.unmeasured
def test_a_run_that_goes_on_elsewhere_is_left_alone(project: Project) -> None:
    project.write("slow.yaml", SLOW)
    process = project.start("slow.yaml")
    wait_until(lambda: (project.folder / "log").exists() and "wait" in log(project), "the second step begins")
    ended = resumed(project)
    assert (ended.code, ended.out) == (6, "")
    assert ended.err == (
        "error: another process is writing `PROJECT/.bridge/runs/RUN-slow/journal.jsonl`: the run is still going on\n"
        "  = help: wait until it has ended, or end it with Ctrl-C where it runs\n"
    )
    interrupt(process)
    assert project.ended(process).code == 130


def test_a_run_that_succeeded_is_done(flaky: Project) -> None:
    flaky.write("fixed", "")
    assert resumed(flaky).code == 0
    before = (flaky.runs()[-1] / "journal.jsonl").read_bytes()
    ended = resumed(flaky)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: the run `RUN-flaky` has succeeded: there is nothing left to do\n  = help: start a new run\n"
    )
    assert (flaky.runs()[-1] / "journal.jsonl").read_bytes() == before


def test_a_file_that_changed_is_refused_unless_one_says_so(flaky: Project) -> None:
    flaky.write("flaky.yaml", FLAKY.replace("test -e fixed && ", "") + "# a comment changes nothing\n")
    ended = resumed(flaky)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: `flaky.yaml`, or a file that it calls, has changed since the run `RUN-flaky` began\n"
        "  = help: `--changed` goes on all the same: what is done stays done, the rest is done as the file says now\n"
    )
    assert resumed(flaky, "--changed").code == 0
    assert log(flaky).count("first") == 1


def test_a_file_that_is_broken_by_now_is_told_as_ever(flaky: Project) -> None:
    flaky.write("flaky.yaml", FLAKY.replace("version: 1", "version: 7"))
    assert resumed(flaky).code == 3
    (flaky.folder / "flaky.yaml").unlink()
    ended = resumed(flaky)
    assert (ended.code, ended.err) == (2, "error: there is no file `flaky.yaml`\n")


def test_a_comment_in_the_file_is_no_change(flaky: Project) -> None:
    flaky.write("flaky.yaml", "# why\n" + FLAKY)
    flaky.write("fixed", "")
    assert resumed(flaky).code == 0


def test_a_run_goes_on_from_anywhere_where_it_began(flaky: Project, tmp_path: Path) -> None:
    flaky.write("fixed", "")
    elsewhere = Project(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    ended = elsewhere.run("resume", str(flaky.runs()[-1]))
    assert (ended.code, ended.out) == (0, "hello\n"), ended
    assert list(elsewhere.folder.iterdir()) == []


def rewrite(project: Project, **changes: Any) -> None:
    journal = project.runs()[-1] / "journal.jsonl"
    first, *rest = journal.read_text().splitlines(keepends=True)
    journal.write_text(json.dumps({**json.loads(first), **changes}) + "\n" + "".join(rest))


def test_a_journal_of_another_version_that_cannot_be_read(flaky: Project) -> None:
    rewrite(flaky, version="9.9.9", type="run_blessed")
    ended = resumed(flaky)
    assert ended.code == 6
    assert ended.err.startswith("error: the journal of this run was written by bridge-run 9.9.9, and this is ")
    assert ended.err.endswith("  = help: go on with it in version 9.9.9, or start a new run\n")


def test_a_journal_of_another_version_that_can_be_read_goes_on(flaky: Project) -> None:
    rewrite(flaky, version="0.0.1")
    flaky.write("fixed", "")
    assert resumed(flaky).code == 0


def test_a_journal_that_is_damaged_or_has_not_begun(flaky: Project) -> None:
    journal = flaky.runs()[-1] / "journal.jsonl"
    whole = journal.read_text()
    journal.write_text("nonsense\n" + whole)
    ended = resumed(flaky)
    assert (ended.code, ended.err.startswith("error: line 1 of the journal is damaged: not an entry")) == (6, True)
    journal.write_text(whole.splitlines()[0][:50])
    ended = resumed(flaky)
    assert (ended.code, ended.err) == (
        2,
        "error: the run in `PROJECT/.bridge/runs/RUN-flaky` ended before it began\n  = help: start a new run\n",
    )


def test_an_input_that_held_a_secret_cannot_be_had_again(project: Project) -> None:
    project.write(
        "secret.yaml",
        "version: 1\nname: secret\nsecrets: [TOKEN]\ninputs: {word: {type: string}}\n"
        "steps: [{id: say, run: [sh, -c, 'exit 1'], env: {T: '{{ secrets.TOKEN }}', W: '{{ inputs.word }}'}}]\n",
    )
    env = {"TOKEN": "hunter2-hunter2"}
    assert project.run("secret.yaml", "-i", "word=my hunter2-hunter2", env=env).code == 1
    ended = project.run("resume", "last", env=env)
    assert (ended.code, ended.err) == (
        2,
        "error: the input `word` held the secret `TOKEN`, which is in no record: the run cannot go on\n"
        "  = help: start a new run\n",
    )


GATES = """version: 1
name: gates
steps:
  - {id: draft, run: [sh, -c, 'echo draft >> log; echo text']}
  - {id: gate, approve: "Is {{ steps.draft.output }} good?"}
  - {id: more, needs: [gate], approve: "And now?", choices: [go, stop]}
outputs: {both: "{{ steps.gate.output }} {{ steps.more.output }}"}
"""


def test_a_run_pauses_again_for_the_next_question(project: Project) -> None:
    project.write("gates.yaml", GATES)
    assert project.run("gates.yaml").code == 8
    ended = resumed(project, "--answer", "gate=yes")
    assert ended.code == 8
    assert "more: And now?" in ended.err
    ended = resumed(project, "--answer", "gate=no")
    assert (ended.code, ended.err) == (
        2,
        "error: `--answer gate=no`: it was answered `yes` before, and that stays\n"
        "  = help: start a new run to answer otherwise\n",
    )
    ended = resumed(project, "--answer", "gate=yes", "--answer", "more=stop")
    assert (ended.code, ended.out, log(project)) == (0, "yes stop\n", ["draft"])


def test_the_command_of_a_run_that_is_kept_elsewhere_says_where(project: Project) -> None:
    project.write("gates.yaml", GATES)
    ended = project.run("gates.yaml", "--run-dir", "my runs")
    assert "bridge-run resume RUN-gates --run-dir 'my runs' --answer 'gate=<yes|no>'\n" in ended.err
    ended = project.run("resume", "last", "--run-dir", "my runs", "--yes")
    assert (ended.code, ended.out) == (0, "yes go\n")


ROUNDS = """version: 1
name: rounds
steps:
  - id: write
    workflow: ./draft.yaml
    repeat: {until: "output.good == 'yes'", max: 3}
outputs: {text: "{{ steps.write.output.text }}"}
"""
DRAFT = """version: 1
name: draft
steps:
  - {id: text, run: [sh, -c, 'echo x >> log; wc -l < log | tr -d " "']}
  - {id: good, approve: "Is draft {{ steps.text.output }} good?"}
outputs: {text: "{{ steps.text.output }}", good: "{{ steps.good.output }}"}
"""


def test_every_round_is_done_once_and_its_question_is_about_what_was_shown(project: Project) -> None:
    project.write("rounds.yaml", ROUNDS)
    project.write("draft.yaml", DRAFT)
    ended = project.run("rounds.yaml")
    assert ended.code == 8
    assert "write/good: Is draft 1 good?" in ended.err
    ended = resumed(project, "--answer", "write/good=no")
    assert ended.code == 1, "the answer holds for every round that is asked in this go"
    assert log(project) == ["x"] * 3


def test_rounds_go_on_where_they_stopped(project: Project) -> None:
    """One answer at a time: as a person gives them at a terminal, here cut short by a journal that ends early."""
    project.write("rounds.yaml", ROUNDS)
    project.write("draft.yaml", DRAFT)
    assert project.run("rounds.yaml").code == 8
    resumed(project, "--answer", "write/good=no")
    journal = project.runs()[-1] / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    third = next(number for number, line in enumerate(lines) if "Is draft 3 good?" in line)
    journal.write_text("".join(lines[: third + 1]))  # as if it had been killed while it asked for the third time
    ended = resumed(project, "--answer", "write/good=yes")
    assert (ended.code, ended.out) == (0, "3\n"), ended
    assert log(project) == ["x"] * 3, "no draft was written twice"


def test_what_is_kept_is_not_told_again(flaky: Project) -> None:
    flaky.write("fixed", "")
    ended = resumed(flaky)
    assert "goes on" in ended.err
    assert "first  started" not in ended.err


def test_the_last_line_of_a_failed_run_is_what_goes_on_with_it(flaky: Project) -> None:
    ended = resumed(flaky)
    assert ended.code == 1
    line = ended.raw_err.rstrip().splitlines()[-1]
    flaky.write("fixed", "")
    program, *words = line.removeprefix("go on with: ").split()
    assert program == "bridge-run"
    assert flaky.run(*words).code == 0
    assert "go on with" not in flaky.run("flaky.yaml", "-i", "word=hello").err


def test_what_only_lacks_its_result_gives_it_and_does_nothing_again(flaky: Project) -> None:
    flaky.write("fixed", "")
    assert resumed(flaky).code == 0
    before, done = flaky.result(), log(flaky)
    (flaky.runs()[-1] / "result.json").unlink()
    ended = resumed(flaky)
    assert (ended.code, ended.out) == (0, "hello\n"), ended
    assert log(flaky) == done
    assert flaky.result()["outputs"] == before["outputs"]
    assert "nothing left to do" in resumed(flaky).err


COUNTED = """version: 1
name: counted
mcp_servers:
  early: {command: python, args: [counter.py, early]}
  late: {command: python, args: [counter.py, late]}
steps:
  - {id: first, tool: early.count}
  - {id: call, workflow: ./part.yaml}
  - {id: gate, needs: [first, call], approve: Go on?}
  - {id: last, when: steps.gate.output == 'yes', tool: late.count}
"""
CALLED = """version: 1
name: part
mcp_servers:
  below: {command: python, args: [counter.py, below]}
steps:
  - {id: one, tool: below.count}
"""


def test_tool_servers_that_only_what_is_done_has_used_are_not_started_again(project: Project) -> None:
    project.write("counter.py", COUNTER.read_text("utf-8"))
    project.write("counted.yaml", COUNTED)
    project.write("part.yaml", CALLED)
    assert project.run("counted.yaml").code == 8
    ended = resumed(project, "--answer", "gate=yes")
    assert ended.code == 0, ended
    starts = {name: len((project.folder / name).read_text().split()) for name in ("early", "late", "below")}
    assert starts == {"early": 1, "late": 2, "below": 1}
