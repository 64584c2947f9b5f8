"""Every way in which a file can be wrong, and all that a person is told about it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kit.project import Project
from kit.schema_keys import SchemaKey, schema_keys, with_key
from syrupy.assertion import SnapshotAssertion

pytestmark = pytest.mark.unmeasured  # many processes, and the rooms that they visit are measured in their own tests
HEAD = "version: 1\nname: bad\n"
STEPS = "steps:\n  - id: a\n    task: Go.\n"
GOOD = HEAD + STEPS
ALIASES = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))


def told(project: Project, content: str | bytes, name: str = "bad.yaml") -> str:
    """What ``check`` says about a file of this content."""
    project.write(name, content)
    return str(project.run("check", "--offline", name))


# --- the text -----------------------------------------------------------------------------------------------------

TEXTS: dict[str, str | bytes] = {
    "empty": "",
    "comments only": "# to do\n",
    "a list at the top": "- id: a\n  task: Go.\n",
    "a word at the top": "hello\n",
    "tabs": HEAD + "steps:\n\t- id: a\n\t  task: Go.\n",
    "duplicate keys": GOOD + "    task: Stay.\nname: twice\n",
    "200,000 nested brackets": HEAD + "steps: " + "[" * 200_000 + "]" * 200_000 + "\n",
    "200,000 open brackets": "[" * 200_000,
    "an alias bomb": HEAD + "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + ALIASES,
    "an alias of itself": HEAD + "steps: &s\n  - *s\n",
    "an alias of nothing": HEAD + "steps:\n  - id: a\n    task: *nobody\n",
    "more than 5 MB": GOOD + "#" * 5 * 1024 * 1024,
    "binary": b"\x7fELF\x02\x01\x01\0\0\0\0" + bytes(range(256)),
    "a picture": b"\x89PNG\r\n\x1a\n",
    "latin-1": HEAD.encode() + "description: Prüfung\n".encode("latin-1") + STEPS.encode(),
    "utf-16": GOOD.encode("utf-16"),
    "a control character": HEAD + "description: ring \a the bell\n" + STEPS,
    "an unquoted template": HEAD + "steps:\n  - id: a\n    task: {{ inputs.path }}\n",
    "an open quote": HEAD + 'steps:\n  - id: a\n    task: "Go.\n  - id: b\n    task: Stay.\n',
    "a colon in a text": HEAD + "steps:\n  - id: a\n    task: Answer this: why?\n",
    "a bad indent": HEAD + "steps:\n  - id: a\n   task: Go.\n",
    "a list item too far left": HEAD + "steps:\n  - id: a\n    needs:\n      - b\n     - c\n    task: Go.\n",
    "a missing bracket": HEAD + "secrets: [A, B\n" + STEPS,
    "a tag of python": HEAD + "steps:\n  - id: a\n    task: !!python/object/apply:os.system ['ls']\n",
    "two documents": GOOD + "---\n" + GOOD,
    "infinity": HEAD + "defaults: {sampling: {temperature: .inf}}\n" + STEPS,
}


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)
def test_a_bad_text(project: Project, snapshot: SnapshotAssertion, content: str | bytes) -> None:
    assert told(project, content) == snapshot


FINE: dict[str, str | bytes] = {
    "windows lines": GOOD.replace("\n", "\r\n"),
    "a byte order mark": "\ufeff" + GOOD,
    "a version of YAML": "%YAML 1.2\n---\n" + GOOD,
    "all three": "\ufeff%YAML 1.2\r\n---\r\n" + GOOD.replace("\n", "\r\n") + "...\r\n",
    "merge keys": HEAD + "steps:\n  - &base\n    id: a\n    task: Go.\n    timeout: 1m\n  - <<: *base\n    id: b\n",
    "no last newline": GOOD.removesuffix("\n"),
    "json": json.dumps({"version": 1, "name": "good", "steps": [{"id": "a", "run": ["true"]}]}),
}


@pytest.mark.parametrize("content", FINE.values(), ids=FINE)
def test_a_strange_text_that_is_fine(project: Project, content: str | bytes) -> None:
    good = "--- stdout\n1 workflow checked, nothing to complain about (models were not looked for)\n"
    assert told(project, content).endswith(good)


def test_windows_lines_and_merged_keys_run(project: Project) -> None:
    text = (
        "\ufeff%YAML 1.2\n---\nversion: 1\nname: echo\nsteps:\n  - &base\n    id: a\n    run: [echo, one]\n"
        '    env: {X: "1"}\n  - <<: *base\n    id: b\n    run:\n      - echo\n      - |\n        {{ steps.a.output }}\n'
        "        two\noutputs:\n  said: '{{ steps.b.output }}'\n"
    )
    project.write("echo.yaml", text.replace("\n", "\r\n").encode())
    ended = project.run("echo.yaml", "--quiet")
    assert (ended.code, ended.out.rstrip("\n")) == (0, "one\ntwo"), ended


# --- the shape ----------------------------------------------------------------------------------------------------

SHAPES = {
    "version 2": "version: 2\nname: Bad\nstepz: 3\n",
    "version as a text": "version: '1'\nname: bad\n" + STEPS,
    "no version": "name: bad\n" + STEPS,
    "nothing but a version": "version: 1\n",
    "on and yes": HEAD + "on: push\nyes: 1\nmcp_servers:\n  files: {builtin: files, write: yes}\n"
    "limits: {fail_fast: On}\nsteps:\n  - id: a\n    mcp_servers: [files]\n    task: Go.\n",
    "yes where a word may stand": HEAD + "steps:\n  - id: a\n    run: [make]\n    env: {VERBOSE: yes, QUIET: 'off'}\n",
    "keys of other tools": HEAD + "jobs:\n  - id: a\n    prompt: Go.\n    depends_on: [b]\n",
    "steps of other tools": HEAD + "steps:\n  - id: a\n    prompt: Go.\n    depends_on: [b]\n    if: always\n",
    "two kinds and none": HEAD + "steps:\n  - id: a\n    task: Go.\n    run: [ls]\n  - id: b\n    name: nothing\n",
    "keys of another kind": HEAD + "steps:\n  - id: a\n    run: [ls]\n    model: x\n    tools: [files]\n",
    "bad names": "version: 1\nname: My Flow\ninputs: {my-input: {}}\nsteps:\n  - id: Step One\n    task: Go.\n",
    "a command line": HEAD + "steps:\n  - id: a\n    run: ls -l\n    expect: [{run: make test}]\n",
    "numbers in quotes": HEAD + "limits: {parallel: '3', fail_fast: 'true'}\n" + STEPS + "    repair: three\n",
    "empty values": HEAD + "inputs:\nmodels:\n" + STEPS + "    needs:\n    output:\n",
    "out of range": HEAD + "defaults: {sampling: {temperature: 3, top_p: -1}}\nsteps:\n"
    "  - id: a\n    task: ''\n    repair: -1\n    join: all_suceeded\n",
    "a server of two kinds": HEAD + "mcp_servers:\n  x: {command: a, url: http://b}\n  y: {url: http://b, args: [c]}\n"
    + STEPS,
}  # fmt: skip


@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES)
def test_a_bad_shape(project: Project, snapshot: SnapshotAssertion, content: str) -> None:
    assert told(project, content) == snapshot


def misspelt(key: SchemaKey) -> str:
    """The key with its last letter doubled, or its first, whichever is no key."""
    name = key.name
    return next(word for word in (name + name[-1], name[0] + name) if word not in key.siblings)


def check_all(project: Project, files: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Check all files at once; the findings of each."""
    for name, data in files.items():
        project.write(f"all/{name}.yaml", json.dumps(data, indent=1))
    ended = project.run("check", "--offline", "--format", "json", "all")
    assert (ended.code, ended.err) == (3, "offline: models were not looked for\n")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in files}
    for finding in json.loads(ended.out)["findings"]:
        found[finding["file"].removeprefix("all/").removesuffix(".yaml")].append(finding)
    return found


def words_at(project: Project, finding: dict[str, Any]) -> str:
    """The words of the file that a finding of one line is about."""
    assert finding["line"] == finding["end_line"]
    line = (project.folder / finding["file"]).read_text().splitlines()[finding["line"] - 1]
    return line[finding["column"] - 1 : finding["end_column"] - 1]


def test_a_typo_in_every_key(project: Project) -> None:
    keys = {f"{number:03}": key for number, key in enumerate(schema_keys())}
    files = {number: with_key(key.holder, key.path, misspelt(key), None) for number, key in keys.items()}
    found = check_all(project, files)
    for number, key in keys.items():
        [typo] = [finding for finding in found[number] if finding["code"] == "BR217"]
        assert words_at(project, typo) == f'"{misspelt(key)}"'
        assert typo["message"] == f"unknown key `{misspelt(key)}`"
        assert typo["help"] == f"did you mean `{key.name}`?", str(key)


def wrong_value(key: SchemaKey) -> Any:
    """What people write by mistake: a word for a number or a list, a list for a word."""
    types = key.schema["type"]
    allowed = {types} if isinstance(types, str) else {*types}
    allowed |= {"integer"} if "number" in allowed else set()
    return next(v for t, v in (("string", "word"), ("array", ["item"]), ("integer", 7)) if t not in allowed)


def test_a_wrong_type_in_every_key(project: Project, snapshot: SnapshotAssertion) -> None:
    keys = {f"{number:03}": key for number, key in enumerate(schema_keys()) if "type" in key.schema}
    files = {number: with_key(key.holder, key.path, key.name, wrong_value(key)) for number, key in keys.items()}
    found = check_all(project, files)
    lines = []
    for number, key in keys.items():
        at_fault = [one for one in found[number] if one["code"] in {"BR219", "BR220"}]
        assert at_fault, str(key)
        lines += [f"{key}: {one['message'].partition(': ')[2]} -- {one['help']}" for one in at_fault]
    assert "\n".join(lines) == snapshot


# --- the meaning --------------------------------------------------------------------------------------------------

MEANINGS = {
    "several problems of different kinds in file order": HEAD
    + """\
inputs:
  path: {type: string}
  spare: {type: string, default: x}
models: {unused: some/model}
mcp_servers:
  files: {builtin: files, start_timeout: soon}
steps:
  - id: a
    timeout: 10 minutes
    needs: [zzz]
    mcp_servers: [fils]
    task: Look at {{ inputs.path | uper }}
  - id: b
    when: steps.a.output =
    tool: files.write
    retry: {wait: 1 s}
    limits: {tool_result: 3 pages}
  - id: a
    for_each: inputs.path
    task: Say {{ inputs.pth }} and {{ inputs.spare }}
outputs:
  all: "{{ steps.c.output }}"
""",
    "a circle of two": HEAD
    + "steps:\n  - id: a\n    needs: [b]\n    task: Go.\n  - id: b\n    needs: [a]\n    task: Go.\n",
    "a circle of one": HEAD + "steps:\n  - id: a\n    needs: a\n    task: Go.\n",
    "a circle of five": HEAD
    + "steps:\n"
    + "".join(f"  - id: s{n}\n    needs: [s{(n + 1) % 5}]\n    task: Go.\n" for n in range(5)),
    "a circle through templates": HEAD
    + """\
steps:
  - id: a
    task: |
      Read
        {{ steps.b.output }}
  - id: b
    needs: [c]
    task: Go.
  - id: c
    task: "{{ steps.a.output }}"
""",
    "a field that a later step cannot have": HEAD
    + """\
steps:
  - id: report
    task: |
      Fix this:

        {{ steps.scan.output.fil }} and {{ steps.scan.output.reason.x }}
      {{ steps.open.output.fil }} {{ steps.text.output.field }} {{ steps.scan.outptu }}
  - id: scan
    task: Look.
    output: {type: object, additionalProperties: false, properties: {file: {type: string}, reason: {type: string}}}
  - id: open
    task: Look.
    output: {type: object, properties: {file: {type: string}}}
  - id: text
    task: Say it.
""",
    "a part that an input cannot have": HEAD
    + """\
inputs:
  path: {type: string}
  spot: {type: object, additionalProperties: false, properties: {file: {type: string}}}
  many: {type: array, items: {type: string}}
  free: {}
steps:
  - id: a
    task: |
      {{ inputs.path.name }} and {{ inputs.spot.fil }},
      but {{ inputs.many[0].x }}, {{ inputs.many.first }}.
  - id: fine
    task: "{{ inputs.free.x.y }} {{ inputs.path.upper() }} {{ inputs.spot['file'] }} {{ inputs.many[1][0] }}"
""",
    "undefined names in block texts": HEAD
    + """\
inputs:
  path: {type: string}
steps:
  - id: literal
    task: |
      First {{ inputs.path }}, then
        {{ inputs.pth }} é 😀 {{ input.path }}

      and {{ steps.missing.output }}.
  - id: folded
    task: >-
      One {{ item.file }}
      two {{ inputs.path
      | uper }}

      three {{ secrets.TOKEN }} {{ run.name }}
  - id: quoted
    task: "tab\\there {{ inputs.pth }} \\u00e9 {{ inputs.pth }}"
  - id: plain
    task: go {{ inputs.pth }}
      on {{ nonsense }}
""",
    "broken templates": HEAD
    + """\
inputs:
  path: {type: string}
steps:
  - {id: open, task: "Look at {{ inputs.path"}
  - {id: comment, task: "{{ inputs.path }} {# note"}
  - {id: block, task: "{% if inputs.path %}yes"}
  - {id: other, task: "{% if inputs.path %}yes{% endfor %}"}
  - {id: tag, task: "{% include 'x' %}"}
  - {id: char, task: "{{ inputs.path ! }}"}
  - {id: empty, task: "{{ }}"}
  - {id: operator, task: "{{ inputs.path + }}"}
  - {id: quote, task: "{{ 'abc }}"}
  - {id: method, task: "{{ inputs.path.uper() }}"}
  - {id: filter, task: "{{ inputs.path | tojsn }}"}
  - {id: test, task: "{{ inputs.path is evn }}"}
""",
    "broken expressions": HEAD
    + """\
inputs:
  path: {type: string}
steps:
  - {id: a, task: "Go to {{ inputs.path }}"}
  - {id: braces, task: Go., when: "{{ inputs.path == 'x' }}"}
  - {id: assign, task: Go., when: inputs.path = 'x'}
  - {id: ampersands, task: Go., when: inputs.path && true}
  - {id: end, task: Go., when: inputs.path ==}
  - {id: bracket, task: Go., when: (inputs.path}
  - {id: check, task: Go., expect: [{that: output | lenght > 0}, {that: answer > 0}]}
""",
    "templates where none are expanded": HEAD
    + """\
inputs:
  path: {type: string, default: "{{ run.id }}"}
models: {m: "{{ steps.a.output }}"}
mcp_servers:
  files: {builtin: files, root: "{{ steps.a.output }}"}
steps:
  - id: a
    model: m
    mcp_servers: ["{{ inputs.path }}"]
    task: Go.
  - id: b
    shell: true
    run: |
      cd src
      ls "{{ inputs.path }}"
  - id: c
    model: "{{ item }}"
    task: Go to {{ steps.c.output }}
""",
    "secrets where they would be seen": HEAD
    + """\
secrets: [TOKEN]
mcp_servers:
  docs: {url: "https://x/?key={{ secrets.TOKEN }}", headers: {Authorization: "Bearer {{ secrets.TOKN }}"}}
steps:
  - id: a
    mcp_servers: [docs]
    task: |
      Log in with
        {{ secrets.TOKEN }}
  - id: b
    run: [curl, -H, "X: {{ secrets.TOKEN }}"]
    env: {TOKEN: "{{ secrets.TOKEN }}"}
outputs:
  token: "{{ secrets.TOKEN }}"
""",
    "servers and tools": HEAD
    + """\
mcp_servers:
  files: {builtin: files, tools: [raed, read, list]}
  git: {command: git-mcp, tools: [git_diff*, git_status]}
steps:
  - id: a
    mcp_servers: [fils]
    task: Go.
  - id: b
    mcp_servers: [files]
    tools: [files.wirte, files.write, files.search, git.git_log]
    task: Go.
  - id: c
    mcp_servers: [git]
    tools: [git.git_log, git.git_s*, "x*.y"]
    task: Go.
  - id: d
    tool: files.edit
  - id: e
    tool: fils.read
""",
    "unused things": HEAD
    + """\
inputs:
  path: {type: string}
secrets: [TOKEN]
models: {coder: some/model}
mcp_servers: {files: {builtin: files}}
steps:
  - id: a
    task: Go.
""",
    "unknown ids": HEAD + "steps:\n  - id: first\n    needs: [secnd]\n    task: Go.\n  - id: second\n    needs: [x]\n"
    "    task: Go.\n  - id: second\n    task: Go.\n",
    "schemas and files": HEAD
    + """\
inputs:
  count: {type: integer, default: three}
  kind: {type: string, pattern: "["}
mcp_servers:
  memory: {from: no-such.json}
steps:
  - id: a
    mcp_servers: [memory]
    task: Go {{ inputs.count }} {{ inputs.kind }}
    output: {type: objekt, required: file}
  - id: b
    task: Go.
    output: {schema: no-such.json}
""",
    "fan-outs that cannot work": HEAD
    + """\
inputs:
  path: {type: string}
steps:
  - id: survey
    task: Look at {{ inputs.path }}.
    output:
      type: object
      properties:
        targets:
          type: array
          items: {type: object, additionalProperties: false, properties: {file: {type: string}}}
  - id: fix
    for_each: steps.survey.output.targets
    as: spot
    task: Fix {{ item.file }}, {{ spot.fil }} ({{ loop.indx }}).
  - id: text
    for_each: inputs.path
    task: Go.
  - id: all
    for_each: steps.survey.output
    max_parallel: 2
    task: Go.
  - id: once
    max_parallel: 2
    as: steps
    task: Sum up {{ steps.fix.output.file }} and {{ steps.try.output[0].os }}.
  - id: try
    matrix: {os: [linux, windows], py: [3, 4], exclude: [{os: lunix}], include: [{os: mac}]}
    model: "{{ matrix.modl }}"
    when: matrix.os == 'window'
    task: Try it.
  - id: again
    task: Try.
    repeat: {until: output == previous.text, max: 3}
    when: loop.index > 1
""",
    "questions that change nothing": HEAD
    + """\
steps:
  - id: gate
    approve: Shall I?
    choices: [yes, no, later]
    default: never
    retry: {attempts: 2}
  - id: a
    needs: [gate]
    task: Go.
  - id: b
    when: steps.gate.status == 'failed' or steps.a.status == 'success'
    task: Go.
""",
    "comparisons that never hold": HEAD
    + """\
inputs:
  count: {type: integer, default: 3}
steps:
  - id: gate
    approve: Shall I?
  - id: a
    when: steps.gate.output == 'yess'
    task: |
      {% if inputs.count == '3' %}Three.{% endif %}
      {% if inputs.count < 'x' %}Less.{% endif %}
  - id: b
    when: steps.a.output in ['x', 3]
    task: Go.
""",
}


CALLED = """\
version: 1
name: called
inputs:
  path: {type: string}
  limit: {type: integer, default: 3}
steps:
  - id: look
    task: Look at {{ inputs.path }} and name {{ inputs.limit }}.
outputs:
  report: "{{ steps.look.output }}"
"""
CALLS = {
    "what is not declared": "workflow: ./called.yaml\n    with: {pth: src}",
    "what is not given": "workflow: ./called.yaml\n    with: {limit: 5}",
    "what does not fit": "workflow: ./called.yaml\n    with: {path: src, limit: '{{ steps.a.output }}'}",
    "an output that is not there": "workflow: ./called.yaml\n    with: {path: src}",
    "itself": "workflow: ./bad.yaml",
    "a file that is not there": "workflow: ./caled.yaml",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_bad_call(project: Project, snapshot: SnapshotAssertion, call: str) -> None:
    project.write("called.yaml", CALLED)
    content = f"{GOOD}  - id: call\n    {call}\n  - id: tell\n    task: Tell {{{{ steps.call.output.reprt }}}}.\n"
    assert told(project, content) == snapshot


@pytest.mark.parametrize("content", MEANINGS.values(), ids=MEANINGS)
def test_a_bad_meaning(project: Project, snapshot: SnapshotAssertion, content: str) -> None:
    assert told(project, content) == snapshot


def test_a_run_says_what_check_says(project: Project) -> None:
    content = MEANINGS["a circle of two"]
    checked = told(project, content).replace("offline: models were not looked for\n", "")
    ran = project.run("bad.yaml")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.rstrip() in checked
    assert project.runs() == []
