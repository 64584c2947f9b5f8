"""A document becomes a workflow: every noun once, the defaults merged, the findings about single values."""

from __future__ import annotations

import pytest
from kit.finding_text import shown

from runner.words.diagnostics import Diagnostic
from runner.words.errors import WorkflowError
from runner.words.spans import Span
from runner.workflow.decode import decode
from runner.workflow.document import parse_document
from runner.workflow.model import (
    Expectation,
    Input,
    ModelWish,
    OnError,
    Retry,
    RunLimits,
    RunWork,
    Server,
    Step,
    StepLimits,
    TaskWork,
    ToolWork,
)
from runner.workflow.schema import shape_findings

HEAD = "version: 1\nname: w\n"
STEPS = "steps:\n  - {id: s, task: t}\n"


def no_file(name):
    raise AssertionError(f"{name} was read")


def decoded(text, read_schema=no_file):
    document = parse_document(text, "folder/w.yaml")
    assert shape_findings(document) == ()
    return decode(document, read_schema)


def workflow(text, read_schema=no_file):
    made = decoded(text, read_schema)
    assert made.findings == ()
    return made.workflow


def step(keys, *, above="", read_schema=no_file):
    return workflow(f"{HEAD}{above}steps:\n  - {{id: s, {keys}}}\n", read_schema).steps[0]


def test_the_top():
    made = workflow(
        HEAD + "description: d\nsecrets: [A, B]\nlimits: {time: 1h, tokens: 5, parallel: 2, fail_fast: true}\n"
        'inputs: {p: {type: string, default: null}, q: {minimum: 3}}\noutputs: {x: ["{{ 1 }}"]}\n' + STEPS
    )
    assert (made.name, made.file, made.description, made.secrets) == ("w", "folder/w.yaml", "d", ("A", "B"))
    assert made.inputs == {
        "p": Input(name="p", schema={"type": "string"}, required=False, default=None),
        "q": Input(name="q", schema={"minimum": 3}, required=True),
    }
    assert made.limits == RunLimits(time=3600.0, tokens=5, parallel=2, fail_fast=True)
    assert made.outputs == {"x": ["{{ 1 }}"]}


def test_what_is_left_out():
    made = workflow(HEAD + STEPS)
    assert (made.description, made.secrets, made.models, made.servers, made.outputs) == ("", (), {}, {}, None)
    assert (made.default_model, made.default_sampling, made.limits) == (None, {}, RunLimits())
    assert made.steps == (Step(id="s", path=("steps", 0), work=TaskWork(task="t")),)


def test_models():
    made = workflow(
        HEAD + "models:\n  a: x/y\n  b: [p, q, r]\n  c:\n    id: z\n    fallback: [e]\n    load: {context_length: 9}\n"
        "    ttl: 10m\n    sampling: {seed: 1}\n    endpoint: far\n" + STEPS
    )
    assert made.models == {
        "a": ModelWish(id="x/y", path=("models", "a"), alias="a"),
        "b": ModelWish(id="p", path=("models", "b", 0), alias="b", fallback=("q", "r")),
        "c": ModelWish(
            id="z",
            path=("models", "c", "id"),
            alias="c",
            fallback=("e",),
            load={"context_length": 9},
            ttl=600.0,
            sampling={"seed": 1},
            endpoint="far",
        ),
    }


@pytest.mark.parametrize(("written", "name"), [("a", "a"), ("[a, b]", ("a", "b")), ("{id: a}", "steps[0].model")])
def test_the_model_of_a_step(written, name):
    made = workflow(f"{HEAD}steps:\n  - {{id: s, task: t, model: {written}}}\n")
    work = made.steps[0].work
    assert isinstance(work, TaskWork)
    assert work.model == name
    wish = ModelWish(id="a", path=("steps", 0, "model", "id"))
    assert made.models == ({"steps[0].model": wish} if written.startswith("{") else {})


def test_a_default_model_written_out():
    made = workflow(HEAD + "defaults: {model: {id: a, fallback: [b]}}\n" + STEPS)
    assert made.default_model == "defaults.model"
    assert made.models["defaults.model"].fallback == ("b",)


def test_servers():
    made = workflow(
        HEAD + "mcp_servers:\n  files: {builtin: files, root: src, write: true, timeout: 30s}\n"
        "  git: {command: g, args: [-n, 1.10, 0x1F, true], env: {A: 1, B: b}, cwd: /x, tools: ['a*'], isolate: true}\n"
        "  web: {url: 'http://x', headers: {H: 2.50}, transport: sse, start_timeout: 2m}\n  old: {from: f.json}\n"
        + STEPS
    )
    assert made.servers == {
        "files": Server(
            name="files", path=("mcp_servers", "files"), builtin="files", root="src", write=True, timeout=30.0
        ),
        "git": Server(
            name="git",
            path=("mcp_servers", "git"),
            command="g",
            args=("-n", "1.10", "0x1F", "true"),
            env={"A": "1", "B": "b"},
            cwd="/x",
            tools=("a*",),
            isolate=True,
        ),
        "web": Server(
            name="web",
            path=("mcp_servers", "web"),
            url="http://x",
            headers={"H": "2.50"},
            transport="sse",
            start_timeout=120.0,
        ),
        "old": Server(name="old", path=("mcp_servers", "old"), source="f.json"),
    }


def test_a_task():
    made = step(
        "task: t, system: y, model: m, mcp_servers: [a], tools: [a.b], sampling: {seed: 1}, context: fail, images: [i],"
        " name: n, needs: [x, z], when: true, join: none_failed, output: {type: object}, repair: 0, effects: none,"
        " on_error: {output: null}, retry: {attempts: 5, wait: 2s, max_wait: 3m, on: [timeout, server]},"
        " timeout: 500ms, limits: {rounds: 1, tool_calls: 2, tokens: 3, tool_result: 32KB},"
        " expect: [{that: a, message: b}, {run: [c, 1]}]"
    )
    at = ("steps", 0, "expect")
    assert made == Step(
        id="s",
        path=("steps", 0),
        work=TaskWork(
            task="t",
            system="y",
            model="m",
            servers=("a",),
            tools=("a.b",),
            sampling={"seed": 1},
            context="fail",
            images=("i",),
        ),
        name="n",
        needs=("x", "z"),
        written_needs=("x", "z"),
        when="true",
        join="none_failed",
        output_schema={"type": "object"},
        expect=(Expectation(path=(*at, 0), that="a", message="b"), Expectation(path=(*at, 1), run=("c", "1"))),
        repair=0,
        retry=Retry(attempts=5, wait=2.0, max_wait=180.0, on=frozenset({"timeout", "server"})),
        timeout=0.5,
        limits=StepLimits(rounds=1, tool_calls=2, tokens=3, tool_result=32 * 1024),
        on_error=OnError(do="output", output=None),
        effects="none",
    )


@pytest.mark.parametrize(
    ("keys", "work"),
    [
        ("tool: a.b.c, arguments: {x: [1]}", ToolWork(server="a", tool="b.c", arguments={"x": [1]})),
        ("run: [a, 1, false, '2']", RunWork(argv=("a", "1", "false", "2"))),
        ("run: ls | wc, shell: true, stdin: i, cwd: c", RunWork(shell="ls | wc", stdin="i", cwd="c")),
        ("run: [a], env: {A: 1.10, B: [1], C: c}", RunWork(argv=("a",), env={"A": "1.10", "B": [1], "C": "c"})),
        ("run: [a], output: json", RunWork(argv=("a",), parse_json=True)),
        ("run: [a], output: {type: array}", RunWork(argv=("a",), parse_json=True)),
    ],
)
def test_other_work(keys, work):
    assert step(keys).work == work


@pytest.mark.parametrize(
    ("keys", "when", "needs", "on_error"),
    [
        ("when: false", "false", (), OnError()),
        ("when: a > 1, needs: x, on_error: continue", "a > 1", ("x",), OnError(do="continue")),
    ],
)
def test_short_forms(keys, when, needs, on_error):
    made = step(f"task: t, {keys}")
    assert (made.when, made.needs, made.on_error) == (when, needs, on_error)


DEFAULTS = (
    "defaults: {model: m, timeout: 5s, retry: {attempts: 9, wait: 2s}, limits: {rounds: 7}, mcp_servers: [a],"
    " tools: [a.b], system: y, sampling: {seed: 1}}\n"
)


def test_defaults_fill_a_task():
    made = step("task: t", above=DEFAULTS)
    assert made.work == TaskWork(task="t", system="y", servers=("a",), tools=("a.b",))
    assert (made.timeout, made.retry, made.limits) == (5.0, Retry(attempts=9, wait=2.0), StepLimits(rounds=7))


def test_what_a_step_says_wins_key_by_key():
    made = step(
        "task: t, system: '', timeout: 1s, retry: {attempts: 1}, limits: {tokens: 3}, tools: [c]", above=DEFAULTS
    )
    assert made.work == TaskWork(task="t", system="", servers=("a",), tools=("c",))
    assert (made.timeout, made.retry, made.limits) == (
        1.0,
        Retry(attempts=1, wait=2.0),
        StepLimits(rounds=7, tokens=3),
    )


def test_a_step_with_servers_of_its_own_takes_no_default_tools():
    assert step("task: t, mcp_servers: [c]", above=DEFAULTS).work == TaskWork(task="t", system="y", servers=("c",))
    assert step("task: t, mcp_servers: []", above=DEFAULTS).work == TaskWork(task="t", system="y")


def test_defaults_of_models_stay_with_the_workflow():
    made = workflow(HEAD + DEFAULTS + "steps: [{id: s, run: [a]}]\n")
    assert (made.default_model, made.default_sampling) == ("m", {"seed": 1})
    assert made.steps[0].work == RunWork(argv=("a",))
    assert made.steps[0].timeout == 5.0


def test_a_schema_in_a_file():
    made = step("task: t, output: {schema: out.json}", read_schema=lambda name: {"title": name})
    assert made.output_schema == {"title": "out.json"}


def test_findings_about_a_schema_file_are_kept():
    def missing(name):
        raise WorkflowError([Diagnostic(code="BR232", message=f"there is no {name}", file="w.yaml")])

    made = decoded(HEAD + "steps: [{id: s, task: t, output: {schema: out.json}}]\n", missing)
    assert shown(made.findings) == "BR232 - error: there is no out.json"
    assert made.workflow.steps[0].output_schema is None


def test_values_that_only_decoding_can_judge():
    text = (
        HEAD + "models: {m: {id: i, ttl: 12345678901s}}\ndefaults: {timeout: 9999999999h}\n"
        "steps: [{id: s, task: t, limits: {tool_result: 9999999999999KB}}]\n"
    )
    assert shown(decoded(text).findings) == (
        "BR215 3:26-3:38 error: `12345678901s` is not a duration\n"
        "  help: write a whole number and a unit: 500ms, 30s, 10m, 2h\n"
        "BR215 4:21-4:32 error: `9999999999h` is not a duration\n"
        "  help: write a whole number and a unit: 500ms, 30s, 10m, 2h\n"
        "BR215 5:48-5:63 error: `9999999999999KB` is not a size\n"
        "  help: write a whole number and a unit: 32KB, 1MB"
    )


def test_places_of_what_later_stages_complain_about():
    text = (
        "version: 1\nname: w\nsecrets: [A]\ninputs:\n  p: {type: string}\nmodels:\n  m: {id: i, fallback: [j]}\n"
        "mcp_servers:\n  f: {builtin: files, tools: [read]}\ndefaults: {model: m}\nsteps:\n  - id: s\n    model: m\n"
        "    tools: [f.read]\n    mcp_servers: [f]\n    task: t\n"
    )
    spans = workflow(text).spans
    assert {path: spans[path] for path in SPANS} == SPANS
    assert spans.get(("steps", 1)) is None
    assert ("models", "m", "id") in spans
    assert len(spans) == len(list(spans)) == len(set(spans))


SPANS = {
    ("secrets", 0): Span(3, 11, 3, 12),
    ("inputs", "p"): Span(5, 3, 5, 4),
    ("models", "m"): Span(7, 3, 7, 4),
    ("models", "m", "id"): Span(7, 11, 7, 12),
    ("models", "m", "fallback", 0): Span(7, 25, 7, 26),
    ("mcp_servers", "f"): Span(9, 3, 9, 4),
    ("mcp_servers", "f", "builtin"): Span(9, 16, 9, 21),
    ("mcp_servers", "f", "tools", 0): Span(9, 31, 9, 35),
    ("defaults", "model"): Span(10, 19, 10, 20),
    ("steps", 0, "id"): Span(12, 9, 12, 10),
    ("steps", 0, "model"): Span(13, 12, 13, 13),
    ("steps", 0, "tools", 0): Span(14, 13, 14, 19),
    ("steps", 0, "mcp_servers", 0): Span(15, 19, 15, 20),
}
