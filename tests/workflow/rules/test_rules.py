"""The rules of meaning: whole findings, as a reader of the file meets them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kit.rule_text import findings, loaded, steps


def needs(*ids: str) -> str:
    return f"task: Work.\nneeds: [{', '.join(ids)}]"


def test_a_circle_of_one(tmp_path: Path) -> None:
    assert findings(tmp_path, steps(needs("a"))) == [
        "BR205 6:13 step `a` waits for itself: a -> a | take it out of its own `needs`"
    ]


def test_a_circle_of_two_written_and_read(tmp_path: Path) -> None:
    assert findings(tmp_path, steps(needs("b"), 'task: "{{ steps.a.output }}"')) == [
        "BR205 6:13 these steps wait for each other: a -> b -> a | take out one of these needs (`b` reads `a` here 8)"
    ]


def test_a_circle_of_five_and_another_one(tmp_path: Path) -> None:
    body = steps(needs("b"), needs("c"), needs("d"), needs("e"), needs("a"), needs("g"), needs("f"))
    assert [line.split(" | ")[0] for line in findings(tmp_path, body)] == [
        "BR205 6:13 these steps wait for each other: a -> b -> c -> d -> e -> a",
        "BR205 21:13 these steps wait for each other: f -> g -> f",
    ]


def test_what_hangs_on_a_circle_is_no_circle(tmp_path: Path) -> None:
    body = steps(needs("b"), needs("c"), needs("b"))
    assert [line.split(" | ")[0] for line in findings(tmp_path, body)] == [
        "BR205 9:13 these steps wait for each other: b -> c -> b"
    ]


def test_one_need_without_a_list(tmp_path: Path) -> None:
    assert findings(tmp_path, steps("task: Look.", "task: Work.\nneeds: aa")) == [
        "BR204 8:12 step `b` needs `aa`, which does not exist | did you mean `a`?"
    ]
    assert loaded(tmp_path, steps("task: Look.", "task: Work.\nneeds: a")).workflow.step("b").needs == ("a",)


def test_needs_are_inferred_from_every_place_in_file_order(tmp_path: Path) -> None:
    body = steps(
        "task: One.",
        "run: [echo, two]",
        "task: Three.",
        "task: Four.",
        "run: [echo, '{{ steps.d.output }}']\nneeds: [d]\nwhen: steps.c.status == 'succeeded'\n"
        "env: {X: '{{ steps.b.exit_code }}'}\non_error: {output: '{{ steps.a.output }}'}",
        "task: Six.\nexpect:\n  - that: output != steps.b.output\n  - run: [echo, '{{ steps.a.output }}']",
    )
    workflow = loaded(tmp_path, body).workflow
    assert workflow.step("e").needs == ("a", "b", "c", "d")
    assert workflow.step("e").written_needs == ("d",)
    assert workflow.step("f").needs == ("a", "b")
    assert workflow.folder == str(tmp_path)


def test_duplicate_ids(tmp_path: Path) -> None:
    body = "steps:\n  - {id: a, task: One.}\n  - {id: a, task: Two.}\n"
    assert findings(tmp_path, body) == [
        "BR203 5:10 there are two steps named `a` | give one of them another `id` (first defined here 4)"
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('task: "{{ steps.b.output }}"', "BR207 5:15 there is no step `b` | the only step is `a`"),
        ('task: "{{ item.file }}"', "BR207 5:15 `item` exists only in a step with `for_each`"),
        (
            'task: "{{ output }}"',
            "BR207 5:15 `output` exists only in `expect` and `repeat`: it is the answer that is being checked",
        ),
        ('task: "{{ previous }}"', "BR207 5:15 `previous` exists only in a step with `repeat`"),
        ('task: "{{ run.name }}"', "BR207 5:15 `run` has no `name` | a run has `run.id`"),
        (
            'task: "{{ nothing }}"',
            "BR207 5:15 `nothing` is not defined | here one may use `inputs`, `run`, `steps`",
        ),
        (
            'task: "{{ error.kind }}"',
            "BR207 5:15 `error` exists only in `on_error.output`: it is what went wrong in the step",
        ),
        ('task: "{{ inputs.x }}"', "BR206 5:15 there is no input `x` | declare it: `inputs: {x: {type: string}}`"),
        ('task: "{{ steps.a.output }}"', "BR234 5:15 step `a` reads its own result | name another step"),
        (
            'task: "x"\nwhen: "{{ true }}"',
            "BR225 6:11 `when` is an expression already, it takes no braces | write `when: true`",
        ),
        ("task: x\nwhen: run.id ==", "BR216 6:18 this expression is broken: it ends before it is complete"),
        ("task: |\n  line\n  {{ run.id | uper }}", "BR209 7:19 there is no filter `uper` | did you mean `upper`?"),
        (
            "task: >\n  folded\n  text {{ nothing }}",
            "BR207 7:15 `nothing` is not defined | here one may use `inputs`, `run`, `steps`",
        ),
        (
            "task: \"{% include 'x' %}\"",
            "BR216 5:15 the tag `include` is not allowed in a workflow: a template reads data and nothing else",
        ),
        (
            'task: x\nmodel: "{{ steps.a.output }}"',
            "BR234 6:16 no step has a result here: this is settled before the first step starts"
            " | use `inputs`, or a `matrix` of models",
        ),
        (
            'task: x\nmodel: "{{ run.id }}"',
            "BR228 6:16 `run` cannot be used here"
            " | a model's name may use only `inputs`, and `matrix` in a step that has one: every model is found before"
            " anything starts",
        ),
        (
            "task: x\noutput: {schema: none.json}",
            "BR232 6:22 there is no file `none.json` | the path starts at the folder of the workflow file",
        ),
        (
            "tool: files.read",
            "BR213 5:11 there is no MCP server `files` | define it under `mcp_servers` at the top of the file",
        ),
    ],
)
def test_one_step_alone(tmp_path: Path, lines: str, expected: str) -> None:
    found = findings(tmp_path, steps(lines))
    shown = [line for line in found if line == expected]
    assert shown == [expected], found


NAMED = "task: x\noutput: {type: object, properties: {file: {type: string}}}"


@pytest.mark.parametrize(
    ("first", "use", "expected"),
    [
        (
            "task: x",
            "steps.a.output.file",
            "BR208 `steps.a.output` is a text, which has no `file` | give step `a` an `output` schema,"
            " so that it answers with fields",
        ),
        (
            "run: [ls]",
            "steps.a.output.file",
            "BR208 `steps.a.output` is a text, which has no `file` | give step `a` an `output` schema,"
            " so that it answers with JSON",
        ),
        ("run: [ls]\noutput: json", "steps.a.output.file", ""),
        ("run: [ls]", "steps.a.exit_code", ""),
        ("run: [ls]", "steps.a.stderr.x", "BR208 `steps.a.stderr` is a text, which has no `x`"),
        ("task: x", "steps.a.status.name", "BR208 `steps.a.status` is a text, which has no `name`"),
        (
            "task: x",
            "steps.a.exit_code",
            "BR207 `steps.a` has no `exit_code` | a step has `output`, `status`, `error`, `artifacts`; what it"
            " answered is in `output`",
        ),
        (
            "task: x",
            "steps.a.error.kin",
            "BR208 `steps.a.error` has no `kin` (it has `kind`, `message`) | did you mean `kind`?",
        ),
        ("task: x", "steps.a.outptu", "BR207 `steps.a` has no `outptu` | did you mean `output`?"),
        ("task: x", "steps.a.output.upper()", ""),
        (
            "task: x\noutput: {type: array, items: {type: object, additionalProperties: false,"
            " properties: {file: {type: string}}}}",
            "steps.a.output[0].fle",
            "BR208 `steps.a.output[0]` has no `fle` (it has `file`) | did you mean `file`?",
        ),
        (
            "task: x\noutput: {type: array, items: {type: object}}",
            "steps.a.output.file",
            "BR208 `steps.a.output` is a list, which has no `file` | take it of all items with"
            " `steps.a.output | map(attribute='file')`, or go through them by `for_each`",
        ),
        (
            NAMED,
            "steps.a.output.fle",
            "BR229 the schema of `steps.a.output` does not name `fle` | did you mean `file`?",
        ),
        (NAMED, "steps.a.output.other", ""),
        (
            NAMED,
            "steps.a.output.file.name",
            "BR208 `steps.a.output.file` is a text, which has no `name`",
        ),
        (
            "task: x\noutput: {anyOf: [{type: string}, {type: object, properties: {file: {}},"
            " additionalProperties: false}]}",
            "steps.a.output.file",
            "",
        ),
        (
            "task: x\noutput: {$ref: '#/$defs/t', $defs: {t: {type: object, additionalProperties:"
            " false, properties: {n: {$ref: '#/$defs/t'}}}}}",
            "steps.a.output.n.n.m",
            "BR208 `steps.a.output.n.n` has no `m` (it has `n`)",
        ),
    ],
)
def test_what_a_step_answers(tmp_path: Path, first: str, use: str, expected: str) -> None:
    found = findings(tmp_path, steps(first, f'task: "{{{{ {use} }}}}"'))
    assert [re.sub(r" \d+:\d+", "", line, count=1) for line in found] == ([expected] if expected else [])


FILES = "mcp_servers:\n  files: {builtin: files}\n  git: {command: g, tools: [git_diff*, git_log]}\n"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "mcp_servers: [files, git]\ntools: [files.raed]\ntask: x",
            "the built-in files have no tool `raed` | did you mean `read`?",
        ),
        (
            "mcp_servers: [files, git]\ntools: [files.write]\ntask: x",
            "`files.write` changes files, and the server `files` is read-only | give `files` the key `write: true`",
        ),
        ("mcp_servers: [files, git]\ntools: [files, 'git.git_*', 'files.*']\ntask: x", ""),
        (
            "mcp_servers: [files, git]\ntools: [git.git_commit]\ntask: x",
            "the server `git` does not let `git_commit` be used | its `tools` are `git_diff*`, `git_log`",
        ),
        (
            "mcp_servers: [git]\ntools: [files.read]\ntask: '{{ run.id }}'",
            "this step does not use the server `files` | add it: `mcp_servers: [git, files]`",
        ),
        (
            "mcp_servers: [files, git]\ntools: ['x*.y']\ntask: x",
            "no server of this step matches `x*.y` | its servers are `files`, `git`",
        ),
        ("mcp_servers: [files, git]\ntools: [git.git_diff_staged]\ntask: x", ""),
    ],
)
def test_tools(tmp_path: Path, lines: str, expected: str) -> None:
    found = [line for line in findings(tmp_path, FILES + steps(lines)) if not line.startswith("BR231")]
    assert [line.split(" ", 2)[2] for line in found] == ([expected] if expected else [])
    assert all(line.startswith("BR214") for line in found)


def test_secrets(tmp_path: Path) -> None:
    body = (
        "secrets: [TOKEN, OTHER]\nmcp_servers:\n"
        '  web: {url: "https://x.example/{{ secrets.TOKEN }}", headers: {A: "{{ secrets.TOKEN }}"}}\n'
        + steps("mcp_servers: [web]\ntask: x", 'run: [ls]\nenv: {A: "{{ secrets.TOKN }}"}')
    )
    assert findings(tmp_path, body) == [
        "BR211 5:36 the secret `TOKEN` would be seen here"
        " | secrets go into `env` or `headers` of an MCP server, or into `env` of a `run` step",
        "BR211 12:18 there is no secret `TOKN` | did you mean `TOKEN`?",
    ]


def test_what_is_unused_is_a_warning(tmp_path: Path) -> None:
    body = "inputs: {p: {type: string}}\nsecrets: [T]\nmodels: {m: x}\n" + FILES + steps("task: x")
    assert [line.split(" | ")[0] for line in findings(tmp_path, body)] == [
        "BR230 3:10 nothing uses the input `p`",
        "BR231 4:11 nothing uses the secret `T`",
        "BR231 5:10 nothing uses the model `m`",
        "BR231 7:3 nothing uses the MCP server `files`",
        "BR231 8:3 nothing uses the MCP server `git`",
    ]


def test_an_input_in_braces_where_none_belong_is_used(tmp_path: Path) -> None:
    body = "inputs: {p: {type: boolean, default: true}}\n" + steps("task: x\nwhen: '{{ inputs.p }}'")
    assert [line.split(" ")[0] for line in findings(tmp_path, body)] == ["BR225"]


def test_schemas_and_defaults(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    (tmp_path / "illegal.json").write_text('{"type": "objekt"}', encoding="utf-8")
    body = "inputs: {n: {type: integer, maximum: 3, default: 9}}\n" + steps(
        "task: '{{ inputs.n }}'\noutput: {schema: broken.json}", "task: x\noutput: {schema: illegal.json}"
    )
    found = findings(tmp_path, body)
    assert [line.split(" ")[0] for line in found] == ["BR233", "BR226", "BR226"]
    assert "the schema file `broken.json` is no JSON" in found[1]
    assert "the schema file `illegal.json` is no legal JSON Schema at `type`" in found[2]


def test_a_schema_file_is_read_beside_the_workflow(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"type": "object", "additionalProperties": false}', encoding="utf-8")
    found = findings(tmp_path, steps("task: x\noutput: {schema: s.json}", 'task: "{{ steps.a.output.x }}"'))
    assert [line.split(" ")[0] for line in found] == ["BR208"]


def test_templates_where_none_is_expanded(tmp_path: Path) -> None:
    body = 'description: "all {{ braces }} are fine here"\n' + steps(
        "task: x\nname: '{{ x }}'\ntimeout: 5m\nneeds: ['{{ run.id }}']"
    )
    assert [line.split(" ")[0] for line in findings(tmp_path, body)] == ["BR204", "BR228"]


def test_a_template_that_a_shell_would_read(tmp_path: Path) -> None:
    body = "inputs: {p: {type: string, default: x}}\n" + steps('shell: true\nrun: ls "{{ inputs.p }}"')
    assert [line for line in findings(tmp_path, body) if line.startswith("BR210")] == [
        'BR210 7:14 a shell command takes no templates | pass the value by `env: {NAME: "{{ … }}"}` and write "$NAME"'
        " in the command"
    ]
