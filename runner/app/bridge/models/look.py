"""The tools that only look; none of them asks a model anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runner.app.bridge.models.lists import (
    get_current_model,
    health_check,
    list_downloaded_models,
    list_loaded_models,
    list_models,
    server_status,
)
from runner.app.bridge.models.schema import COUNT, ENDPOINT, FLAG, INSTANCE, SECONDS, TEXT, given, told
from runner.app.bridge.tool import Tool, Work
from runner.chat.offer import Offer

_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_COUNT_OR_NULL: Final = {"type": ["integer", "null"], "minimum": 0}
_FLAG_OR_NULL: Final = {"type": ["boolean", "null"]}
_TEXTS: Final = {"type": "array", "items": TEXT}
_MODEL: Final = told(
    {
        "id": {**TEXT, "description": "For `model` of the other tools."},
        "endpoint": TEXT,
        "type": {"enum": ["llm", "vlm", "embedding", "unknown"]},
        "loaded": {**_FLAG_OR_NULL, "description": "Null: the server does not say."},
        "instances": {"type": "array", "items": INSTANCE},
        "publisher": _TEXT_OR_NULL,
        "architecture": _TEXT_OR_NULL,
        "quantization": _TEXT_OR_NULL,
        "format": _TEXT_OR_NULL,
        "parameters": _TEXT_OR_NULL,
        "size_bytes": _COUNT_OR_NULL,
        "max_context_length": _COUNT_OR_NULL,
        "vision": _FLAG_OR_NULL,
        "tool_use": _FLAG_OR_NULL,
        "reasoning": told({"options": _TEXTS, "default": _TEXT_OR_NULL}),
        "variants": _TEXTS,
    }
)
_FAILURE: Final = {
    "type": "object",
    "required": ["endpoint", "code", "kind", "message", "hint", "retryable"],
    "properties": {"endpoint": TEXT, "code": TEXT, "kind": TEXT, "message": TEXT, "retryable": FLAG},
}
_FAILURES: Final = {"type": "array", "items": _FAILURE, "description": "Servers that could not be asked, and why."}
_MODELS: Final = told(
    {"text": TEXT, "models": {"type": "array", "items": _MODEL}, "count": COUNT, "failures": _FAILURES}
)


_HEALTH: Final = {
    "endpoint": TEXT,
    "name": _TEXT_OR_NULL,
    "healthy": FLAG,
    "kind": {**_TEXT_OR_NULL, "description": "What answers: `lmstudio-v1` is LM Studio 0.4 and later."},
    "models": COUNT,
    "loaded": _TEXTS,
    "seconds": SECONDS,
    "error": {"type": ["object", "null"]},
}
_STATUS: Final = {
    **_HEALTH,
    "can_load": {**FLAG, "description": "Whether it can be told to load, unload and download."},
    "loads_on_demand": {**FLAG, "description": "Whether it loads what it is asked."},
    "notes": _TEXTS,
    "loaded_by_bridge": {
        "type": "array",
        "items": told(
            {"model": TEXT, "instance": TEXT, "in_use": COUNT, "ttl": {"type": ["number", "null"], "minimum": 0}}
        ),
    },
    "circuits": {
        "type": "array",
        "items": told({"model": TEXT, "state": {"enum": ["closed", "open", "half_open"]}}),
        "description": "An open circuit: the model failed so often that it is left alone for a while.",
    },
}


def _look(name: str, title: str, description: str, work: Work, output: Mapping[str, Any], **arguments: Any) -> Tool:
    return Tool(
        offer=Offer(
            name=name,
            title=title,
            description=description,
            input_schema=given(arguments),
            output_schema=output,
            read_only=True,
            idempotent=True,
        ),
        work=work,
    )


LOOK_TOOLS: Final = (
    _look(
        "health_check",
        "Are the model servers there",
        "Whether each server of models answers, how quickly, and what is loaded there. Asks no model.",
        health_check,
        told(
            {
                "text": TEXT,
                "healthy": {**FLAG, "description": "At least one server answers."},
                "servers": {"type": "array", "items": told(_HEALTH)},
                "default_model": _TEXT_OR_NULL,
            }
        ),
    ),
    _look(
        "list_models",
        "List all models",
        "All models that can be named as `model`, loaded or not, of all servers.",
        list_models,
        _MODELS,
        endpoint=ENDPOINT,
    ),
    _look(
        "get_current_model",
        "Which model is the default",
        "The model that answers where none is named: the configured one, else the only one loaded. Asks no model.",
        get_current_model,
        told(
            {
                "text": TEXT,
                "model": _TEXT_OR_NULL,
                "origin": _TEXT_OR_NULL,
                "endpoint": _TEXT_OR_NULL,
                "loaded": FLAG,
                "others": {**_TEXTS, "description": "Other models that are loaded."},
                "hint": _TEXT_OR_NULL,
            }
        ),
    ),
    _look(
        "list_loaded_models",
        "List the loaded models",
        "The models in memory, each copy with its id and its context.",
        list_loaded_models,
        _MODELS,
        endpoint=ENDPOINT,
    ),
    _look(
        "list_downloaded_models",
        "List the downloaded models",
        "The models on the disks of the servers, with their sizes, loaded or not.",
        list_downloaded_models,
        _MODELS,
        endpoint=ENDPOINT,
    ),
    _look(
        "server_status",
        "All about the servers",
        "What each server is, what it can be told to do, what the bridge has loaded there, and which models are left "
        "alone because they failed too often. Asks no model.",
        server_status,
        told({"text": TEXT, "servers": {"type": "array", "items": told(_STATUS)}}),
        endpoint=ENDPOINT,
    ),
)
