"""What speaks against asking a model for a step: the findings, word for word, and what allows them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.chat.catalogue import Catalogue, EndpointCatalogue, Instance, ModelEntry
from runner.plan.make import make_plan
from runner.plan.overrides import Overrides
from runner.words.errors import CannotServeError
from runner.words.spans import Span
from runner.workflow.document import parse_document
from runner.workflow.load import load_document
from runner.workflow.model import Workflow

URL = "http://one"
GOOD = ModelEntry(
    key="m", type="llm", loaded=False, tool_use=True, vision=True, max_context_length=131_072, variants=("m@q4",)
)


def catalogue(*entries: ModelEntry, **server) -> Catalogue:
    facts = {"flavour": "lmstudio-v1", "manages": True, "loads_on_demand": True, **server}
    return Catalogue((EndpointCatalogue(endpoint=URL, models=entries, **facts),))


def workflow(text: str) -> Workflow:
    return load_document(parse_document(f"version: 1\nname: w\n{text}", "w.yaml")).workflow


def findings(text: str | Workflow, have: Catalogue, *rest) -> list[str]:
    file = text if isinstance(text, Workflow) else workflow(text)
    try:
        found = make_plan(file, have, *rest).findings
    except CannotServeError as error:
        found = error.diagnostics
    return [f"{one.level} {one.code} {one.span.line if one.span else '-'}: {one.message} | {one.help}" for one in found]


PLAIN = "steps:\n  - id: a\n    model: m\n    task: Go.\n"
TOOLS = "mcp_servers:\n  files: {builtin: files}\n" + PLAIN.replace("    task", "    mcp_servers: [files]\n    task")
SCHEMA = PLAIN + "    output: {type: object}\n"
SEES = PLAIN + "    images: [a.png]\n"
LONG = PLAIN.replace("Go.", "x" * 35_000)


def thinking(*options: str, default: str | None = "on") -> ModelEntry:
    return replace(GOOD, reasoning_options=options, reasoning_default=default)


def reasons(setting: str) -> str:
    return PLAIN + f"    sampling: {{reasoning: {setting}}}\n"


def loaded(context: int | None, **rest) -> ModelEntry:
    return replace(GOOD, loaded=True, instances=(Instance(id="m", context_length=context, **rest),))


def with_load(load: str, steps: str = PLAIN) -> str:
    return f"models:\n  c:\n    id: m\n    {load}\n" + steps.replace("model: m", "model: c")


@pytest.mark.parametrize(
    ("text", "have"),
    [
        (PLAIN, catalogue(GOOD)),
        (TOOLS, catalogue(GOOD)),
        (TOOLS, catalogue(replace(GOOD, tool_use=None))),
        (SEES, catalogue(replace(GOOD, vision=None))),
        (SEES, catalogue(GOOD)),
        (SCHEMA, catalogue(GOOD)),
        (SCHEMA, catalogue(thinking("off", "on", default=None))),
        (SCHEMA, catalogue(thinking("off", "on", default="off"))),
        (SCHEMA + "    sampling: {reasoning: off}\n", catalogue(thinking("off", "on"))),
        (SCHEMA, catalogue(thinking("off", "on"), flavour="llama.cpp")),
        (reasons("off"), catalogue(thinking("off", "on"))),
        (reasons("on"), catalogue(thinking("low", "high"))),
        (reasons("low"), catalogue(GOOD)),
        (TOOLS + "    output: {type: object}\n", catalogue(GOOD)),
        (TOOLS, catalogue(loaded(16_384))),
        (TOOLS, catalogue(loaded(4_096))),
        (TOOLS, catalogue(loaded(None))),
        (LONG, catalogue(replace(GOOD, max_context_length=None))),
        (with_load("load: {context_length: 4096}"), catalogue(GOOD)),
        (with_load("ttl: 10m"), catalogue(GOOD)),
        (with_load("ttl: 10m"), catalogue(GOOD, manages=False)),
    ],
)
def test_a_normal_file_on_a_normal_server_is_quiet(text, have):
    assert findings(text, have) == []


@pytest.mark.parametrize(
    ("text", "have", "said"),
    [
        (
            TOOLS,
            catalogue(replace(GOOD, tool_use=False)),
            "warning BR305 7: step `a` uses tools, and its model `m` was not trained for them"
            " | it may still work; a model with tool use will do better",
        ),
        (
            SEES,
            catalogue(replace(GOOD, vision=False)),
            "error BR306 5: step `a` shows pictures, and its model `m` cannot see"
            " | name a model with vision, or leave `images` out",
        ),
        (
            LONG,
            catalogue(replace(GOOD, max_context_length=8_192)),
            "error BR307 5: step `a` needs about 11,030 tokens, and its model `m` holds 8,192 at most"
            " | hand it less text, lower `limits.tool_result` or `max_tokens`, or name a model that holds more",
        ),
        (
            TOOLS,
            catalogue(replace(GOOD, max_context_length=2_048)),
            "warning BR307 7: step `a` needs about 2,555 tokens, and its model `m` holds 2,048 at most"
            " | hand it less text, lower `limits.tool_result` or `max_tokens`, or name a model that holds more",
        ),
        (
            with_load("load: {context_length: 1000}"),
            catalogue(GOOD),
            "error BR308 6: `load` gives `m` a context of 1,000 tokens, and its steps need about 1,031"
            " | ask for at least 1,031, or lower `limits.tool_result` or `max_tokens`",
        ),
        (
            with_load("load: {context_length: 2048}", TOOLS),
            catalogue(GOOD),
            "warning BR308 6: `load` gives `m` a context of 2,048 tokens, and its steps need about 2,555"
            " | ask for at least 2,555, or lower `limits.tool_result` or `max_tokens`",
        ),
        (
            with_load("load: {context_length: 200000}"),
            catalogue(GOOD),
            "warning BR309 6: `load` asks for a context of 200,000 tokens, and `m` has at most 131,072"
            " | ask for 131,072 at most",
        ),
        (
            TOOLS,
            catalogue(loaded(2_048)),
            "warning BR316 7: `m` is loaded, but its context is 2,048 tokens, and 2,555 are wanted: "
            "it will be loaded anew | unload it or load it like that yourself, "
            "so that two copies need not be in memory",
        ),
        (
            TOOLS,
            catalogue(loaded(2_048), manages=False, flavour="llama.cpp"),
            "warning BR316 7: `m` is served with a context of 2,048 tokens, and its steps need about 2,555"
            " | start its server with a longer context, or lower `limits.tool_result` or `max_tokens`",
        ),
        (
            PLAIN,
            catalogue(loaded(512), manages=False, flavour="llama.cpp"),
            "error BR316 5: `m` is served with a context of 512 tokens, and its steps need about 1,031"
            " | start its server with a longer context, or lower `limits.tool_result` or `max_tokens`",
        ),
        (
            reasons("off"),
            catalogue(thinking("low", "medium", "high")),
            "warning BR317 5: `reasoning: off` for step `a`, and its model `m` cannot stop thinking"
            " | it knows `low`, `medium`, `high`; `low` is sent",
        ),
        (
            reasons("off"),
            catalogue(thinking("on")),
            "warning BR317 5: `reasoning: off` for step `a`, and its model `m` cannot stop thinking"
            " | it knows `on`; `medium` is sent",
        ),
        (
            reasons("low"),
            catalogue(thinking("off", "on")),
            "warning BR317 5: `reasoning: low` for step `a`, and its model `m` has no such setting"
            " | it knows `off`, `on`; `low` is sent, and the server takes what is nearest",
        ),
        (
            TOOLS,
            catalogue(replace(GOOD, tool_use=None), flavour="lmstudio-v0", manages=False),
            "warning BR319 7: http://one is an LM Studio older than 0.4: it loads models with settings of its own,"
            " and whether they can do the work of step `a` is not known"
            " | update it; until then load the models by hand, with enough context",
        ),
        (
            PLAIN,
            catalogue(replace(GOOD, vision=None, tool_use=None), flavour="lmstudio", manages=False),
            "warning BR319 5: http://one is an LM Studio older than 0.3.6: it loads models with settings of its own"
            " | update it; until then load the models by hand, with enough context",
        ),
        (
            with_load("load: {flash_attention: true}"),
            catalogue(GOOD, manages=False),
            "warning BR320 6: `load` has no effect on `m`: the server http://one cannot be told how to load a model"
            " | start the server with these settings, and delete `load`",
        ),
        (
            with_load("ttl: 10m"),
            catalogue(GOOD, manages=False, loads_on_demand=False),
            "warning BR320 6: `ttl` has no effect on `m`: the server http://one cannot be told how to load a model"
            " | delete `ttl`",
        ),
        (
            SCHEMA,
            catalogue(GOOD, flavour="openai", manages=False),
            "warning BR321 7: nobody knows whether http://one enforces the `output` schema of step `a`"
            " | answers are judged in any case, and sent back up to `repair` times",
        ),
        (
            SCHEMA,
            catalogue(thinking("off", "on")),
            "warning BR322 5: step `a` has an `output` schema, and its model `m` thinks before it answers"
            " | some versions of LM Studio lose the answer among the thoughts; `sampling: {reasoning: off}` is safer",
        ),
        (
            SCHEMA,
            catalogue(thinking("low", "high", default="low")),
            "warning BR322 5: step `a` has an `output` schema, and its model `m` thinks before it answers"
            " | some versions of LM Studio lose the answer among the thoughts; it is looked for there",
        ),
        (
            TOOLS + "    output: {type: object}\n    repair: 0\n",
            catalogue(GOOD),
            "warning BR323 11: step `a` has tools and an `output` schema, and `repair: 0` allows no second try"
            " | no server enforces a schema beside tools: allow a `repair`, or let a step after it write the answer",
        ),
    ],
)
def test_every_finding(text, have, said):
    assert findings(text, have) == [said]


def test_fallbacks_are_judged_too_but_only_as_warnings():
    text = "models:\n  c: {id: m, fallback: [blind]}\n" + SEES.replace("model: m", "model: c")
    have = catalogue(GOOD, ModelEntry(key="blind", type="llm", loaded=False, vision=False, max_context_length=512))
    assert [one.partition(" | ")[0] for one in findings(text, have)] == [
        "warning BR306 7: step `a` shows pictures, and its fallback `blind` cannot see",
        "warning BR307 7: step `a` needs about 1,831 tokens, and its fallback `blind` holds 512 at most",
    ]


PARALLEL = "steps:\n" + "".join(
    f"  - {{id: {name}, model: m, task: Go., sampling: {{max_tokens: 3000}}}}\n" for name in "abc"
)


def test_steps_at_once_that_need_more_than_they_share():
    have = catalogue(loaded(8_192, parallel=4, shared_context=True))
    assert findings(PARALLEL, have) == [
        "warning BR318 4: steps `a`, `b` and `c` may run at once on `m`, whose requests share 8,192 tokens"
        " | they need about 9,021 together, so some will wait; a context as long as that ends the waiting"
    ]


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (PARALLEL, loaded(16_384, parallel=4, shared_context=True)),
        (PARALLEL, loaded(8_192, parallel=2, shared_context=True)),
        (PARALLEL, loaded(8_192, parallel=4)),
        ("limits: {parallel: 2}\n" + PARALLEL, loaded(8_192, parallel=4, shared_context=True)),
        (
            PARALLEL.replace("id: b", "id: b, needs: [a]").replace("id: c", "id: c, needs: [b]"),
            loaded(8_192, parallel=4, shared_context=True),
        ),
    ],
)
def test_steps_that_have_their_room(text, entry):
    assert findings(text, catalogue(entry)) == []


def test_what_a_server_leaves_open_is_told_once():
    steps = "".join(f"  - {{id: {name}, model: m, task: Go., output: {{type: object}}}}\n" for name in "ab")
    [said] = findings("steps:\n" + steps, catalogue(GOOD, flavour="openai", manages=False))
    assert "the `output` schema of steps `a` and `b`" in said


UNTRAINED = catalogue(replace(GOOD, tool_use=False))
ALIAS = with_load("sampling: {seed: 1}", TOOLS)


@pytest.mark.parametrize(
    "text",
    [
        TOOLS.replace("- id: a", "- id: a  # bridge: allow BR305"),
        TOOLS.replace("model: m", "model: m  # bridge: allow BR305, BR329"),
        TOOLS.replace("    model: m", "    # bridge: allow BR305\n    model: m"),
        ALIAS.replace("  c:\n", "  c:  # bridge: allow BR305\n"),
        ALIAS.replace("  c:\n", "  # bridge: allow BR305\n  c:\n"),
    ],
)
def test_a_comment_allows_it(text):
    assert findings(text, UNTRAINED) == []


def test_a_comment_before_the_first_key_allows_it_everywhere():
    text = f"# bridge: allow BR305\nversion: 1\nname: w\n{TOOLS}"
    assert findings(load_document(parse_document(text, "w.yaml")).workflow, UNTRAINED) == []


def test_a_comment_allows_an_error_that_may_be_wrong():
    text = SEES.replace("model: m", "model: m  # bridge: allow BR306")
    assert findings(text, catalogue(replace(GOOD, vision=False))) == []


def test_a_comment_elsewhere_allows_nothing_and_says_so():
    text = TOOLS.replace("task: Go.", "task: Go.  # bridge: allow BR305")
    assert [one.partition(" | ")[0] for one in findings(text, UNTRAINED)] == [
        "warning BR305 7: step `a` uses tools, and its model `m` was not trained for them",
        "warning BR329 9: this comment allows `BR305`, and there is no such finding here",
    ]


STALE = TOOLS.replace("- id: a", "- id: a  # bridge: allow BR305, BR307")


def test_a_comment_that_allows_what_is_not_there():
    ways = "delete `BR307` from it, or write `BR329` beside it if the finding depends on the machine"
    said = f"warning BR329 6: this comment allows `BR307`, and there is no such finding here | {ways}"
    assert findings(STALE, UNTRAINED) == [said]
    assert findings(STALE.replace("BR307", "BR307, BR329"), UNTRAINED) == []


def test_a_stale_comment_is_not_told_of_while_models_are_swapped_or_unknown():
    swapped = findings(STALE, UNTRAINED, Overrides(default="m"))
    assert [one.split()[1] for one in swapped] == ["BR326"], "the swap that changes nothing is told, the comment is not"
    assert make_plan(workflow(STALE), None).findings == ()
    missing = findings(STALE.replace("model: m", "model: n"), UNTRAINED)
    assert [one.split()[1] for one in missing] == ["BR301"]


def test_needs_stand_in_the_plan_with_and_without_a_server():
    for have in (catalogue(GOOD), None):
        [step] = make_plan(workflow(TOOLS), have).steps
        assert step.needs is not None
        assert step.needs.tools


def test_a_finding_without_a_place_points_at_the_step(step, workflow):
    file = workflow(step("a", model="m"), spans={("steps", 0, "model"): Span(12, 1, 12, 2)})
    [said] = findings(file, catalogue(replace(GOOD, max_context_length=100)))
    assert said.startswith("error BR307 12:")


def test_a_swap_that_no_step_takes_is_told():
    text = "models: {a: m}\nsteps:\n  - {id: x, model: a, task: hi}\n"
    assert findings(text, catalogue(GOOD), Overrides(default="m")) == [
        "warning BR326 5: `--model m` changes nothing: every step names a model of its own"
        " | swap an alias: `--model a=m`"
    ]
    assert findings(text.replace("model: a, ", ""), catalogue(GOOD), Overrides(default="m")) == []
