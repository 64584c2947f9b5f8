"""The three tools that hand a task to a model of ours, with MCP servers of the host's own configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runner.app.bridge.autonomous.autonomous import resolved_model, run_autonomous
from runner.app.bridge.autonomous.servers import DISCOVERED, enabled_servers, label_of, named_servers
from runner.app.bridge.autonomous.task import MAX_ROUNDS, TIMEOUT, AutonomousTask
from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.tool import Tool
from runner.chat.offer import Offer, Progress

MOST_ROUNDS: Final = 1000
MOST_SECONDS: Final = 86_400
_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_TASK: Mapping[str, Any] = {
    "task": {**_TEXT, "description": "What the model is to do, with all it needs to know: it sees nothing else."},
    "model": {
        "type": ["string", "null"],
        "default": None,
        "description": "Id of the model, as `list_models` gives it. Left out, null or `default`: the default model.",
    },
    "max_rounds": {
        "type": "integer",
        "minimum": 1,
        "maximum": MOST_ROUNDS,
        "default": MAX_ROUNDS,
        "description": "Most answers of the model; in the last of them it must answer without tools.",
    },
    "max_tokens": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
        "description": "Most tokens of one answer. Left out: as many as the server allows.",
    },
    "timeout": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": MOST_SECONDS,
        "default": TIMEOUT,
        "description": "Most seconds of the whole task.",
    },
    "system": {"type": ["string", "null"], "default": None, "description": "System prompt of the model."},
    "output_schema": {
        "type": ["object", "null"],
        "default": None,
        "description": "JSON Schema that the answer must fit; it then comes as `value`.",
    },
    "tools": {
        "type": ["array", "null"],
        "items": _TEXT,
        "default": None,
        "description": "Only these tools: `server.tool` with globs, or a server's name for all of its tools.",
    },
    "images": {
        "type": "array",
        "items": _TEXT,
        "default": [],
        "description": "Paths of pictures that go with the task, for a model that can see.",
    },
}
_END: Mapping[str, Any] = {
    "type": "object",
    "required": ["text", "model", "rounds", "tool_calls", "usage", "seconds", "run", "folder", "finish", "warnings"],
    "properties": {
        "text": {"type": "string", "description": "The answer."},
        "value": {"description": "The answer as JSON, if `output_schema` was given."},
        "model": {"type": "string", "description": "Id of the model that answered."},
        "rounds": {**_COUNT, "description": "Answers of the model."},
        "tool_calls": {**_COUNT, "description": "Tool calls that were made."},
        "usage": {
            "type": "object",
            "description": "Tokens of all rounds together.",
            "required": ["prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens"],
            "properties": dict.fromkeys(
                ("prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens"), _COUNT
            ),
        },
        "seconds": {"type": "number", "minimum": 0, "description": "Of the whole task."},
        "run": {"type": "string", "description": "Id of the run."},
        "folder": {"type": "string", "description": "Where its journal and result are kept."},
        "finish": {
            "enum": ["stop", "length", "limit"],
            "description": "stop: the model was done; length: the answer is cut off; limit: it ran out of rounds.",
        },
        "note": {"type": ["string", "null"], "description": "Why it ended, where `finish` is not `stop`."},
        "servers": {"type": "array", "items": {"type": "string"}, "description": "MCP servers whose tools it had."},
        "warnings": {"type": "array", "items": {"type": "string"}, "description": "What a person should know."},
    },
}


def task_of(arguments: Mapping[str, Any], **more: Any) -> AutonomousTask:
    """The task that arguments of these tools describe; what is left out or null is the default."""
    given = {name: arguments[name] for name in _TASK if arguments.get(name) is not None}
    for name in ("tools", "images"):
        if name in given:
            given[name] = tuple(given[name])
    return AutonomousTask(**given, **more)


async def _with_one(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    model = await resolved_model(house, arguments.get("model"))
    name = arguments["mcp_name"]
    task = task_of(arguments, servers=named_servers(house, [name]))
    return (await run_autonomous(house, task, mcp_label=name, model=model, progress=progress)).to_dict()


async def _with_several(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    model = await resolved_model(house, arguments.get("model"))
    names = arguments["mcp_names"]
    task = task_of(arguments, servers=named_servers(house, names))
    return (await run_autonomous(house, task, mcp_label=label_of(names), model=model, progress=progress)).to_dict()


async def _with_all(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    model = await resolved_model(house, arguments.get("model"))
    task = task_of(arguments, servers=enabled_servers(house), tolerant=True)
    return (await run_autonomous(house, task, mcp_label=DISCOVERED, model=model, progress=progress)).to_dict()


def _offer(name: str, title: str, description: str, servers: Mapping[str, Any]) -> Offer:
    return Offer(
        name=name,
        title=title,
        description=description,
        input_schema={
            "type": "object",
            "required": [*servers, "task"],
            "properties": {**servers, **_TASK},
            "additionalProperties": False,
        },
        output_schema=_END,
        destructive=True,
        open_world=True,
    )


_HANDS_OVER = "It works until it answers, and may call any tool that is offered to it. "
AUTONOMOUS_TOOLS: tuple[Tool, ...] = (
    Tool(
        offer=_offer(
            "autonomous_with_mcp",
            "Hand a task to a local model with one MCP server",
            "Hand a task to a local model that works on it by itself with the tools of one MCP server. "
            f"{_HANDS_OVER}`list_available_mcps` lists the servers.",
            {"mcp_name": {**_TEXT, "description": "Name of the MCP server."}},
        ),
        work=_with_one,
        long=True,
    ),
    Tool(
        offer=_offer(
            "autonomous_with_multiple_mcps",
            "Hand a task to a local model with several MCP servers",
            "Hand a task to a local model that works on it by itself with the tools of several MCP servers. "
            f"{_HANDS_OVER}`list_available_mcps` lists the servers.",
            {
                "mcp_names": {
                    "type": "array",
                    "items": _TEXT,
                    "minItems": 1,
                    "description": "Names of the MCP servers.",
                }
            },
        ),
        work=_with_several,
        long=True,
    ),
    Tool(
        offer=_offer(
            "autonomous_discover_and_execute",
            "Hand a task to a local model with every MCP server",
            "Hand a task to a local model that works on it by itself with the tools of all MCP servers that are "
            f"enabled in the host's configuration. {_HANDS_OVER}A server that cannot be started is left out, and a "
            "warning says so.",
            {},
        ),
        work=_with_all,
        long=True,
    ),
)
