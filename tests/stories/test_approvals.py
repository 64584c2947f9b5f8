"""Approvals as a person, a script and a pipeline meet them."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from kit.project import Project
from kit.terminal import AtTerminal

PROMPT = "number or word"
DEPLOY = """version: 1
name: deploy
steps:
  - {id: build, run: [echo, built]}
  - {id: gate, needs: [build], approve: "Ship {{ steps.build.output }}?"}
  - {id: ship, when: "steps.gate.output == 'yes'", run: [echo, shipped]}
  - {id: side, run: [echo, side]}
outputs: {answer: "{{ steps.gate.output }}", shipped: "{{ steps.ship.status }}"}
"""
DEFAULTED = DEPLOY.replace('}?"}', '}?", default: "no"}')
HURRIED = DEPLOY.replace('}?"}', '}?", timeout: 100ms}')
EACH = """version: 1
name: each
steps:
  - {id: gate, for_each: [api, web, docs], approve: "Ship {{ item }}?"}
  - {id: call, workflow: ./inner.yaml}
outputs: {gate: "{{ steps.gate.output }}", inner: "{{ steps.call.output.gate }}"}
"""
INNER = """version: 1
name: inner
steps:
  - {id: gate, matrix: {os: [linux, mac]}, approve: "Really, on {{ matrix.os }}?", choices: [go, stop]}
outputs: {gate: "{{ steps.gate.output | map(attribute='output') | list }}"}
"""


@pytest.fixture
def deploy(project: Project) -> Project:
    project.write("deploy.yaml", DEPLOY)
    project.write("defaulted.yaml", DEFAULTED)
    project.write("hurried.yaml", HURRIED)
    project.write("each.yaml", EACH)
    project.write("inner.yaml", INNER)
    return project


def statuses(project: Project) -> dict[str, str]:
    return {name: step["status"] for name, step in project.result()["steps"].items()}


def answers(project: Project) -> list[tuple[str, str, str]]:
    return [
        (entry["step"] + (f"[{entry['item']}]" if "item" in entry else ""), entry["choice"], entry["by"])
        for entry in project.journal()
        if entry["type"] == "approval_answered"
    ]


def test_without_an_answer_all_else_is_done_and_the_command_that_answers_is_named(deploy: Project) -> None:
    ended = deploy.run("deploy.yaml")
    assert (ended.code, ended.out) == (8, "")
    assert statuses(deploy) == {"build": "succeeded", "gate": "waiting", "ship": "waiting", "side": "succeeded"}
    result = deploy.result()
    assert (result["status"], result["exit_code"]) == ("paused", 8)
    assert result["questions"] == [{"id": "gate", "question": "Ship built?", "choices": ["yes", "no"], "default": None}]
    command = next(line for line in ended.raw_err.splitlines() if line.startswith("  bridge-run resume"))
    typed = shlex.split(command.replace("<yes|no>", "yes"))
    assert typed == ["bridge-run", "resume", result["run"], "--answer", "gate=yes"]
    ended = deploy.run(*typed[1:])
    assert (ended.code, ended.out) == (0, "answer: yes\n\nshipped: succeeded\n")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--answer", "gate=yes"), ("yes", "--answer", "succeeded")),
        (("--answer", "gate=no", "--yes"), ("no", "--answer", "skipped")),
        (("--yes",), ("yes", "--yes", "succeeded")),
    ],
)
def test_answers_of_the_command_line(deploy: Project, options: tuple[str, ...], expected: tuple[str, ...]) -> None:
    choice, by, ship = expected
    ended = deploy.run("deploy.yaml", *options)
    assert (ended.code, ended.out) == (0, f"answer: {choice}\n\nshipped: {ship}\n")
    assert answers(deploy) == [("gate", choice, by)]


def test_without_a_terminal_the_default_holds_at_once(deploy: Project) -> None:
    ended = deploy.run("defaulted.yaml")
    assert (ended.code, answers(deploy)) == (0, [("gate", "no", "default")])


def test_a_wrong_answer_starts_nothing(deploy: Project) -> None:
    ended = deploy.run("deploy.yaml", "--answer", "gaet=yes", "--answer", "gate=<yes|no>")
    assert (ended.code, ended.out, deploy.runs()) == (2, "", [])
    assert ended.err == (
        "error: 2 complaints about the answers:\n"
        "  `--answer gaet=yes`: there is no question `gaet`; did you mean `gate`?\n"
        "  `--answer gate=<yes|no>`: `<yes|no>` is no answer to `gate`; the choices are `yes`, `no`\n"
    )


def test_items_and_called_files_are_answered_by_their_names(deploy: Project) -> None:
    options = ("--answer", "gate=yes", "--answer", "gate[1]=no", "--answer", "call/gate=go")
    ended = deploy.run("each.yaml", *options, "--output", "json")
    assert ended.code == 0, ended
    assert deploy.result()["outputs"] == {"gate": ["yes", "no", "yes"], "inner": ["go", "go"]}


def test_questions_of_items_and_of_called_files_are_named_when_the_run_pauses(deploy: Project) -> None:
    ended = deploy.run("each.yaml", "--answer", "gate[0]=yes", "--answer", "call/gate[1]=stop")
    assert ended.code == 8
    questions: list[dict[str, Any]] = deploy.result()["questions"]
    assert [question["id"] for question in questions] == ["gate[1]", "gate[2]", "call/gate[0]"]
    assert "--answer 'gate[1]=<yes|no>' --answer 'gate[2]=<yes|no>' --answer 'call/gate[0]=<go|stop>'\n" in ended.err


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_person_answers_at_the_terminal(deploy: Project, term: str) -> None:
    with AtTerminal(deploy, "deploy.yaml", env={"TERM": term}) as terminal:
        terminal.until(PROMPT)
        terminal.type("perhaps\n")
        terminal.until(PROMPT, times=2)
        terminal.type("y\n")
        assert terminal.ended() == (0, "answer: yes\n\nshipped: succeeded\n"), terminal.screen
        assert (
            "\n? gate: Ship built?\n  1 yes  2 no\n  number or word: perhaps\n"
            "  `perhaps` is none of the choices; write a number from 1 to 2, or `yes` or `no`\n"
            "  number or word: y\n"
        ) in terminal.screen
    assert answers(deploy) == [("gate", "yes", "terminal")]


def test_several_questions_are_asked_one_after_the_other(deploy: Project) -> None:
    with AtTerminal(deploy, "each.yaml") as terminal:
        for number in range(1, 6):
            terminal.until(PROMPT, times=number)
            terminal.type("2\n")
        assert terminal.ended()[0] == 0, terminal.screen
    assert deploy.result()["outputs"] == {"gate": ["no"] * 3, "inner": ["stop"] * 2}


def test_the_rest_goes_on_while_a_question_stands(deploy: Project) -> None:
    deploy.write(
        "slow.yaml", DEPLOY.replace("[echo, side]", "[sh, -c, 'until [ -e go ]; do sleep 0.02; done; touch gone']")
    )
    with AtTerminal(deploy, "slow.yaml") as terminal:
        terminal.until(PROMPT)
        deploy.write("go", "")
        while not (deploy.folder / "gone").exists():
            assert terminal._read(0.05)
        terminal.type("no\n")
        assert terminal.ended()[0] == 0


def test_ctrl_d_pauses_the_run(deploy: Project) -> None:
    with AtTerminal(deploy, "deploy.yaml") as terminal:
        terminal.until(PROMPT)
        terminal.type("\x04")
        assert terminal.ended() == (8, ""), terminal.screen
        assert "no answer: the run pauses at this question" in terminal.screen
    assert statuses(deploy)["ship"] == "waiting"


@pytest.mark.unmeasured  # what a signal ends has no time to write down what it did
def test_ctrl_c_interrupts_the_run(deploy: Project) -> None:
    with AtTerminal(deploy, "deploy.yaml") as terminal:
        terminal.until(PROMPT)
        terminal.type("\x03")
        assert terminal.ended()[0] == 130, terminal.screen
        assert "Traceback" not in terminal.screen
    assert statuses(deploy)["gate"] == "cancelled"


def test_a_person_who_does_not_come_is_not_waited_for(deploy: Project) -> None:
    deploy.write("both.yaml", HURRIED.replace("100ms", "100ms, default: 'no'"))
    with AtTerminal(deploy, "hurried.yaml") as terminal:
        assert terminal.ended()[0] == 8, terminal.screen
    with AtTerminal(deploy, "both.yaml") as terminal:
        assert terminal.ended()[0] == 0, terminal.screen
    assert answers(deploy) == [("gate", "no", "default")]


@pytest.mark.parametrize(("options", "env"), [(("--quiet",), {}), ((), {"CI": "true"})])
def test_nobody_is_asked_when_it_is_to_be_quiet_or_in_ci(
    deploy: Project, options: tuple[str, ...], env: dict[str, str]
) -> None:
    with AtTerminal(deploy, "deploy.yaml", *options, env=env) as terminal:
        assert terminal.ended() == (8, ""), terminal.screen
        assert PROMPT not in terminal.screen
