"""The lists of models, as each of the three interfaces shows them. Field by field after LM Studio's documentation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.rehearse.simulator.script import ScriptedModel
from runner.rehearse.simulator.state import Instance

Models = Mapping[str, ScriptedModel]
"""What is downloaded, by key."""


def openai_models(models: Models, instances: Iterable[Instance], *, jit: bool) -> dict[str, Any]:
    """``GET /v1/models``: everything downloaded while models are loaded on demand, else only what is loaded."""
    ids = list(models) if jit else [instance.id for instance in instances]
    return {
        "data": [{"id": name, "object": "model", "owned_by": "organization_owner"} for name in ids],
        "object": "list",
    }


def v0_models(models: Models, instances: Sequence[Instance]) -> dict[str, Any]:
    """``GET /api/v0/models``: one row for each model, one more for each further instance."""
    rows: list[dict[str, Any]] = []
    for model in models.values():
        loaded = [instance for instance in instances if instance.model is model]
        if not any(instance.id == model.key for instance in loaded):
            rows.append(_v0_row(model, None))
        rows += [_v0_row(model, instance) for instance in loaded]
    return {"data": rows, "object": "list"}


def v0_model(models: Models, instances: Sequence[Instance], name: str) -> dict[str, Any] | None:
    """``GET /api/v0/models/{id}``: its row, None if there is none of that name."""
    return next((row for row in v0_models(models, instances)["data"] if row["id"] == name), None)


def native_models(models: Models, instances: Sequence[Instance]) -> dict[str, Any]:
    """``GET /api/v1/models``: every model with its loaded instances."""
    return {"models": [_native_row(model, [i for i in instances if i.model is model]) for model in models.values()]}


def load_config(instance: Instance) -> dict[str, Any]:
    """How an instance was loaded; little is said of embedding models and of MLX."""
    if instance.model.type == "embedding":
        return {"context_length": instance.context_length}
    config: dict[str, Any] = {"context_length": instance.context_length, "parallel": instance.parallel}
    if instance.model.format == "gguf":
        config |= {"eval_batch_size": 512, "flash_attention": True, "offload_kv_cache_to_gpu": True, **instance.config}
    return config


def _v0_row(model: ScriptedModel, instance: Instance | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": instance.id if instance else model.key,
        "object": "model",
        "type": "embeddings" if model.type == "embedding" else ("vlm" if model.sees else "llm"),
        "publisher": model.publisher,
        "arch": model.architecture,
        "compatibility_type": model.format,
        "quantization": model.quantization,
        "state": "loaded" if instance else "not-loaded",
        "max_context_length": model.max_context_length,
    }
    if instance:
        row["loaded_context_length"] = instance.context_length
    if model.type != "embedding" and model.tool_use:
        row["capabilities"] = ["tool_use"]
    return row


def _native_row(model: ScriptedModel, instances: Iterable[Instance]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "type": "embedding" if model.type == "embedding" else "llm",
        "publisher": model.publisher,
        "key": model.key,
        "display_name": _display_name(model.key),
        "architecture": model.architecture,
        "quantization": {"name": model.quantization, "bits_per_weight": _bits(model.quantization)},
        "size_bytes": model.size,
        "params_string": model.params,
        "loaded_instances": [{"id": i.id, "config": load_config(i)} for i in instances],
        "max_context_length": model.max_context_length,
        "format": model.format,
    }
    if model.type == "embedding":
        del row["architecture"]
        return row
    capabilities: dict[str, Any] = {"vision": model.sees, "trained_for_tool_use": model.tool_use}
    if model.reasoning is not None:
        options = list(model.reasoning.allowed_options)
        capabilities["reasoning"] = {"allowed_options": options, "default": model.reasoning.default}
    return {
        **row,
        "capabilities": capabilities,
        "description": None,
        "variants": [model.variant],
        "selected_variant": model.variant,
    }


def _display_name(key: str) -> str:
    words = re.split(r"[-_]", key.rpartition("/")[2])
    return " ".join(word[:1].upper() + word[1:] for word in words)


def _bits(quantization: str) -> int | None:
    found = re.search(r"\d+", quantization)
    return int(found[0]) if found else None
