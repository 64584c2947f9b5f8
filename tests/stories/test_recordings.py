"""A run that is written down, and the same run from nothing but that."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from kit.project import Ended, Project
from kit.simulator import simulator

from runner.app.recording.story import replay_run
from runner.app.request import RunRequest

MODEL = "qwen/qwen3-coder-30b"
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/recording.schema.json").read_text("utf-8"))
FLOW = """\
version: 1
name: flow
mcp_servers:
  files: {builtin: files, root: src, write: true}
  git: {command: mcp-server-git, args: [--repository, .]}
steps:
  - id: look
    mcp_servers: [files, git]
    task: |
      Look through the folder.
      Name what is there.
  - id: each
    for_each: [one, two, three]
    task: "Say {{ item }} of {{ run.id }}"
  - id: count
    run: [sh, -c, "pwd; wc -c src/a.py"]
  - id: status
    tool: git.git_status
    arguments: {repo_path: .}
    needs: [look]
  - id: sum
    task: "All: {{ steps.each.output | tojson }} {{ steps.count.output }}"
    expect:
      - run: [test, -f, src/a.py]
  - id: again
    when: steps.count.exit_code == 0
    workflow: ./inner.yaml
    with: {word: deep}
"""
INNER = """\
version: 1
name: inner
inputs: {word: {type: string}}
steps:
  - id: gate
    approve: Shall I?
    choices: ["yes", "no"]
    default: "yes"
  - id: say
    task: "Say {{ inputs.word }} after {{ steps.gate.output }}"
"""
TURNS: list[dict[str, Any]] = [
    {
        "when": {"user": "Look through", "turn": 1},
        "call": [
            {"tool": "files__read", "arguments": {"path": "a.py"}},
            {"tool": "files__list", "arguments": {}},
        ],
    },
    {
        "when": {"user": "Look through", "turn": 2},
        "call": [{"tool": "git__git_status", "arguments": {"repo_path": "."}}],
    },
    {"when": {"user": "Look through"}, "say": "There is a.py,\nand nothing else."},
    {"when": {"user": "All:"}, "say": "All of it."},
    {"when": {"user": "two"}, "say": "two, and a long answer in many pieces of a stream, for it has many words"},
    {"say": "fine"},
]


def script(turns: list[dict[str, Any]], **model: Any) -> Mapping[str, Any]:
    told = {"loaded": True, "tool_use": True, "max_context_length": 32768, **model}
    return {"models": {MODEL: {**told, "turns": turns}}}


@pytest.fixture
def flow(project: Project) -> Project:
    """A project under git, with a workflow of every kind of step."""
    project.write("src/a.py", "def f(): pass\n")
    project.write("flow.yaml", FLOW)
    project.write("inner.yaml", INNER)
    project.write(".gitignore", "*.jsonl\n.bridge/\n.config/\n.cache/\n")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(
            ["git", "-c", "user.email=a@example.org", "-c", "user.name=A", *words], cwd=project.folder, check=True
        )
    return project


def record(project: Project, *more: str, turns: list[dict[str, Any]] = TURNS, **env: str) -> Ended:
    with simulator(script(turns)) as url:
        return project.run("flow.yaml", "--record", *more, env={"BRIDGE_RUN_ENDPOINT": url, **env})


def recording(project: Project, name: str = "flow") -> list[dict[str, Any]]:
    """The lines, each as it fits the schema."""
    lines = [json.loads(line) for line in (project.folder / f"{name}.recording.jsonl").read_text("utf-8").splitlines()]
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    return lines


def lasting(result: Any) -> Any:
    """A result without ids, times and addresses: a recording knows a server by its name."""
    if isinstance(result, dict):
        return {
            name: lasting(value) for name, value in result.items() if name not in ("run", "seconds", "at", "endpoint")
        }
    return [lasting(value) for value in result] if isinstance(result, list) else result


def alone(project: Project, folder: Path) -> dict[str, str]:
    """An environment in which nothing can be started: PATH has the interpreter's own folder, without any server."""
    empty = folder / "nothing"
    empty.mkdir(exist_ok=True)
    return {"PATH": str(empty), "BRIDGE_RUN_ENDPOINT": "http://127.0.0.1:9"}


def test_what_was_recorded_runs_again_with_nothing_outside(flow: Project) -> None:
    first = record(flow)
    assert first.code == 0, first
    assert "recorded: flow.recording.jsonl" in first.err
    before = flow.result()
    kinds = {line.get("kind") for line in recording(flow)}
    assert kinds >= {"catalogue", "server", "chat", "call", "command", "answer"}
    shutil.rmtree(flow.folder / "src")  # nothing of it is read
    again = flow.run("flow.yaml", "--replay", "--strict", env=alone(flow, flow.folder))
    assert again.code == 0, again
    assert again.raw_out == first.raw_out
    assert lasting(flow.result()) == lasting(before)


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode != 0,
    reason="no namespace without a network can be made here",
)
def test_a_replay_needs_no_network_at_all(flow: Project) -> None:
    assert record(flow).code == 0
    command = ["unshare", "-rn", shutil.which("bridge-run", path=flow.environment["PATH"]), "flow.yaml", "--replay"]
    done = subprocess.run(command, cwd=flow.folder, env=flow.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_same_answers_make_the_same_file(flow: Project) -> None:
    assert record(flow).code == 0
    first = (flow.folder / "flow.recording.jsonl").read_bytes()
    assert record(flow, "--recording", "other.jsonl").code == 0
    other = (flow.folder / "other.jsonl").read_bytes()
    assert other.splitlines()[1:] == first.splitlines()[1:]
    heads = [json.loads(text.splitlines()[0]) for text in (first, other)]
    assert {name for name in heads[0] if heads[0][name] != heads[1][name]} == {"run", "began"}


CLOCKED = """\
version: 1
name: flow
mcp_servers:
  files: {builtin: files, root: src, write: true}
steps:
  - {id: day, task: "Say {{ run.id[:8] }} and {{ run.id | upper }}"}
  - {id: file, run: [echo, "out-{{ run.id | replace('-', '_') }}"]}
  - {id: write, tool: files.write, arguments: {path: "{{ run.id[:17] }}.txt", content: "of {{ run.id }}"}}
  - {id: note, task: "Keep {{ steps.file.output }}"}
outputs: {run: "{{ run.id }}", note: "{{ steps.note.output }}", file: "{{ steps.file.output }}"}
"""


def test_the_run_and_its_clock_are_those_of_the_recording(flow: Project) -> None:
    flow.write("flow.yaml", CLOCKED)
    first = record(flow)
    assert first.code == 0, first
    before, began = flow.result(), flow.journal()[0]["at"]
    head = recording(flow)[0]
    assert (head["run"], head["began"][:16]) == (before["run"], began[:16])
    for mode in ("all", "models", "tools"):
        with simulator(script(TURNS)) as url:
            env = {"BRIDGE_RUN_ENDPOINT": url} if mode == "tools" else {}
            ended = flow.run("flow.yaml", "--replay", *([] if mode == "all" else [mode]), env=env)
        assert ended.code == 0, ended
        assert ended.raw_out == first.raw_out
        assert flow.result()["outputs"] == before["outputs"]
        assert flow.result()["run"] != before["run"]  # its own folder bears its own name
        assert (flow.journal()[0]["at"] == head["began"]) == (mode == "all")


def test_what_is_recorded_anew_bears_the_id_of_the_rest(flow: Project) -> None:
    flow.write("flow.yaml", CLOCKED)
    record(flow)
    before = recording(flow)
    ended = record(flow, "--step", "note")
    assert ended.code == 0, ended
    assert recording(flow) == before
    assert flow.run("flow.yaml", "--replay", "--strict").code == 0


def test_a_recording_that_does_not_tell_the_id_of_its_run(flow: Project) -> None:
    flow.write("flow.yaml", "version: 1\nname: flow\nsteps:\n  - {id: one, run: [echo, '{{ run.id }}']}\n")
    record(flow)
    path = flow.folder / "flow.recording.jsonl"
    head, *rest = path.read_text("utf-8").splitlines()
    told = {name: value for name, value in json.loads(head).items() if name not in ("run", "began")}
    path.write_text("\n".join([json.dumps(told), *rest]) + "\n", "utf-8")
    ended = flow.run("flow.yaml", "--replay", "--strict")
    assert (ended.code, ended.raw_out) == (0, "00000000-000000-flow-0000\n")
    assert flow.journal()[0]["at"] == "2000-01-01T00:00:00.000Z"


def test_lines_stand_in_the_order_of_the_file(flow: Project) -> None:
    record(flow)
    units = [line["unit"] for line in recording(flow) if "unit" in line]
    assert list(dict.fromkeys(units)) == [
        "look", "each[0]", "each[1]", "each[2]", "count", "status", "sum", "again/gate", "again/say",
    ]  # fmt: skip


def test_one_changed_word_names_the_call_and_the_command(flow: Project) -> None:
    record(flow)
    flow.write("flow.yaml", FLOW.replace("Name what is there", "Name all that is there"))
    ended = flow.run("flow.yaml", "--replay")
    assert ended.code == 1
    failed = {name: step for name, step in flow.result()["steps"].items() if step["status"] == "failed"}
    assert list(failed) == ["look"]
    error = failed["look"]["error"]
    assert error["kind"] == "request"
    line = next(n for n, line in enumerate(recording(flow), 1) if line.get("unit") == "look")
    assert error["message"] == (
        "the request to the model of `look` (attempt 1, round 1) is not in flow.recording.jsonl; "
        f"line {line} is nearest:\n"
        "  messages[0].content: Look through the folder. Name [-what-]{+all that+} is there."
    )
    assert error["hint"] == (
        "the workflow has changed since it was recorded; "
        "`bridge-run flow.yaml --record --step look` records just that anew"
    )


def test_a_step_recorded_anew_leaves_the_other_lines_as_they_are(flow: Project) -> None:
    record(flow)
    before = (flow.folder / "flow.recording.jsonl").read_bytes().splitlines()
    flow.write("flow.yaml", FLOW.replace("Name what is there", "Name all that is there"))
    other = [*TURNS[:2], {"when": {"user": "all that"}, "say": "Only a.py."}, {"say": "never said again"}]
    ended = record(flow, "--step", "look", turns=other)
    assert ended.code == 0, ended
    after = (flow.folder / "flow.recording.jsonl").read_bytes().splitlines()
    changed = [json.loads(line).get("unit") for line in after if line not in before]
    assert set(changed) == {None, "look"}  # the first line tells the digest of the workflow
    assert [line for line in before[1:] if b'"unit": "look"' not in line] == [
        line for line in after[1:] if b'"unit": "look"' not in line
    ]
    ended = flow.run("flow.yaml", "--replay", "--strict")
    assert ended.code == 0, ended
    assert flow.result()["steps"]["look"]["output"] == "Only a.py."
    assert flow.run("flow.yaml", "--replay", "--strict").code == 0


def test_a_mismatch_fails_the_run_also_where_the_step_tolerates_it(flow: Project) -> None:
    record(flow)
    flow.write("flow.yaml", FLOW.replace("wc -c src/a.py", "wc -l src/a.py").replace(
        "  - id: count\n", "  - id: count\n    on_error: {output: nothing}\n"
    ))  # fmt: skip
    assert flow.run("flow.yaml", "--replay").code == 1


def test_what_was_recorded_and_not_used_is_told(flow: Project) -> None:
    record(flow)
    flow.write("flow.yaml", FLOW.replace("steps.count.exit_code == 0", "steps.count.exit_code == 1"))
    ended = flow.run("flow.yaml", "--replay")
    assert ended.code == 0
    assert "warning: 2 recorded exchanges were not used:\n" in ended.err
    assert "question of `again/gate` (attempt 1)" in ended.err
    ended = flow.run("flow.yaml", "--replay", "--strict")
    assert ended.code == 1
    assert "error: 2 recorded exchanges were not used:\n" in ended.err


def test_recorded_models_with_real_tools_touch_only_a_copy(flow: Project) -> None:
    turns = [
        {"when": {"turn": 1}, "call": [{"tool": "files__write", "arguments": {"path": "b.py", "content": "new"}}]},
        {"say": "written"},
    ]
    flow.write("flow.yaml", (
        "version: 1\nname: flow\nmcp_servers: {files: {builtin: files, root: src, write: true}}\n"
        "steps:\n  - id: add\n    mcp_servers: [files]\n    task: Write b.py\n"
        "  - id: see\n    needs: [add]\n    run: [cat, src/b.py]\n"
    ))  # fmt: skip
    assert record(flow, turns=turns).code == 0
    (flow.folder / "src/b.py").unlink()
    ended = flow.run("flow.yaml", "--replay", "models")
    assert ended.code == 0, ended
    assert ended.out == "new\n"
    assert not (flow.folder / "src/b.py").exists()


def test_recorded_tools_with_a_real_model_start_nothing(flow: Project) -> None:
    record(flow)
    shutil.rmtree(flow.folder / "src")
    with simulator(script([*TURNS[:2], {"say": "another answer"}])) as url:
        env = {**alone(flow, flow.folder), "BRIDGE_RUN_ENDPOINT": url}
        ended = flow.run("flow.yaml", "--replay", "tools", env=env)
    assert ended.code == 0, ended
    assert flow.result()["steps"]["look"]["output"] == "another answer"


def test_failures_and_waits_are_replayed_without_waiting(flow: Project) -> None:
    flow.write("flow.yaml", (
        "version: 1\nname: flow\nsteps:\n"
        "  - id: late\n    timeout: 1s\n    on_error: {output: late}\n    run: [sleep, '60']\n"
        "  - id: busy\n    retry: {attempts: 3, wait: 500ms}\n    task: Say busy\n"
        "  - id: bad\n    on_error: continue\n    run: [sh, -c, 'echo no >&2; exit 3']\n"
    ))  # fmt: skip
    turns = [{"when": {"turn": 1}, "fault": "status-503", "times": 1}, {"say": "fine"}]
    ended = record(flow, turns=turns)
    before = flow.result()
    assert ended.code == 0, ended
    answers = [line["answer"] for line in recording(flow)[1:]]
    assert any("cancelled" in answer for answer in answers)
    assert [answer["error"]["class"] for answer in answers if "error" in answer] == ["LLMResponseError"]
    assert flow.run("flow.yaml", "--replay", "--strict").code == 0
    assert lasting(flow.result()) == lasting(before)


def test_a_hundred_replays_give_the_same_bytes(flow: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert record(flow).code == 0
    monkeypatch.chdir(flow.folder)
    monkeypatch.setenv("PATH", str(flow.folder / "nowhere"))
    results: set[str] = set()

    def keep(outcome: Mapping[str, Any], *_: Any, **__: Any) -> None:
        results.add(json.dumps(lasting(outcome)))

    for number in range(100):
        flow.write("flow.yaml", FLOW.replace("steps:", f"limits: {{parallel: {number % 5 + 1}}}\nsteps:", 1))
        request = RunRequest(file="flow.yaml", replay="all", quiet=True, run_dir=f".bridge/many/{number}")
        assert replay_run(request, os.environ, keep) == 0
    assert len(results) == 1


def test_one_item_recorded_anew(flow: Project) -> None:
    record(flow)
    before = (flow.folder / "flow.recording.jsonl").read_bytes().splitlines()
    other = [{"when": {"user": "two"}, "say": "TWO"}, {"say": "never said"}]
    ended = record(flow, "--re-record", "each[1]", turns=other)
    assert ended.code == 1, ended  # what reads all items meets another one, and is named
    assert flow.result()["steps"]["sum"]["error"]["hint"].endswith(
        "`bridge-run flow.yaml --record --step sum` records just that anew"
    )
    after = (flow.folder / "flow.recording.jsonl").read_bytes().splitlines()
    assert [json.loads(line).get("unit") for line in after if line not in before] == ["each[1]"]
    assert len(after) == len(before)


def test_the_command_line_answers_before_the_recording_does(flow: Project) -> None:
    assert record(flow).code == 0
    ended = flow.run("flow.yaml", "--replay", "--answer", "again/gate=no")
    assert ended.code == 1  # the prompt behind it is another one
    [change] = [line for line in ended.err.splitlines() if "Say deep" in line and line.startswith("    ")]
    assert change.strip() == "again/say` (attempt 1, round 1)" or "[-yes-]{+no+}" in change


def test_what_pauses_is_recorded_so_far_and_pauses_again(flow: Project) -> None:
    flow.write("flow.yaml", (
        "version: 1\nname: flow\nsteps:\n  - {id: one, run: [echo, hi]}\n"
        "  - {id: gate, needs: [one], approve: Sure?, choices: ['yes', 'no']}\n"
    ))  # fmt: skip
    assert record(flow).code == 8
    assert [line["kind"] for line in recording(flow)[1:]] == ["command"]
    assert flow.run("flow.yaml", "--replay").code == 8
    ended = flow.run("resume", flow.runs()[-1].name, "--answer", "gate=yes")
    assert ended.code == 2
    assert "error: what was replayed from a recording is not resumed" in ended.err


def test_the_inputs_of_the_recording_hold_unless_others_are_given(flow: Project) -> None:
    flow.write("flow.yaml", (
        "version: 1\nname: flow\ninputs: {word: {type: string}}\nsteps:\n"
        "  - {id: say, run: [echo, '{{ inputs.word }}']}\n"
    ))  # fmt: skip
    assert record(flow, "-i", "word=one").code == 0
    ended = flow.run("flow.yaml", "--replay")
    assert (ended.code, ended.out) == (0, "one\n")
    ended = flow.run("flow.yaml", "--replay", "-i", "word=two")
    assert ended.code == 1
    assert "argv[1]: [-one-]{+two+}" in ended.err


def test_models_that_the_run_loads_are_loaded_again_without_a_server(flow: Project) -> None:
    first, second = "qwen/qwen3-8b", "mistralai/magistral-small-2509"
    flow.write("flow.yaml", (
        f"version: 1\nname: flow\nsteps:\n  - {{id: a, model: {first}, task: Say a}}\n"
        f"  - {{id: b, model: {second}, task: Say b}}\n  - {{id: c, model: {first}, task: Say c}}\n"
    ))  # fmt: skip
    model = {"loaded": False, "max_context_length": 32768, "turns": [{"say": "fine"}]}
    with simulator({"models": {first: model, second: model, "another/model": model}}) as url:
        ended = flow.run("flow.yaml", "--record", env={"BRIDGE_RUN_ENDPOINT": url})
    assert ended.code == 0, ended
    before = flow.result()
    [listed] = [line for line in recording(flow) if line.get("kind") == "catalogue"]
    assert {one["key"] for one in listed["answer"]["catalogue"]["models"]} == {first, second}
    steps = [{"step": f"flow/{step}", "seconds": seconds} for step, seconds in (("a", 0.01), ("b", 500), ("c", 0.01))]
    measured = Path(flow.environment["XDG_CACHE_HOME"]) / "bridge-run" / "measured.json"
    measured.parent.mkdir(parents=True, exist_ok=True)
    measured.write_text(json.dumps({"version": 1, "loads": [], "steps": steps}), encoding="utf-8")
    assert flow.run("flow.yaml", "--replay", "--strict").code == 0
    assert lasting(flow.result()) == lasting(before), "what this machine has measured changes no replay"


EXAMPLES = Path(__file__).parents[2] / "workflows"


@pytest.mark.parametrize("name", sorted(path.name.partition(".")[0] for path in EXAMPLES.glob("*.recording.jsonl")))
def test_every_example_runs_from_its_recording(project: Project, name: str) -> None:
    shutil.copytree(EXAMPLES, project.folder / "workflows")
    ended = project.run(f"workflows/{name}.yaml", "--replay", "--strict", env=alone(project, project.folder))
    assert ended.code == 0, ended


def test_there_is_a_recording_for_every_example() -> None:
    examples = {path.stem for path in EXAMPLES.glob("*.yaml") if "." not in path.stem}
    assert {path.name.partition(".")[0] for path in EXAMPLES.glob("*.recording.jsonl")} == examples


# Secrets

SECRET = "s3cr3t/t0ken+of=mine?"
FORMS = (
    SECRET,
    json.dumps(SECRET)[1:-1],
    urllib.parse.quote(SECRET, safe=""),
    urllib.parse.quote_plus(SECRET),
    base64.b64encode(SECRET.encode()).decode().rstrip("="),
    base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    base64.b64encode(b"user:" + SECRET.encode()).decode()[8:-4],
    base64.b64encode(b"ab:c" + SECRET.encode()).decode()[8:-4],
)


def test_a_secret_is_nowhere_on_the_disk_whatever_its_form(flow: Project) -> None:
    flow.write("tell.py", (
        "import base64, os, urllib.parse\ns = os.environ['TOKEN']\n"
        "print(s, urllib.parse.quote(s, safe=''), base64.b64encode(('user:' + s).encode()).decode())\n"
        "print(base64.urlsafe_b64encode(s.encode()).decode(), base64.b64encode(('ab:c' + s).encode()).decode())\n"
    ))  # fmt: skip
    flow.write("flow.yaml", (
        "version: 1\nname: flow\nsecrets: [MY_TOKEN]\n"
        "mcp_servers: {files: {builtin: files, root: ., write: true}}\nsteps:\n"
        "  - id: tell\n    run: [python, tell.py]\n    env: {TOKEN: '{{ secrets.MY_TOKEN }}'}\n"
        "  - id: say\n    mcp_servers: [files]\n    task: 'Repeat {{ steps.tell.output }}'\n"
    ))  # fmt: skip
    flow.write("private.txt", f"the token: {SECRET}\n")
    turns = [
        {"when": {"turn": 1}, "call": [{"tool": "files__read", "arguments": {"path": "private.txt"}}]},
        {"say": f"It is {SECRET}, I am sure, and in base64 {base64.b64encode(SECRET.encode()).decode()}!"},
    ]
    ended = record(flow, turns=turns, MY_TOKEN=SECRET)
    assert ended.code == 0, ended
    answer = recording(flow)[-1]["answer"]["answer"]
    assert answer["content"] == "It is [secret MY_TOKEN], I am sure, and in base64 [secret MY_TOKEN]!"
    assert sum(sum(lengths) for kind, lengths in answer["stream"] if kind == "content") == len(answer["content"])
    left = [path for path in flow.folder.rglob("*") if path.is_file() and path.name not in ("private.txt", "tell.py")]
    told = "\n".join(path.read_text("utf-8", errors="replace") for path in left) + ended.raw_out + ended.raw_err
    assert [form for form in FORMS if form in told] == []
    before = flow.result()
    ended = flow.run("flow.yaml", "--replay", "--strict")  # the secret need not be set
    assert ended.code == 0, ended
    assert lasting(flow.result()) == lasting(before)


# What cannot be replayed


def wrong(project: Project, change: Callable[[str], str]) -> Ended:
    record(project)
    path = project.folder / "flow.recording.jsonl"
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    return project.run("flow.yaml", "--replay")


def test_there_is_no_recording(flow: Project) -> None:
    ended = flow.run("flow.yaml", "--replay")
    assert (ended.code, ended.err) == (
        2,
        "error: there is no recording `flow.recording.jsonl`\n  = help: `bridge-run flow.yaml --record` makes it\n",
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "", "flow.recording.jsonl:1: it is empty"),
        (lambda text: text.replace('"version": 1', '"version": 9', 1),
         "flow.recording.jsonl:1: it is of version 9 (written by bridge-run 0.1.0), and this bridge-run reads "),
        (lambda text: "{}\n" + text, "flow.recording.jsonl:1: it is no recording of bridge-run"),
        (lambda text: text.replace("\n", "\nnonsense\n", 1), "flow.recording.jsonl:2: it is not JSON: "),
        (lambda text: text.replace("\n", "\n<<<<<<< ours\n", 1),
         "flow.recording.jsonl:2: it holds marks of a merge conflict"),
        (lambda text: text.replace('"workflow": "flow"', '"workflow": "other"', 1),
         "flow.recording.jsonl:1: it was recorded from the workflow `other`, and `flow.yaml` is another one: `flow`"),
    ],
)  # fmt: skip
def test_a_recording_that_cannot_be_used(flow: Project, change: Callable[[str], str], words: str) -> None:
    flow.write("flow.yaml", "version: 1\nname: flow\nsteps:\n  - {id: one, run: [echo, hi]}\n")
    ended = wrong(flow, change)
    assert ended.code == 3, ended
    assert ended.err.startswith(f"error: {words}"), ended.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--step", "look"], "`--step` belongs to `--record`"),
        (["--strict"], "`--strict` belongs to `--replay`"),
        (["--recording", "x"], "`--recording` belongs to `--record` or `--replay`"),
        (["--record", "--replay"], "`--record` and `--replay` exclude each other"),
        (["--replay", "--simulate", "x.yaml"], "`--replay` and `--simulate` exclude each other"),
    ],
)
def test_options_that_make_no_sense_together(flow: Project, options: list[str], words: str) -> None:
    ended = flow.run("flow.yaml", *options)
    assert ended.code == 2
    assert f"Error: {words}" in ended.err


def test_a_step_to_record_anew_that_is_not_there(flow: Project) -> None:
    record(flow)
    ended = record(flow, "--step", "lok")
    assert ended.code == 2
    assert ended.err.endswith("error: `--step lok`: `flow.yaml` has no step `lok`\n  = help: did you mean `look`?\n")


def test_a_recording_that_cannot_be_written(flow: Project) -> None:
    flow.write("flow.yaml", "version: 1\nname: flow\nsteps:\n  - {id: one, run: [echo, hi]}\n")
    ended = flow.run("flow.yaml", "--record", "--recording", "no/such/place.jsonl")
    assert ended.code == 6
    assert "error: the recording `no/such/place.jsonl` cannot be written: No such file or directory" in ended.err
