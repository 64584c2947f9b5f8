"""The shape of a file: every key misspelt, every value of a wrong type, and the findings whole."""

from __future__ import annotations

import json

import pytest
from kit.finding_text import shape_text
from kit.schema_keys import BASE, SchemaKey, schema_keys, with_key

from runner.words.complaint import describe
from runner.words.errors import UsageError
from runner.words.schemas import check_schema
from runner.workflow.document import parse_document
from runner.workflow.schema import schema_text, shape_findings, workflow_schema

KEYS = tuple(schema_keys())
HEAD = "version: 1\nname: w\n"
STEPS = "steps:\n  - {id: s, task: t}\n"


def findings(data):
    """Shape findings of data written as JSON, which is YAML, and the document."""
    document = parse_document(json.dumps(data, ensure_ascii=False, indent=1), "w.yaml")
    return document, shape_findings(document)


def test_the_schema_is_legal_and_ships():
    assert check_schema(workflow_schema()) == ()
    assert json.loads(schema_text("workflow")) == workflow_schema()


def test_an_unknown_schema():
    with pytest.raises(UsageError) as caught:
        schema_text("worflow")
    assert caught.value.message == "there is no schema named `worflow`"
    assert caught.value.hint == "did you mean `workflow`?"


def test_the_smallest_workflow():
    assert findings(BASE)[1] == ()


# --- from the schema: every key ---------------------------------------------------------------------------------------

SAMPLES = {
    "string": "x", "integer": 1, "number": 1, "boolean": True, "array": ["x"], "object": {}, "null": None,
}  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_typo_in_every_key(key: SchemaKey):
    typo = misspelt(key)
    document, found = findings(with_key(key.holder, key.path, typo, None))
    unknown = [finding for finding in found if finding.code == "BR217"]
    assert [finding.message for finding in unknown] == [f"unknown key `{typo}`"]
    assert unknown[0].help == f"did you mean `{key.name}`?"
    assert unknown[0].span == document.key_span((*key.path, typo))
    assert not any(f"the key `{key.name}` is missing" in finding.message for finding in found)


def misspelt(key: SchemaKey) -> str:
    """The key with a letter doubled or two swapped, such that no other key is as near."""
    name = key.name
    candidates = [name[:-1] + name[-1] * 2, name[0] * 2 + name[1:], name[:-2] + name[-1] + name[-2]]
    return next(word for word in candidates if word not in key.siblings)


@pytest.mark.parametrize("key", [key for key in KEYS if "type" in key.schema], ids=str)
def test_a_wrong_type_for_every_key(key: SchemaKey):
    types = key.schema["type"]
    allowed = {types} if isinstance(types, str) else set(types)
    allowed |= {"integer"} if "number" in allowed else set()
    for name in ("object", "array", "boolean", "null", "string", "number"):
        value = 1.5 if name == "number" else SAMPLES[name]
        if name in allowed:
            continue
        document, found = findings(with_key(key.holder, key.path, key.name, value))
        at = (*key.path, key.name)
        wrong = [finding for finding in found if finding.span == document.span(at)]
        assert len(wrong) == 1, (name, found)
        assert wrong[0].message.startswith(f"`{key.name}`: expected "), name
        assert wrong[0].message.endswith(f", got {describe(value)}")
        assert wrong[0].code == "BR219"


def test_every_key_is_described():
    """Editors show it."""
    assert [str(key) for key in KEYS if not key.schema.get("description", "").endswith((".", "`"))] == []
    assert len({str(key) for key in KEYS}) == len(KEYS) > 150


# --- findings, whole ------------------------------------------------------------------------------------------------


def test_an_unknown_version_is_all_that_is_said():
    assert shape_text("version: 2\nnmae: x\nsteps: 3\n") == (
        "BR222 1:10-1:11 error: version `2` of the file format is not understood\n"
        "  help: write `version: 1`, the only one so far"
    )
    assert shape_text('version: "1"\n' + STEPS) == (
        "BR222 1:10-1:13 error: the version is a number, not a text\n  help: write `version: 1`, without quotes"
    )
    assert shape_text("version: true\n" + STEPS).startswith("BR222 1:10-1:14 error: version `true`")


def test_missing_keys():
    assert shape_text("description: x\n") == (
        "BR218 1:1-1:12 error: the key `name` is missing\n"
        "  help: add `name: refactor`\n"
        "BR218 1:1-1:12 error: the key `steps` is missing\n"
        "  help: add `steps:`\n"
        "BR218 1:1-1:12 error: the key `version` is missing\n"
        "  help: add `version: 1`"
    )


def test_on_and_yes_as_keys():
    assert shape_text(HEAD + "on: push\nyes: 1\n" + STEPS) == (
        "BR217 3:1-3:3 error: unknown key `on`\n"
        "  help: allowed here: version, name, description, inputs, secrets, models, mcp_servers, defaults, limits, "
        "workspace, steps, outputs\n"
        "BR217 4:1-4:4 error: unknown key `yes`\n"
        "  help: allowed here: version, name, description, inputs, secrets, models, mcp_servers, defaults, limits, "
        "workspace, steps, outputs"
    )


def test_steps_of_no_kind_and_of_two():
    text = (
        HEAD
        + "steps:\n  - id: a\n  - id: b\n    task: t\n    run: [x]\n  - id: c\n    tsk: t\n  - id: d\n    prompt: p\n"
    )
    assert shape_text(text) == (
        "BR224 4:5-4:7 error: this step needs exactly one of `task`, `tool`, `run`, `workflow` or `approve`; "
        "it has none\n"
        "BR224 7:5-7:8 error: this step needs exactly one of `task`, `tool`, `run`, `workflow` or `approve`; it has "
        "`task` and `run`\n"
        "  note 6:5-6:9: the first is here\n"
        "  help: keep one of them, or make two steps of it\n"
        "BR217 9:5-9:8 error: unknown key `tsk`\n"
        "  help: did you mean `task`?\n"
        "BR217 11:5-11:11 error: unknown key `prompt`\n"
        "  help: did you mean `task`?"
    )


def test_servers_of_no_kind_and_keys_of_another():
    text = HEAD + "mcp_servers:\n  a: {}\n  b c: {command: x}\n  d: {url: http://x, args: [1], write: yes}\n" + STEPS
    assert shape_text(text) == (
        "BR224 4:3-4:4 error: this MCP server needs exactly one of `command`, `url`, `builtin` or `from`; it has none\n"
        "BR220 5:3-5:6 error: `b c` cannot be a name in `mcp_servers`\n"
        "  help: use letters, digits, `_` and `-`\n"
        "BR217 6:22-6:26 error: `args` belongs to an MCP server with `command`\n"
        "  help: this is an MCP server with `url`: delete `args`\n"
        "BR217 6:33-6:38 error: `write` belongs to an MCP server with `builtin`\n"
        "  help: this is an MCP server with `url`: delete `write`\n"
        "BR219 6:40-6:43 error: `write`: expected true or false, got the text `yes`\n"
        "  help: write `true`"
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("depends_on: [a]", "did you mean `needs`?"),
        ("loop: [a]", "did you mean `repeat` or `for_each`?"),
        ("inputs: {a: b}", "did you mean `with`?"),
        ("temperature: 0.2", "write `sampling: {temperature: …}`"),
        ("retry: {max_attempts: 3}", "did you mean `attempts`?"),
        ("deny_tools: [a.b]", "nothing is excluded: list those that may be used, as `tools`"),
    ],
)
def test_what_other_tools_write_is_told_by_our_name(written, meant):
    assert f"help: {meant}" in step_text(f"task: t, {written}")


@pytest.mark.parametrize("steps", ["agents", "jobs", "nodes", "tasks"])
def test_the_steps_of_other_tools(steps):
    told = shape_text(f"{HEAD}{steps}:\n  - {{id: s, task: t}}\n")
    assert told.endswith("help: did you mean `steps`?")
    assert "`steps` is missing" not in told


def step_text(keys: str) -> str:
    return shape_text(f"{HEAD}steps:\n  - {{id: s, {keys}}}\n")


@pytest.mark.parametrize(
    ("keys", "finding"),
    [
        ("task: t, timeout: 30", "BR219 4:31-4:33 error: `timeout`: expected a duration, got the number 30\n"
         "  help: write a whole number and a unit: 500ms, 30s, 10m, 2h"),
        ("task: t, timeout: 30 s", "BR215 4:31-4:35 error: `30 s` is not a duration\n"
         "  help: write a whole number and a unit: 500ms, 30s, 10m, 2h"),
        ("task: t, limits: {tool_result: 3 KB}", "BR215 4:44-4:48 error: `3 KB` is not a size\n"
         "  help: write a whole number and a unit: 32KB, 1MB"),
        ("task: t, limits: {rounds: 0}", "BR220 4:39-4:40 error: `rounds`: expected at least 1, got 0"),
        ("task: t, output: json", "BR219 4:30-4:34 error: `output`: expected a mapping, got the text `json`\n"
         "  help: describe the answer by a JSON Schema; `output: json` belongs to a `run` step"),
        ("run: [a], output: jsn", "BR220 4:31-4:34 error: `output`: expected `json`, got `jsn`\n"
         "  help: did you mean `json`?"),
        ("task: t, output: {schema: a, type: b}", "BR217 4:42-4:46 error: unknown key `type`\n"
         "  help: allowed here: schema"),
        ("run: ls | wc", "BR219 4:18-4:25 error: `run`: expected a list, got the text `ls | wc`\n"
         "  help: write it as a list, `[program, argument]`, or add `shell: true`"),
        ("run: [ls], shell: true", "BR219 4:18-4:22 error: `run`: expected a text, got a list\n"
         "  help: with `shell: true` write one text"),
        ("run: [ls], system: x", "BR217 4:24-4:30 error: `system` belongs to a `task` step\n"
         "  help: this is a `run` step: delete `system`"),
        ("task: t, on_error: contineu", "BR220 4:32-4:40 error: `on_error`: expected `fail` or `continue`, got "
         "`contineu`\n  help: did you mean `continue`?"),
        ("task: t, tools: files.read", "BR219 4:29-4:39 error: `tools`: expected a list, got the text `files.read`\n"
         "  help: write it as a list: `[files.read]`"),
        ("task: 3", "BR219 4:19-4:20 error: `task`: expected a text, got the number 3\n  help: put it in quotes"),
        ("tool: read", "BR220 4:19-4:23 error: `tool`: `read` is not allowed\n"
         "  help: write the server and the tool: `server.tool`"),
        ("task: t, expect: [{}]", "BR224 4:31-4:33 error: this check needs exactly one of `that` or `run`; "
         "it has none"),
        ("task: t, for_each: a, matrix: {b: [1]}", "BR220 4:35-4:41 error: `for_each` and `matrix` exclude each other\n"
         "  help: keep one of them"),
        ("task: t, model: {fallback: [1]}", "BR218 4:22-4:27 error: the key `id` is missing\n"
         "  help: add `id: qwen/qwen3-coder-30b`\n"
         "BR219 4:41-4:42 error: item 1 of `fallback`: expected a text, got the number 1\n  help: put it in quotes"),
    ],
)  # fmt: skip
def test_a_step(keys, finding):
    assert step_text(keys) == finding


def test_a_step_that_is_no_mapping_is_one_finding():
    assert shape_text(HEAD + "steps: [3]\n") == (
        "BR219 3:9-3:10 error: item 1 of `steps`: expected a mapping, got the number 3"
    )


def test_names():
    text = "version: 1\nname: My Flow\ninputs:\n  a-b: {type: strng}\nsteps:\n  - {id: A1, task: t}\n"
    assert shape_text(text) == (
        "BR220 2:7-2:14 error: `name`: `My Flow` is not allowed\n"
        "  help: use lower-case words and digits joined by `-`\n"
        "BR220 4:3-4:6 error: `a-b` cannot be a name in `inputs`\n"
        "  help: use letters, digits and `_`, not beginning with a digit\n"
        "BR220 4:15-4:20 error: `type`: expected `string`, `number`, `integer`, `boolean`, `array`, `object` or "
        "`null`, got `strng`\n"
        "  help: did you mean `string`?\n"
        "BR220 6:10-6:12 error: `id`: `A1` is not allowed\n"
        "  help: use lower-case letters, digits and `_`, beginning with a letter"
    )
