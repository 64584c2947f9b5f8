"""Calls of the tools and their answers: made now, by a desk of the bridge that asks a simulated LM Studio over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from runner.app.bridge.desk import BridgeDesk
from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.serve.request import ServeRequest
from runner.app.bridge.serve.served import desk_of, settings_of
from runner.chat.offer import Answered, Offer
from runner.rehearse.simulator.reading import parse_script
from runner.rehearse.simulator.serve import start_in_thread

WORKFLOW: Final = """\
version: 1
name: greet
description: Greets somebody.
inputs:
  who: {type: string, default: world, description: Whom to greet.}
steps:
  - id: greeting
    task: Greet {{ inputs.who }} in a few words.
"""
_HOME: Final = "/home/me"
_CHAT: Final = "qwen/qwen3-8b"
_OTHER: Final = "mistralai/devstral-small"
_NEW: Final = "google/gemma-3-4b"
_EMBEDDER: Final = "text-embedding-nomic"
_HOUR: Final = {"tool": "clock__get_current_time", "arguments": {"timezone": "Asia/Tokyo"}}
_SCRIPT: Final = {
    "settings": {"downloadable": {_NEW: "2MB"}, "download_speed": "400MB"},
    "models": {
        _CHAT: {
            "loaded": {"context_length": 16384},
            "tool_use": True,
            "turns": [
                {"when": {"turn": 1, "user": "Tokyo"}, "call": [_HOUR]},
                {"when": {"user": "Tokyo"}, "say": "It is late in Tokyo."},
                {"when": {"user": r"Greet (?P<who>\w+) in"}, "say": "Hello, {{ match.who }}!"},
                {"when": {"user": "two words"}, "say": "Hello, you."},
                {"when": {"user": "name"}, "say": "I am Qwen."},
                {"say": "upon a time."},
            ],
        },
        _OTHER: {"default": {"say": "Done."}},
        _EMBEDDER: {"type": "embedding", "max_context_length": 2048, "dimensions": 4},
        _NEW: {"default": {"say": "New."}},
    },
}
_CLOCK: Final = {"command": "mcp-server-time", "args": ["--local-timezone", "UTC"]}
_TASK: Final = {"mcp_name": "clock", "task": "What time is it in Tokyo?"}
_HELLO: Final = [{"role": "user", "content": "Say hello in two words."}]
_BAD: Final = "version: 1\nname: bad\nsteps:\n  - id: a\n    tsk: Hello\n"
_BEGUN: Final = "<the task that was begun>"

CALLS: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("list_available_mcps", {}),
    ("autonomous_with_mcp", _TASK),
    ("autonomous_with_multiple_mcps", {"mcp_names": ["clock", "git"], "task": "Who are you? Say your name."}),
    ("autonomous_discover_and_execute", {"task": "Who are you? Say your name.", "max_rounds": 5}),
    ("run_workflow", {"workflow": "greet", "inputs": {"who": "Ada"}}),
    ("check_workflow", {"text": _BAD}),
    ("list_workflows", {}),
    ("workflow_greet", {"who": "Alan"}),
    ("start_task", {"tool": "autonomous_with_mcp", "arguments": _TASK}),
    ("task_result", {"task_id": _BEGUN}),
    ("task_status", {"task_id": _BEGUN}),
    ("cancel_task", {"task_id": _BEGUN}),
    ("chat_completion", {"messages": _HELLO, "max_tokens": 100}),
    ("text_completion", {"prompt": "Once"}),
    ("create_response", {"input": "Who are you? Say your name."}),
    ("generate_embeddings", {"input": ["a dog", "a cat"]}),
    ("health_check", {}),
    ("get_current_model", {}),
    ("list_models", {}),
    ("load_model", {"model": _OTHER, "context_length": 16384}),
    ("ensure_model_loaded", {"model": _OTHER}),
    ("server_status", {}),
    ("unload_model", {"model": _OTHER}),
    ("download_model", {"model": _NEW}),
)
"""In this order; each sees what those before have done."""
FAILURES: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("chat_completion", {"messages": _HELLO, "model": "qwen/qwen3-9b"}),
    ("load_model", {"contextlength": 16384, "ttl": "an hour"}),
)


class Example(NamedTuple):
    """A call, and the structured content of its answer."""

    tool: str
    arguments: Mapping[str, Any]
    answer: Mapping[str, Any]
    is_error: bool


class Shown(NamedTuple):
    """All tools as hosts see them, that of the workflow file too, and the examples by tool."""

    offers: tuple[Offer, ...]
    examples: Mapping[str, Example]
    failures: tuple[Example, ...]


def show() -> Shown:
    """Make all calls in a project that is thrown away afterwards."""
    with project() as environment:
        return asyncio.run(_show(environment))


@contextlib.contextmanager
def project() -> Iterator[Mapping[str, str]]:
    """A project with a workflow, MCP servers and models, and we in it; gives its environment."""
    with tempfile.TemporaryDirectory() as made, contextlib.chdir(made):
        home = Path(made).resolve()
        folder = home / "project"
        (folder / "workflows").mkdir(parents=True)
        os.chdir(folder)
        (folder / "workflows/greet.yaml").write_text(WORKFLOW, "utf-8")
        servers = {"clock": _CLOCK, "git": {"command": "mcp-server-git"}}
        (folder / ".mcp.json").write_text(json.dumps({"mcpServers": servers}, indent=2), "utf-8")
        (home / "run").mkdir()
        server = start_in_thread(parse_script(json.dumps(_SCRIPT), "script.yaml"))
        try:
            yield _environment(home) | {"BRIDGE_RUN_ENDPOINT": server.url}
        finally:
            server.close()


def _environment(home: Path) -> dict[str, str]:
    """Nothing of this machine but where programs are."""
    paths = (str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))
    return {"PATH": os.pathsep.join(paths), "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}


@contextlib.asynccontextmanager
async def bridge(environment: Mapping[str, str]) -> AsyncIterator[BridgeDesk]:
    """The desk of ``bridge-run serve`` in this folder."""
    house = BridgeHouse(settings_of(ServeRequest(), environment), environment)
    try:
        yield desk_of(house, ServeRequest())
    finally:
        await house.close()


async def ask(desk: BridgeDesk, tool: str, arguments: Mapping[str, Any]) -> Answered:
    """The answer to a call, as a host gets it."""
    return await desk.call(tool, arguments, _nobody)


async def _nobody(_done: float, _total: float | None, _words: str) -> None:
    """Hears how far it is."""


async def _show(environment: Mapping[str, str]) -> Shown:
    async with bridge(environment) as desk:
        offers = await desk.offers()
        tidy = _Tidy(environment)
        examples, begun = [], ""
        for tool, written in (*CALLS, *FAILURES):
            arguments = {name: begun if value == _BEGUN else value for name, value in written.items()}
            answer = await ask(desk, tool, arguments)
            begun = answer.structured.get("task_id", begun)
            examples.append(Example(tool, tidy(arguments), tidy(answer.structured), answer.is_error))
    good, bad = examples[: len(CALLS)], examples[len(CALLS) :]
    return Shown(offers, {one.tool: one for one in good}, tuple(bad))


class _Tidy:
    """What would be another the next time is always the same: seconds, ids, places. Of several models one is enough."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        url = environment["BRIDGE_RUN_ENDPOINT"]
        self._texts = ((environment["HOME"], _HOME), (url, "http://127.0.0.1:1234"))

    def __call__(self, value: Any, name: str = "") -> Any:
        if isinstance(value, Mapping):
            return {key: self(one, key) for key, one in value.items()}
        if isinstance(value, list | tuple):
            shown = value[:1] if name == "models" else value
            return [*map(self, shown), *([f"… {len(value) - 1} more"] if len(value) > len(shown) else [])]
        if name == "seconds" and isinstance(value, float):
            return 1.25
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        for real, shown in self._texts:
            text = text.replace(real, shown)
        for pattern, shown in _IDS:
            text = pattern.sub(shown, text)
        return text


_IDS: Final = (
    (re.compile(r"\btask-[0-9a-f]{12}\b"), "task-3f9a51c07be2"),
    (re.compile(r"\b\d{8}-\d{6}-(\w+)-[0-9a-f]{12}\b"), r"20261128-091500-\1-6529d301ade4"),
    (re.compile(r"\bresp_[0-9a-f]+\b"), "resp_be4044802617064d"),
    (re.compile(r"\bjob_[0-9a-f]+\b"), "job_ad69b693a7"),
)
