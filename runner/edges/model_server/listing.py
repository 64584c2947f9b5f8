"""What servers say of their models, in the shapes of each, as our catalogue.

Shapes: LM Studio's documentation of ``/api/v1/models`` (0.4.0) and ``/api/v0/models`` (0.3.6), and answers recorded
from 0.4.25; llama.cpp's ``/props`` and ``/v1/models`` as its own server sends them; Ollama's ``/api/tags`` and
``/api/ps``; vLLM's ``max_model_len``. Any field may be missing, null or of another type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from runner.chat.catalogue import Instance, ModelEntry, ModelType

Row = Mapping[str, Any]

_TYPES: Final[Mapping[object, ModelType]] = {
    "llm": "llm", "vlm": "vlm", "embedding": "embedding", "embeddings": "embedding",
}  # fmt: skip
_COPY = re.compile(r"(.+):\d+")
_NO_SETTINGS: Final = frozenset(("context_length", "parallel", "remaining_ttl_seconds", "reasoning_budget_message"))
"""What stands in an instance's ``config`` and is no setting of a load, or has a place of its own."""


def from_v1(data: Any) -> tuple[ModelEntry, ...] | None:
    """LM Studio 0.4 and later: ``{"models": [...]}``; None if it is something else."""
    rows = _rows(data, "models")
    if rows is None:
        return None
    return tuple(_v1_entry(row, key) for row in rows if (key := _text(row.get("key"))))


def from_v0(data: Any) -> tuple[ModelEntry, ...] | None:
    """LM Studio 0.3.6 and later: a row a model, and a row ``key:2`` for a second copy; None if it is something else."""
    rows = _rows(data, "data")
    if rows is None:
        return None
    entries: dict[str, ModelEntry] = {}
    for row in rows:
        key = _text(row.get("id"))
        if key:
            entry = _v0_entry(row, key)
            copy = _COPY.fullmatch(key)
            first = entries.get(copy[1]) if copy else None
            if first is None:
                entries[key] = entry
            else:
                entries[first.key] = replace(first, instances=first.instances + entry.instances, loaded=True)
    return tuple(entries.values())


def from_openai(data: Any, *, loaded: bool | None = None) -> tuple[ModelEntry, ...] | None:
    """Any server's ``/v1/models``: names, and the context length where it is said; None if it is something else."""
    rows = _rows(data, "data")
    if rows is None:
        return None
    return tuple(_openai_entry(row, key, loaded=loaded) for row in rows if (key := _text(row.get("id"))))


def from_llama_cpp(data: Any, props: Any) -> tuple[ModelEntry, ...] | None:
    """llama.cpp: one model, whose slots ``/props`` describes; with several (its router mode) their names and states."""
    rows = _rows(data, "data")
    if rows is None or not isinstance(props, Mapping):
        return from_openai(data)
    entries = (_llama_entry(row, props, single=len(rows) == 1) for row in rows)
    return tuple(entry for entry in entries if entry.key)


def from_ollama(tags: Any, running: Any) -> tuple[ModelEntry, ...] | None:
    """Ollama's ``/api/tags`` and what of it ``/api/ps`` says is loaded; None if it is something else."""
    rows = _rows(tags, "models")
    if rows is None:
        return None
    loaded = {_text(row.get("name")): row for row in _rows(running, "models") or ()}
    return tuple(_ollama_entry(row, key, loaded) for row in rows if (key := _text(row.get("name"))))


def lmstudio_instance(name: str, config: Any) -> Instance:
    """A loaded copy from its ``config`` in LM Studio's list, or from the ``load_config`` of the load that made it."""
    said = _map(config)
    return Instance(
        id=name,
        context_length=count(said.get("context_length")),
        parallel=count(said.get("parallel")),
        shared_context=True,
        config={
            key: value
            for key, value in said.items()
            if key not in _NO_SETTINGS and isinstance(value, bool | int | float | str)
        },
    )


def count(value: Any) -> int | None:
    """A number of tokens or bytes, None if it is none; some servers write ``4096.0``."""
    return int(value) if isinstance(value, int | float) and 0 < value < 1e15 else None


def is_lmstudio_listing(data: Any) -> bool:
    """Whether a ``/v1/models`` is LM Studio's, which signs its rows and gives them no date."""
    rows = _rows(data, "data") or []
    return any(row.get("owned_by") == "organization_owner" and "created" not in row for row in rows)


def is_vllm_listing(data: Any) -> bool:
    """Whether a ``/v1/models`` is vLLM's."""
    return any(row.get("owned_by") == "vllm" or "max_model_len" in row for row in _rows(data, "data") or [])


def _v1_entry(row: Row, key: str) -> ModelEntry:
    capabilities = _map(row.get("capabilities"))
    reasoning = _map(capabilities.get("reasoning"))
    instances = tuple(_v1_instances(row))
    variants = _texts(row.get("variants"))
    selected = _text(row.get("selected_variant"))
    return ModelEntry(
        key=key,
        type=_type(row),
        publisher=_text(row.get("publisher")),
        architecture=_text(row.get("architecture")),
        quantization=_text(_map(row.get("quantization")).get("name")) or _text(row.get("quantization")),
        format=_text(row.get("format")),
        size_bytes=count(row.get("size_bytes")),
        parameters=_text(row.get("params_string")),
        max_context_length=count(row.get("max_context_length")),
        vision=_bool(capabilities.get("vision")),
        tool_use=_bool(capabilities.get("trained_for_tool_use")),
        reasoning_options=_texts(reasoning.get("allowed_options")),
        reasoning_default=_text(reasoning.get("default")),
        variants=tuple(dict.fromkeys((*variants, selected) if selected else variants)),
        instances=instances,
        loaded=bool(instances),
    )


def _v1_instances(row: Row) -> Iterator[Instance]:
    for instance in _rows(row, "loaded_instances") or ():
        name = _text(instance.get("id"))
        if name:
            yield lmstudio_instance(name, instance.get("config"))


def _v0_entry(row: Row, key: str) -> ModelEntry:
    loaded = row.get("state") == "loaded" if "state" in row else None
    capabilities = row.get("capabilities")
    instance = Instance(id=key, context_length=count(row.get("loaded_context_length")), shared_context=True)
    return ModelEntry(
        key=key,
        type=_type(row),
        publisher=_text(row.get("publisher")),
        architecture=_text(row.get("arch")),
        quantization=_text(row.get("quantization")),
        format=_text(row.get("compatibility_type")),
        max_context_length=count(row.get("max_context_length")),
        vision=True if row.get("type") == "vlm" else None,
        tool_use="tool_use" in capabilities if isinstance(capabilities, list) else None,
        instances=(instance,) if loaded else (),
        loaded=loaded,
    )


def _openai_entry(row: Row, key: str, *, loaded: bool | None) -> ModelEntry:
    context = count(row.get("max_model_len")) or count(row.get("context_length"))
    return ModelEntry(
        key=key,
        type="embedding" if key.casefold().startswith("text-embedding-") else "unknown",
        max_context_length=context or count(_map(row.get("meta")).get("n_ctx_train")),
        instances=(Instance(id=key, context_length=context),) if loaded else (),
        loaded=loaded,
    )


def _llama_entry(row: Row, props: Row, *, single: bool) -> ModelEntry:
    """``n_ctx`` of the generation settings is what one slot has."""
    key, meta = _text(row.get("id")) or "", _map(row.get("meta"))
    state = _text(_map(row.get("status")).get("value"))
    loaded = single if state is None else state == "loaded"
    context = count(_map(props.get("default_generation_settings")).get("n_ctx")) if single else None
    slots = count(props.get("total_slots")) if single else None
    return ModelEntry(
        key=key,
        type="llm",
        format="gguf",
        size_bytes=count(meta.get("size")),
        max_context_length=count(meta.get("n_ctx_train")),
        vision=_bool(_map(props.get("modalities")).get("vision")) if single else None,
        tool_use=_bool(_map(props.get("chat_template_caps")).get("supports_tool_calls")) if single else None,
        variants=tuple(alias for alias in _texts(row.get("aliases")) if alias != key),
        instances=(Instance(id=key, context_length=context, parallel=slots),) if loaded else (),
        loaded=loaded,
    )


def _ollama_entry(row: Row, key: str, loaded: Mapping[str | None, Row]) -> ModelEntry:
    details, running = _map(row.get("details")), loaded.get(key)
    instance = Instance(id=key, context_length=count(_map(running).get("context_length")))
    return ModelEntry(
        key=key,
        type="llm",
        architecture=_text(details.get("family")),
        quantization=_text(details.get("quantization_level")),
        format=_text(details.get("format")),
        size_bytes=count(row.get("size")),
        parameters=_text(details.get("parameter_size")),
        variants=(key.removesuffix(":latest"),) if key.endswith(":latest") else (),
        instances=(instance,) if running is not None else (),
        loaded=running is not None,
    )


def _rows(data: Any, name: str) -> list[Row] | None:
    """The objects of the list ``name``; None if there is no such list."""
    rows = data.get(name) if isinstance(data, Mapping) else None
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else None


def _type(row: Row) -> ModelType:
    said = row.get("type")
    return _TYPES.get(said, "unknown") if isinstance(said, str) else "unknown"


def _map(value: Any) -> Row:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str) and item) if isinstance(value, list) else ()


def _bool(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
