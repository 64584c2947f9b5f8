"""The parts of which the schemas of the model tools are made: names and bounds are those of OpenAI's interfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from runner.app.bridge.models.find import IDLE_SECONDS

Schema = Mapping[str, Any]

ANSWER_SECONDS: Final = 600.0
MOST_SECONDS: Final = 86_400
TEXT: Final[Schema] = {"type": "string"}
NAME: Final[Schema] = {"type": "string", "minLength": 1}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
SECONDS: Final[Schema] = {"type": "number", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
MODEL: Final[Schema] = {
    "type": ["string", "null"],
    "default": None,
    "description": "Id of the model, as `list_models` gives it. Left out, null, empty or `default`: the default model.",
}
ENDPOINT: Final[Schema] = {
    "type": ["string", "null"],
    "default": None,
    "description": "Name or address of the server, where several are configured. Left out: any that will do.",
}
TIMEOUT: Final[Schema] = {
    "type": "number",
    "exclusiveMinimum": 0,
    "maximum": MOST_SECONDS,
    "default": ANSWER_SECONDS,
    "description": "Most seconds for the whole answer: loading the model, repeating what failed, and answering.",
}
TTL: Final[Schema] = {
    "type": ["number", "null"],
    "exclusiveMinimum": 0,
    "default": IDLE_SECONDS,
    "description": (
        "Idle seconds after which the model is unloaded, if it is loaded for this call. Null: when the bridge ends."
    ),
}
SAMPLING: Final[Mapping[str, Schema]] = {
    "temperature": {
        "type": "number",
        "minimum": 0,
        "maximum": 2,
        "description": "Chance in the choice of tokens; 0: none. Left out: the model's own.",
    },
    "top_p": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Only the most likely tokens whose probabilities add up to this.",
    },
    "top_k": {"type": "integer", "minimum": 0, "description": "Only so many of the most likely tokens."},
    "min_p": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Only tokens that have this share of the probability of the most likely one.",
    },
    "repeat_penalty": {
        "type": "number",
        "minimum": 0,
        "description": "Above 1: tokens that were used become less likely. 1: no penalty.",
    },
    "presence_penalty": {
        "type": "number",
        "minimum": -2,
        "maximum": 2,
        "description": "Above 0: tokens that were used at all become less likely.",
    },
    "frequency_penalty": {
        "type": "number",
        "minimum": -2,
        "maximum": 2,
        "description": "Above 0: tokens become less likely, the more often they were used.",
    },
    "logit_bias": {
        "type": "object",
        "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100},
        "description": "Id of a token of the model → how much more likely it becomes; -100: never.",
    },
    "seed": {
        "type": "integer",
        "description": "The same seed and request give the same answer, as far as servers can.",
    },
    "stop": {
        "anyOf": [TEXT, {"type": "array", "items": TEXT, "maxItems": 16}],
        "description": "Texts at which the answer ends; they are not part of it.",
    },
}
MAX_TOKENS: Final[Schema] = {
    "type": ["integer", "null"],
    "minimum": 1,
    "default": None,
    "description": "Most tokens of the answer, reasoning included. Left out: as many as the context has room for.",
}
ASKED: Final[Mapping[str, Schema]] = {"model": MODEL, "max_tokens": MAX_TOKENS, **SAMPLING}
"""Whom to ask, and how it is to answer: of every tool in which a model writes what follows."""
PATIENCE: Final[Mapping[str, Schema]] = {"ttl": TTL, "timeout": TIMEOUT}
EFFORT: Final[Schema] = {
    "enum": ["none", "minimal", "low", "medium", "high"],
    "description": "How much a reasoning model thinks; the nearest that it knows is taken. Left out: the model's own.",
}
USAGE: Final[Schema] = {
    "type": "object",
    "required": ["prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens", "estimated"],
    "properties": {
        **dict.fromkeys(("prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens"), COUNT),
        "estimated": {**FLAG, "description": "The server did not count; these are estimates from the length of texts."},
    },
}
WARNINGS: Final[Schema] = {"type": "array", "items": TEXT, "description": "What a person should know."}
_CALL: Final[Schema] = {
    "type": "object",
    "required": ["id", "type", "function"],
    "properties": {
        "id": TEXT,
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "required": ["name", "arguments"],
            "properties": {"name": TEXT, "arguments": {**TEXT, "description": "JSON, as the model wrote it."}},
        },
    },
}
_ANSWER: Final[Mapping[str, Schema]] = {
    "text": {**TEXT, "description": "The answer; tool calls in words, if there is nothing else."},
    "finish_reason": {"enum": ["stop", "length", "tool_calls"]},
    "model": {**TEXT, "description": "Id of the model that answered."},
    "endpoint": {**TEXT, "description": "Address of its server."},
    "usage": USAGE,
    "seconds": SECONDS,
    "warnings": WARNINGS,
}
_TALK: Final[Mapping[str, Schema]] = {
    "content": {**TEXT, "description": "The answer alone; empty where there are only tool calls."},
    "reasoning": {**TEXT, "description": "What the model thought first; empty if it did not, or does not tell."},
    "tool_calls": {"type": "array", "items": _CALL, "description": "Calls to make; nobody has made them."},
    "parsed": {"description": "The answer as JSON, if a schema was asked for and it fits."},
}


def given(properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    """The schema of arguments."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def told(properties: Mapping[str, Schema], required: Sequence[str] | None = None) -> Schema:
    """The schema of a structured content; all of it is always there if nothing else is said."""
    names = list(properties) if required is None else list(required)
    return {"type": "object", "required": names, "properties": dict(properties)}


def answer(**more: Schema) -> Schema:
    """The schema of an answer without a conversation."""
    return told({**_ANSWER, **more})


def talk(**more: Schema) -> Schema:
    """The schema of an answer in a conversation."""
    properties = {**_ANSWER, **_TALK, **more}
    return told(properties, [name for name in properties if name != "parsed"])


INSTANCE: Final[Schema] = told(
    {
        "id": TEXT,
        "context_length": {"type": ["integer", "null"], "minimum": 0},
        "parallel": {"type": ["integer", "null"], "minimum": 0},
        "shared_context": FLAG,
        "config": {"type": "object"},
    }
)
"""A loaded copy of a model."""
