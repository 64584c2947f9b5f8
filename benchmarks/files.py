"""The workflow files that the bench runs, made as large as asked."""

from __future__ import annotations

import json
from pathlib import Path

HEAD = "version: 1\nname: {name}\ndefaults: {{model: {model}}}\n"
YES = '{type: string, enum: ["yes"]}'


def one_prompt(folder: Path) -> Path:
    """One step, no tools."""
    return _write(folder, "prompt", "steps:\n  - {id: ask, task: 'Step 0:'}\n")


def chain(folder: Path, length: int) -> Path:
    """So many steps, each reading the answer of the one before."""
    steps = ["  - {id: s0, task: 'Step 0:'}\n"]
    steps += [
        f'  - {{id: s{number}, task: "Step {number}: {{{{ steps.s{number - 1}.output }}}}"}}\n'
        for number in range(1, length)
    ]
    return _write(folder, f"chain-{length}", "steps:\n" + "".join(steps))


def fan(folder: Path, width: int, parallel: int) -> Path:
    """So many independent steps, ``parallel`` at once."""
    steps = "".join(f"  - {{id: s{number}, task: 'Step {number}'}}\n" for number in range(width))
    return _write(folder, f"fan-{width}-{parallel}", f"limits: {{parallel: {parallel}}}\nsteps:\n{steps}")


def failing(folder: Path, length: int, wait: str) -> Path:
    """A chain whose every step may need a second attempt, after ``wait``."""
    steps = "".join(f"  - {{id: s{n}, needs: [{f's{n - 1}' if n else ''}], task: 'Step {n}'}}\n" for n in range(length))
    retry = f"defaults: {{model: zero-model, retry: {{attempts: 2, wait: {wait}, max_wait: {wait}}}}}"
    path = _write(folder, f"failing-{length}", f"steps:\n{steps}")
    path.write_text(path.read_text("utf-8").replace("defaults: {model: zero-model}", retry), encoding="utf-8")
    return path


def refused(folder: Path, rounds: int) -> Path:
    """One step whose every answer is asked for again, so many times: a talk of growing length without tools."""
    check = "expect: [{that: 'false', message: not yet; think of it once more and say it again}]"
    step = f"{{id: ask, task: Say it with care., output: {YES}, {check}, repair: {rounds}, on_error: continue}}"
    return _write(folder, "refused", f"steps:\n  - {step}\n", model="tiny-noise")


def bounded(folder: Path) -> Path:
    """One prompt, answered in one word by any model."""
    return _write(folder, "bounded", f"steps:\n  - {{id: ask, task: Say it., output: {YES}}}\n", model="default")


def long_talk(folder: Path, rounds: int, text: str) -> Path:
    """An agent that reads so many files of ``text``, one a round, with the built-in tools; the files are made, too."""
    parts = folder / "parts"
    parts.mkdir(exist_ok=True)
    for number in range(rounds):
        (parts / f"part-{number}.txt").write_text(text, encoding="utf-8")
    limits = f"limits: {{rounds: {rounds + 5}, tool_calls: {rounds + 5}}}"
    step = f"{{id: read, mcp_servers: [files], tools: [files.read], {limits}, task: Read until told to stop.}}"
    return _write(folder, "talk", f"mcp_servers: {{files: {{builtin: files, root: parts}}}}\nsteps:\n  - {step}\n")


def tools(folder: Path, command: list[str]) -> Path:
    """An agent that calls the tool ``echo`` of one MCP server until it is told to stop."""
    server = json.dumps({"command": command[0], "args": command[1:]})
    step = "{id: loop, mcp_servers: [everything], tools: [everything.echo], task: Call echo until told to stop.}"
    return _write(folder, "tools", f"mcp_servers: {{everything: {server}}}\nsteps:\n  - {step}\n")


def realistic(folder: Path, length: int, name: str = "check") -> Path:
    """A file as people write them, for ``check``: blocks, schemas, templates, thirteen lines a step."""
    steps = "".join(_realistic_step(number) for number in range(length))
    body = "inputs:\n  topic: {type: string, default: tea}\nsteps:\n" + steps
    return _write(folder, f"{name}-{length}", body)


def _realistic_step(number: int) -> str:
    before = f"{{{{ steps.s{number - 1}.output.answer }}}}" if number else "nothing yet"
    return f"""\
  - id: s{number}
    name: Step {number}
    timeout: 5m
    retry: {{attempts: 2, wait: 1s}}
    task: |
      Write about {{{{ inputs.topic }}}}.
      So far: {before}
    output:
      type: object
      required: [answer]
      properties:
        answer: {{type: string}}
        score: {{type: integer, minimum: 0}}
"""


def _write(folder: Path, name: str, body: str, model: str = "zero-model") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(HEAD.format(name=name, model=model) + body, encoding="utf-8")
    return path
