"""``--faults``: a workflow is rehearsed against a server that goes wrong, and the report says how it went."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kit.project import Project, processes_with, wait_until

FAST = "version: 1\nname: ask\ndefaults: {retry: {attempts: 2, wait: 1ms, max_wait: 2ms}}\n"
ASK = FAST + "steps:\n  - id: answer\n    task: Say something.\n"
SCRIPT = "models:\n  qwen/qwen3-4b:\n    loaded: true\n    default: {say: Hello.}\n"
WRITE = (
    FAST
    + "steps:\n  - id: touch\n    run: [sh, -c, 'ls; echo changed > kept.txt; echo new > new.txt']\n"
    + ("  - id: answer\n    needs: [touch]\n    task: Say something.\n")
)


@pytest.fixture
def ask(project: Project) -> Project:
    project.write("ask.yaml", ASK)
    project.write("ask.sim.yaml", SCRIPT)
    return project


def report(project: Project, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    ended = project.run(*arguments, "--format", "json", "--quiet", timeout=120)
    assert ended.out, ended
    data = json.loads(ended.raw_out)
    assert data["exit_code"] == ended.code
    return ended.code, {row["fault"]: row for row in data["faults"]}


def test_a_table_of_what_is_survived(ask: Project) -> None:
    ended = ask.run("ask.yaml", "--faults", "cut-mid-line,no-token,unknown-tool,overflow-cut", timeout=120)
    assert ended.code == 1, ended
    text = re.sub(r" +\d+(\.\d)?s$", "", re.sub(r"127\.0\.0\.1:\w+", "127.0.0.1:PORT", ended.raw_out), flags=re.M)
    lines = text.splitlines()
    assert re.fullmatch(r"FAULT +RESULT +WHAT HAPPENED +TIME", lines[0])
    assert re.fullmatch(r"cut-mid-line +survived +retried after connection", lines[1])
    assert re.fullmatch(r"no-token +failed: auth +http://127\.0\.0\.1:PORT refuses the token: .*", lines[2])
    assert any(re.fullmatch(r"unknown-tool +not met +nothing to strike", line) for line in lines)
    assert any(re.fullmatch(r"overflow-cut +changed .*", line) for line in lines)
    assert lines[-1] == "4 faults: 1 survived, 1 failed, 1 changed, 1 not met"
    assert re.search(r"\d\.\ds +cut-mid-line: survived", ended.raw_err)
    assert ask.runs() == []


def test_all_survived_is_exit_code_0(ask: Project) -> None:
    code, rows = report(ask, "ask.yaml", "--faults", "status-503,no-done")
    assert code == 0
    assert [(row["verdict"], row["struck"], row["error"]) for row in rows.values()] == [("survived", 1, None)] * 2
    assert rows["status-503"]["attempts"] == 2
    assert rows["status-503"]["happened"] == ["retried after server"]


def test_a_script_elsewhere_an_input_and_a_model(project: Project) -> None:
    project.write("greet.yaml", ASK.replace("something.", "{{ inputs.what }}.") + "inputs: {what: {type: string}}\n")
    said = "models:\n  a: {loaded: true, turns: [{when: {user: Ada}, say: Hi}]}\n  b: {loaded: true}\n"
    project.write("other.yaml", said)
    arguments = ("greet.yaml", "-i", "what=Ada", "--model", "a", "--simulate", "other.yaml", "--faults", "empty-answer")
    assert report(project, *arguments)[0] == 0


def test_each_run_has_a_copy_of_what_git_knows_or_would_add(project: Project, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("mine")
    folder = project.folder / "inner"
    folder.mkdir()
    inner = Project(folder)
    inner.environment |= project.environment
    inner.write(".gitignore", "secret.txt\n.bridge/\n")
    for name in ("kept.txt", "secret.txt", "untracked.txt"):
        inner.write(name, "original\n")
    (folder / "link").symlink_to("kept.txt")
    (folder / "away").symlink_to(tmp_path / "outside.txt")
    inner.write("write.yaml", WRITE)
    inner.write("write.sim.yaml", SCRIPT)
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "kept.txt", "write.yaml"), ("commit", "-qm", "a")):
        subprocess.run([*git, *words], cwd=folder, check=True)
    before = sorted(
        (path.name, path.is_file() and path.read_text()) for path in folder.iterdir() if path.name != ".git"
    )
    code, rows = report(inner, "write.yaml", "--faults", "crash,status-500")
    after = sorted((path.name, path.is_file() and path.read_text()) for path in folder.iterdir() if path.name != ".git")
    assert (code, {row["verdict"] for row in rows.values()}) == (0, {"survived"})
    assert before == after


def test_without_a_script(project: Project) -> None:
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", "--faults", "all")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: `--faults` needs a simulator's script, and there is no `ask.sim.yaml`\n"
        "  = help: name one: `--simulate SCRIPT`; `bridge-run schema simulator` says how to write it\n"
    )


def test_bad_command_lines(ask: Project) -> None:
    unknown = ask.run("ask.yaml", "--faults", "stal")
    dry = ask.run("ask.yaml", "--faults", "stall", "--dry-run")
    endpoint = ask.run("ask.yaml", "--faults", "stall", "--endpoint", "http://127.0.0.1:9")
    assert (unknown.code, dry.code, endpoint.code) == (2, 2, 2)
    assert unknown.err == "error: there is no fault `stal`\n  = help: did you mean `stall`?\n"
    assert "`--faults` and `--dry-run` exclude each other" in dry.err
    assert "`--faults` and `--endpoint` exclude each other" in endpoint.err


def test_a_workflow_that_fails_without_any_fault(ask: Project) -> None:
    ask.write("ask.sim.yaml", "models:\n  qwen/qwen3-4b: {loaded: true}\n")
    ended = ask.run("ask.yaml", "--faults", "all")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith(
        "error: the workflow fails on the simulator even without a fault\n  = help: get that right first\n"
    )


def test_the_list(project: Project) -> None:
    listed = project.run("simulate", "--faults", "list")
    assert listed.code == 0
    assert "stall                 half of the answer, then silence\n" in listed.out
    assert len(listed.out.splitlines()) > 60
    missing = project.run("simulate")
    assert missing.code == 2
    assert "Missing argument 'SCRIPT'" in missing.err


def test_faults_of_a_served_script(project: Project) -> None:
    project.write("bad.yaml", "faults: [stal]\nmodels: {a: {faults: [old-server], turns: [{fault: load-memory}]}}\n")
    ended = project.run("simulate", "bad.yaml", "--faults", "crash")
    assert ended.code == 3
    for words in (
        "faults[0]: there is no fault `stal`",
        "did you mean `stall`?",
        "models.a.faults[0]: `old-server` strikes the whole server, not one model",
        "models.a.turns[0].fault: `load-memory` strikes a load or the whole server, not one answer",
    ):
        assert words in ended.err, ended.err
    assert project.run("simulate", "bad.yaml", "--faults", "list").code == 0


def test_an_interrupted_rehearsal_leaves_nothing_behind(ask: Project) -> None:
    process = ask.start("ask.yaml", "--faults", "silence,stall", group=True)
    wait_until(lambda: bool(processes_with("bridge-run-faults-")), "a rehearsal has begun")
    process.send_signal(signal.SIGINT)
    ended = ask.ended(process)
    assert (ended.code, ended.raw_err) == (130, "interrupted\n")
    assert processes_with("bridge-run-faults-") == []
