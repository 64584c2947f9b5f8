"""Whole workflows against a lock: what it lacks, and what is not as it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.chat.catalogue import Catalogue, EndpointCatalogue, Instance, ModelEntry
from runner.chat.toolbox import Tool
from runner.plan.lock.lock import Lock, LockedEndpoint, LockedModel, LockedServer
from runner.plan.lock.rules import (
    changed_models,
    changed_tools,
    unlocked_models,
    unlocked_servers,
    vouched_for,
    wishes_of,
    with_unlocked,
)
from runner.plan.lock.tool import locked_tool
from runner.plan.make import make_plan
from runner.plan.overrides import NO_OVERRIDES
from runner.plan.wanted import Names
from runner.words.diagnostics import Diagnostic
from runner.workflow.load import load
from runner.workflow.model import Workflow

CODER = ModelEntry(key="qwen/coder", quantization="Q4_K_M", tool_use=True)
TINY = ModelEntry(key="tiny")
LOCK = Lock(
    file="bridge.lock",
    endpoints=(
        LockedEndpoint(
            flavour="lmstudio-v1",
            manages=True,
            models=(LockedModel(names=("qwen/coder",), entry=CODER), LockedModel(names=("tiny",), entry=TINY)),
        ),
    ),
    missing=("no/such",),
)
FLOW = """\
version: 1
name: flow
models:
  coder: {id: qwen/coder, fallback: [no/such]}
mcp_servers:
  git: {command: mcp-server-git, tools: ["git_*"]}
  docs: {from: .mcp.json}
steps:
  - id: a
    model: coder
    mcp_servers: [git]
    tools: [git.git_log]
    task: Go.
  - id: b
    matrix: {model: [tiny, qwen/coder]}
    model: "{{ matrix.model }}"
    task: Go.
  - {id: c, workflow: ./other.yaml}
  - {id: d, run: [ls]}
"""
OTHER = """\
version: 1
name: other
steps:
  - {id: x, model: tiny, task: Go.}
"""
LOG = Tool(name="git_log", description="Shows the log.")


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """``write(flow, other)``: the first of the two files, loaded; the folder reads ``HERE`` in findings."""

    def make(flow: str = FLOW, other: str = OTHER) -> Workflow:
        (tmp_path / ".mcp.json").write_text("{}", encoding="utf-8")
        (tmp_path / "other.yaml").write_text(other, encoding="utf-8")
        path = tmp_path / "flow.yaml"
        path.write_text(flow, encoding="utf-8")
        return load(str(path)).workflow

    return make


def told(findings: Sequence[Diagnostic]) -> list[tuple[str, str, str, int, str]]:
    return [(f.code, f.level, Path(f.file).name, f.span.line if f.span else 0, f.message) for f in findings]


def names(workflow: Workflow, **fields: Any) -> Names:
    return Names(workflow=workflow, overrides=NO_OVERRIDES, inputs={}, **fields)


def git(*tools: Tool, **fields: Any) -> LockedServer:
    fields = {"names": ("git",), "start": {"command": ["mcp-server-git"]}, **fields}
    return LockedServer(tools=tuple(map(locked_tool, tools)), **fields)


def test_every_name_that_is_asked_for_rows_and_called_files_too(write: Any) -> None:
    wishes = [(Path(here.workflow.file).name, step.id, wish.name) for here, step, wish in wishes_of(names(write()))]
    assert wishes == [
        ("flow.yaml", "a", "qwen/coder"),
        ("flow.yaml", "a", "no/such"),
        ("flow.yaml", "b", "tiny"),
        ("flow.yaml", "b", "qwen/coder"),
        ("other.yaml", "x", "tiny"),
    ]


def test_a_name_that_the_lock_does_not_know_is_told_where_it_stands(write: Any) -> None:
    workflow = write(FLOW.replace("[tiny, qwen/coder]", "[tiny, huge]"), OTHER.replace("tiny", "other/model"))
    found = unlocked_models(names(workflow), LOCK)
    assert told(found) == [
        ("BR511", "error", "flow.yaml", 16, "bridge.lock does not know the model `huge`"),
        ("BR511", "error", "other.yaml", 4, "bridge.lock does not know the model `other/model`"),
    ]
    assert {one.help for one in found} == {"write it anew where the model servers can be asked: `bridge-run lock`"}


def test_a_model_that_is_bound_to_a_server_is_looked_for_there(write: Any) -> None:
    workflow = write(FLOW.replace("fallback: [no/such]", "endpoint: gpu").replace("[tiny, qwen/coder]", "[tiny]"))
    assert told(unlocked_models(names(workflow), LOCK)) == [
        ("BR511", "error", "flow.yaml", 4, "bridge.lock does not know the model `qwen/coder` on the server `gpu`")
    ]
    named = replace(LOCK, endpoints=(replace(LOCK.endpoints[0], name="gpu"),))
    assert unlocked_models(names(workflow), named) == ()


def test_steps_that_name_no_model_need_the_default_of_the_lock(write: Any) -> None:
    workflow = write("version: 1\nname: plain\nsteps:\n  - {id: a, task: Go.}\n")
    assert told(unlocked_models(names(workflow), LOCK)) == [
        ("BR511", "error", "flow.yaml", 4, "bridge.lock does not know the model of steps that name none")
    ]
    assert unlocked_models(names(workflow, default_model="tiny"), LOCK) == ()


def test_a_name_that_depends_on_inputs_is_not_judged(write: Any) -> None:
    text = "version: 1\nname: p\ninputs: {m: {type: string}}\nsteps:\n  - {id: a, model: '{{ inputs.m }}', task: Go.}\n"
    assert unlocked_models(names(write(text)), LOCK) == ()


def test_what_nobody_was_asked_for_is_not_said_to_be_missing() -> None:
    unlocked = [Diagnostic(code="BR511", message="m", file="a.yaml")]
    others = [
        Diagnostic(code=code, message=code, file=file)
        for code, file in (
            ("BR301", "a.yaml"),
            ("BR301", "b.yaml"),
            ("BR313", "a.yaml"),
            ("BR314", "b.yaml"),
            ("BR305", "a.yaml"),
        )
    ]
    assert [(one.code, one.file) for one in with_unlocked(others, unlocked)] == [
        ("BR301", "b.yaml"),
        ("BR314", "b.yaml"),
        ("BR305", "a.yaml"),
        ("BR511", "a.yaml"),
    ]


def test_a_server_that_the_lock_does_not_know_is_told_where_it_is_declared(write: Any) -> None:
    workflow = write()
    (found,) = unlocked_servers(workflow, ("git",), LOCK)
    assert told([found]) == [
        ("BR512", "error", "flow.yaml", 6, "bridge.lock does not know the tool server `git`, as it is started here")
    ]
    assert found.help == "write it anew where the server can be started: `bridge-run lock`"
    assert unlocked_servers(workflow, ("git",), replace(LOCK, servers=(git(LOG),))) == ()


def test_the_lock_vouches_for_the_commands_and_client_files_of_its_servers(write: Any) -> None:
    workflow = write()
    docs = LockedServer(names=("docs",), start={"from": ".mcp.json", "entry": "docs"})
    assert vouched_for(workflow, LOCK) == frozenset()
    places = vouched_for(workflow, replace(LOCK, servers=(git(), docs)))
    assert {6, 7} <= {span.line for _, span in places}
    assert {file for file, _ in places} == {workflow.file}


def compared(workflow: Workflow, locked: Sequence[Tool], offered: Sequence[Tool], **how: Any) -> list[Diagnostic]:
    return list(changed_tools(workflow, replace(LOCK, servers=(git(*locked),)), {"git": offered}, **how))


def test_a_tool_that_is_as_the_lock_says_is_nothing_to_tell(write: Any) -> None:
    assert compared(write(), [LOG], [LOG]) == []


def test_a_tool_whose_definition_changed_is_refused(write: Any) -> None:
    schema = {"type": "object", "properties": {"all": {"type": "boolean"}}}
    (found,) = compared(write(), [LOG], [replace(LOG, description="Sends the log.", input_schema=schema)])
    message = (
        "the tool `git.git_log` is not the one of bridge.lock: `description`, `input_schema.properties.all` changed"
    )
    assert told([found]) == [("BR513", "error", "flow.yaml", 6, message)]
    assert [note.message for note in found.notes] == [
        "description: [-Shows-] {+Sends+} the log.",
        'input_schema.properties.all: new, {"type": "boolean"}',
    ]
    assert found.help == (
        "look at what changed, and if it is right write the lock anew: `bridge-run lock --update git`"
    )


def test_of_many_changes_the_first_are_told_and_the_rest_counted(write: Any) -> None:
    properties = {f"p{number}": {"type": "string"} for number in range(9)}
    (found,) = compared(write(), [LOG], [replace(LOG, input_schema={"type": "object", "properties": properties})])
    assert found.message.endswith("`input_schema.properties.p2` and 6 more changed")
    assert [note.message for note in found.notes][-1] == "and 3 more changes"


def test_a_tool_that_the_lock_does_not_know_is_refused_if_a_step_may_use_it(write: Any) -> None:
    new = Tool(name="git_push")
    assert compared(write(), [LOG], [LOG, new]) == []
    workflow = write(FLOW.replace("    tools: [git.git_log]\n", ""))
    assert told(compared(workflow, [LOG], [LOG, new, Tool(name="push")])) == [
        ("BR513", "error", "flow.yaml", 6, "`git` offers a tool that bridge.lock does not know: `git_push`")
    ]


def test_a_tool_that_is_gone_is_a_warning(write: Any) -> None:
    assert told(compared(write(), [LOG, Tool(name="git_push")], [])) == [
        ("BR513", "warning", "flow.yaml", 6, "`git` no longer offers the tool `git_log`, which is in bridge.lock")
    ]


def test_with_warn_all_of_it_is_a_warning(write: Any) -> None:
    workflow = write()
    assert [one.level for one in compared(workflow, [], [LOG], level="warning")] == ["warning"]
    assert [one.level for one in changed_tools(workflow, LOCK, {"git": [LOG]}, level="warning")] == ["warning"]


def test_a_server_that_is_not_in_the_lock_is_refused(write: Any) -> None:
    workflow = write()
    assert [one.code for one in changed_tools(workflow, LOCK, {"git": [LOG]})] == ["BR512"]
    never = replace(LOCK, servers=(replace(git(), tools=None),))
    (found,) = changed_tools(workflow, never, {"git": [LOG]})
    assert found.message == (
        "the tools of `git` are not in bridge.lock: its start depends on inputs that were not given then"
    )
    assert found.help == "give these inputs a `default`, and write the lock anew: `bridge-run lock`"


def catalogue(*models: ModelEntry, **server: Any) -> Catalogue:
    server = {"flavour": "lmstudio-v1", "manages": True, **server}
    return Catalogue((EndpointCatalogue(endpoint="http://one", models=models, **server),))


def models_of(workflow: Workflow, servers: Catalogue, lock: Lock = LOCK) -> list[Diagnostic]:
    return list(changed_models(make_plan(workflow, servers), lock, servers))


@pytest.fixture
def plain(write: Any) -> Workflow:
    return write(FLOW.replace("[tiny, qwen/coder]", "[tiny]"))  # type: ignore[no-any-return]


def test_models_that_are_as_the_lock_says_are_nothing_to_tell(plain: Workflow) -> None:
    loaded = replace(CODER, instances=(Instance(id="qwen/coder", context_length=4096),), loaded=True)
    assert models_of(plain, catalogue(loaded, TINY)) == []


def test_a_model_that_is_not_as_the_lock_says_is_a_warning_once(plain: Workflow) -> None:
    changed = replace(TINY, quantization="Q8_0", max_context_length=4096)
    found = models_of(plain, catalogue(replace(CODER, quantization="Q8_0"), changed))
    assert told(found) == [
        (
            "BR514",
            "warning",
            "flow.yaml",
            10,
            "the model `qwen/coder` is not as bridge.lock says: `quantization` changed",
        ),
        (
            "BR514",
            "warning",
            "flow.yaml",
            16,
            "the model `tiny` is not as bridge.lock says: `quantization`, `max_context_length` changed",
        ),
        (
            "BR514",
            "warning",
            "other.yaml",
            4,
            "the model `tiny` is not as bridge.lock says: `quantization`, `max_context_length` changed",
        ),
    ]
    assert found[0].notes[0].message == "quantization: Q4_K_M → Q8_0"
    assert found[0].help == (
        "answers may differ from those before; if this is right: `bridge-run lock --update qwen/coder`"
    )


def test_a_model_that_the_lock_does_not_know_is_a_warning_in_a_run(plain: Workflow) -> None:
    lock = replace(LOCK, endpoints=(replace(LOCK.endpoints[0], models=LOCK.endpoints[0].models[:1]),))
    assert told(models_of(plain, catalogue(CODER, TINY), lock))[0] == (
        "BR511",
        "warning",
        "flow.yaml",
        16,
        "bridge.lock does not know the model `tiny`",
    )


def test_of_a_server_that_holds_its_model_as_it_was_started_the_context_counts(write: Any) -> None:
    workflow = write("version: 1\nname: p\nsteps:\n  - {id: a, model: tiny, task: Go.}\n")
    served = replace(TINY, instances=(Instance(id="tiny", context_length=4096),), loaded=True)
    model = LockedModel(names=("tiny",), entry=replace(TINY, instances=(Instance(id="tiny", context_length=8192),)))
    lock = replace(LOCK, endpoints=(LockedEndpoint(flavour="llama.cpp", models=(model,)),))
    servers = catalogue(served, flavour="llama.cpp", manages=False)
    (found,) = models_of(workflow, servers, lock)
    assert [note.message for note in found.notes] == ["served.0.context_length: 8192 → 4096"]


def test_of_two_servers_with_one_model_each_is_compared_with_its_own(write: Any) -> None:
    workflow = write("version: 1\nname: p\nsteps:\n  - {id: a, model: tiny, task: Go.}\n")
    one, two = (
        LockedEndpoint(flavour="vllm", name=name, models=(LockedModel(names=("tiny",), entry=entry),))
        for name, entry in (("one", TINY), ("two", replace(TINY, format="gguf")))
    )
    lock = replace(LOCK, endpoints=(one, two))
    assert models_of(workflow, catalogue(replace(TINY, format="gguf"), name="two"), lock) == []
    assert len(models_of(workflow, catalogue(replace(TINY, format="gguf"), name="one"), lock)) == 1
