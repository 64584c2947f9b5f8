"""Secrets where one forgets them: last words of a tool server, an early refusal, and every other place at once."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from kit.project import Ended, Project
from kit.simulator import simulator

SECRET = "s3cr3t-t0ken-of-mine"
TALKER = "import os, sys; sys.exit('cannot log in with ' + os.environ['TOKEN'])"


def workflow(command: str) -> str:
    return (
        "version: 1\nname: talk\nsecrets: [MY_TOKEN]\n"
        f'mcp_servers:\n  odd: {{command: {command}, args: [-c, "{TALKER}"], '
        'env: {TOKEN: "{{ secrets.MY_TOKEN }}"}}\n'
        "steps:\n  - id: talk\n    tool: odd.say\n"
    )


def everything(project: Project) -> str:
    """All that the run left on the disk, as one text."""
    files = [path for path in (project.folder / ".bridge").rglob("*") if path.is_file()]
    return "\n".join(path.read_text("utf-8", errors="replace") for path in files)


def test_a_server_that_says_its_secret_before_it_ends(project: Project) -> None:
    project.write("talk.yaml", workflow(sys.executable))
    ended = project.run("talk.yaml", env={"MY_TOKEN": SECRET})
    assert ended.code == 5, ended
    assert "cannot log in with [secret MY_TOKEN]" in ended.err
    assert SECRET not in ended.raw_err + ended.raw_out + everything(project)


def test_the_same_in_a_check_that_starts_servers(project: Project) -> None:
    project.write("talk.yaml", workflow(sys.executable))
    ended = project.run("check", "talk.yaml", "--tools", env={"MY_TOKEN": SECRET})
    assert ended.code == 5, ended
    assert "cannot log in with [secret MY_TOKEN]" in ended.err
    assert SECRET not in ended.raw_err + ended.raw_out


def test_the_result_of_a_run_that_could_not_begin_is_there_for_machines(project: Project) -> None:
    project.write("talk.yaml", workflow(sys.executable))
    ended = project.run("talk.yaml", "--output", "json", env={"MY_TOKEN": SECRET})
    assert ended.code == 5
    assert '"exit_code": 5' in ended.out
    assert SECRET not in ended.raw_out


# One run that meets its secret everywhere

TELLER = Path(__file__).parents[1] / "servers" / "teller.py"
TOKEN = 's3cr3t/t0ken+of="mine"?'
MODEL = "qwen/qwen3-8b"
BASIC = base64.b64encode(b"user:" + TOKEN.encode()).decode()
SPELLINGS = {
    "as it is": TOKEN,
    "in JSON": json.dumps(TOKEN)[1:-1],
    "in JSON in JSON": json.dumps(json.dumps(TOKEN)[1:-1])[1:-1],
    "in a URL": quote(TOKEN, safe=""),
    "in a URL, small letters": quote(TOKEN, safe="").lower(),
    "in a path": quote(TOKEN),
    "in a form": quote_plus(TOKEN),
    "in base64": base64.b64encode(TOKEN.encode()).decode().rstrip("="),
    "in base64 for URLs": base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("="),
    "in base64 after `user:`": BASIC[8:-4],
    "in base64 after `the token: `": base64.b64encode(b"the token: " + TOKEN.encode()).decode()[16:-4],
    "its beginning": "s3cr3t",
    "its middle": "t0ken",
}
STEPS = """\
version: 1
name: tell
secrets: [MY_TOKEN]
inputs: {word: {type: string}}
mcp_servers:
  near: {command: python, args: [TELLER], env: {TOKEN: "{{ secrets.MY_TOKEN }}"}}
  once: {command: python, args: [TELLER], isolate: true, env: {TOKEN: "{{ secrets.MY_TOKEN }}"}}
  far: {url: "http://127.0.0.1:PORT/mcp", headers: {Authorization: "Bearer {{ secrets.MY_TOKEN }}"}}
  lost: {url: "http://127.0.0.1:PORT/mcp", isolate: true, headers: {Authorization: "Bearer {{ secrets.MY_TOKEN }}"}}
  files: {builtin: files, root: ., write: true}
steps:
WAYS
  - {id: dies, tool: once.die}
  - {id: no, tool: once.refused}
  - {id: nor, tool: lost.refused}
  - id: command
    run: [sh, -c, 'printf "%s\\n" "$TOKEN"; printf "%s" "$TOKEN" >&2; printf %s "$TOKEN" | base64 -w0; exit 3']
    env: {TOKEN: "{{ secrets.MY_TOKEN }}"}
  - id: argv
    run: [python, keep.py, "{{ inputs.word }}"]
    artifacts: ["out-*"]
  - {id: stdin, run: [cat], stdin: "{{ inputs.word }}"}
  - {id: gate, approve: "Send {{ inputs.word }}?", choices: ["yes", "no"], default: "yes"}
  - {id: talk, mcp_servers: [near, far, files], task: "Say {{ inputs.word }}, {{ steps.argv.output }}"}
  - {id: shape, task: "As data: {{ inputs.word }}", output: {type: object, required: [token]}}
  - {id: refused, task: "Refuse {{ inputs.word }}"}
  - {id: wrong, task: "Wrong {{ inputs.word }}", expect: [{that: "output == 'x'", message: "no {{ output }}"}]}
  - {id: each, for_each: "[inputs.word, 'two']", task: "Each {{ item }}"}
  - {id: inner, workflow: ./inner.yaml, with: {word: "{{ inputs.word }}"}}
  - {id: bad, tool: files.read, arguments: {path: none, "{{ inputs.word }}": "{{ inputs.word }}"}}
outputs: {word: "{{ inputs.word }}", talk: "{{ steps.talk.output }}", out: "{{ steps.argv.output }}"}
"""
KEEP = """\
import sys, urllib.parse
with open("out-" + urllib.parse.quote(sys.argv[1], safe=""), "w") as file:
    file.write(sys.argv[1])
print(sys.argv[1])
"""
INSIDE = """\
version: 1
name: inner
inputs: {word: {type: string}}
steps:
  - {id: echo, run: [printf, "%s", "{{ inputs.word }}"]}
  - {id: say, task: "Inside {{ inputs.word }}"}
"""


def turns() -> list[dict[str, Any]]:
    """What the model says, in pieces of three characters: so that each secret lies across several."""
    said = f"It is {TOKEN}, or {BASIC}, or {quote(TOKEN, safe='')}."
    shout = {"tool": "near__text", "arguments": {"note": TOKEN}}
    write = {"tool": "files__write", "arguments": {"path": "said.txt", "content": f"{TOKEN} {BASIC}"}}
    unknown = {"tool": "near__nothing", "arguments": {TOKEN: [TOKEN]}}
    text = {"tool": "near__text", "arguments_text": '{note: "' + TOKEN + '"'}
    return [
        {"when": {"user": "^Say", "turn": 1}, "chunk": 3, "reasoning": said, "say": said, "call": [shout, write]},
        {"when": {"user": "^Say", "turn": 2}, "chunk": 3, "reasoning": said, "call": [unknown]},
        {"when": {"user": "^Say", "turn": 3}, "chunk": 3, "call": [text]},
        {"when": {"user": "^As data"}, "chunk": 3, "json": {"token": TOKEN, TOKEN: [BASIC]}},
        {"when": {"user": "^Refuse"}, "fault": {"error": {"status": 400, "body": {"error": f"{TOKEN} is refused"}}}},
        {"chunk": 3, "reasoning": said, "say": said},
    ]


@pytest.fixture
def told(project: Project) -> Iterator[Project]:
    server = subprocess.Popen([sys.executable, str(TELLER), "http"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    ways = ("text", "structured", "error", "image", "blob", "resource", "encoded", "log")
    lines = [f"  - {{id: {place}_{way}, tool: {place}.{way}}}" for place in ("near", "far") for way in ways]
    text = STEPS.replace("WAYS", "\n".join(lines)).replace("TELLER", str(TELLER)).replace("PORT", port)
    project.write("tell.yaml", text)
    project.write("inner.yaml", INSIDE)
    project.write("keep.py", KEEP)
    script = {"models": {MODEL: {"loaded": True, "tool_use": True, "max_context_length": 65536, "turns": turns()}}}
    with simulator(script) as url:
        project.environment["BRIDGE_RUN_ENDPOINT"] = url
        yield project
    server.kill()
    server.communicate()


def leaks(project: Project, *ended: Ended) -> dict[str, list[str]]:
    """Where a spelling of the secret is found: in what was written, also as a name, and in what was said.

    Not in what the workflow itself wrote into the project, and in the copies that it asked to keep.
    """
    texts = {f"stdout and stderr {number}": one.raw_out + one.raw_err for number, one in enumerate(ended)}
    for path in project.folder.rglob("*"):
        name = str(path.relative_to(project.folder))
        its_own = name == "said.txt" or path.name.startswith("out-")
        if path.is_file() and not its_own:
            texts[name] = f"{name}\n" + path.read_text("utf-8", errors="replace")
    return {
        name: found
        for name, text in texts.items()
        if (found := [how for how, spelling in SPELLINGS.items() if spelling in text])
    }


def unmasked_units(project: Project) -> set[str]:
    """The units of which the recording has no mask in any answer: where the secret did not come along."""
    lines = (project.folder / "tell.recording.jsonl").read_text("utf-8").splitlines()[1:]
    units: dict[str, str] = {}
    for line in map(json.loads, lines):
        unit = line.get("unit", "")
        units[unit] = units.get(unit, "") + json.dumps(line["answer"])
    return {unit for unit, answers in units.items() if unit and "[secret MY_TOKEN]" not in answers}


def test_a_secret_in_every_place_is_nowhere_to_be_found(told: Project) -> None:
    secret = {"MY_TOKEN": TOKEN}
    word = ("-i", f"word={TOKEN}")
    first = told.run("tell.yaml", *word, "--record", env=secret)
    assert first.code == 1, first
    steps = told.result()["steps"]
    assert {name for name, step in steps.items() if step["status"] == "failed"} >= {"dies", "command", "refused"}
    assert "[secret MY_TOKEN]" in steps["talk"]["output"]
    second = told.run("tell.yaml", *word, "--output", "json", env=secret)
    json.loads(second.out)
    more = [
        told.run("check", "tell.yaml", "--tools", env=secret),
        told.run("tell.yaml", *word, "--dry-run", env=secret),
        told.run("diff", "last~1", "last"),
        told.run("diff", "last~1", "last", "--format", "json"),
    ]
    assert leaks(told, first, second, *more) == {}
    assert unmasked_units(told) == {"near_image", "far_image", "gate"}  # in base64 of blobs; in the question
    replayed = told.run("tell.yaml", "--replay", "--strict", env={"PATH": "/nowhere"})  # nobody knows it here
    assert replayed.code == 1
    assert "is not in tell.recording.jsonl" not in replayed.err
    told.write(
        "tell.test.yaml",
        "workflow: tell.yaml\nrecording: tell.recording.jsonl\ncases:\n"
        "  - {name: seen, expect: {exit_code: 1}, snapshot: true}\n  - {name: wrong, expect: {outputs: {word: x}}}\n",
    )
    update = told.run("test", "--update")
    tests = told.run("test", "--junit", "report.xml")
    assert (update.code, tests.code) == (1, 1)
    assert "tell.test.yaml::seen   passed" in tests.out
    assert (told.folder / "__snapshots__").exists()
    assert leaks(told, replayed, update, tests) == {}
