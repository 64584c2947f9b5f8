"""What the model servers have, and who uses it: tables for people, data for machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from runner.chat.catalogue import EndpointCatalogue, Instance, ModelEntry, ServerFlavour
from runner.show.cell import one_line, pad
from runner.show.table import table, wrap
from runner.words.noun import noun
from runner.words.units import show_bytes

FLAVOURS: Mapping[ServerFlavour, str] = {
    "lmstudio-v1": "LM Studio 0.4 or later",
    "lmstudio-v0": "LM Studio 0.3.6 or later",
    "lmstudio": "LM Studio before 0.3.6",
    "llama.cpp": "llama.cpp's server",
    "ollama": "Ollama",
    "vllm": "vLLM",
    "openai": "an OpenAI-compatible server",
}
"""What kind of server each is, in words."""

ModelKey = tuple[str, str]
"""A model on a server: the address of its endpoint, and its key."""
_NOTHING = "-"


@noun
class Use:
    """A workflow file that names a model, and the steps for which it does; ``fallback``: only in another's stead."""

    file: str
    steps: tuple[str, ...]
    fallback: bool = False

    def __str__(self) -> str:
        """``workflows/refactor.yaml: survey, fix (fallback)``."""
        return f"{self.file}: {', '.join(self.steps)}" + (" (fallback)" if self.fallback else "")


@noun
class Uses:
    """Who uses which model. ``missing`` are names that files want and no server has; ``notes`` what was not judged."""

    found: Mapping[ModelKey, tuple[Use, ...]] = field(default_factory=dict)
    missing: Mapping[str, tuple[Use, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def models_text(catalogues: Sequence[EndpointCatalogue], uses: Uses, width: int = 120) -> str:
    """A table for each server, then what workflows want and nobody has; ends with a newline."""
    parts = [_server(catalogue, uses, width - 2) for catalogue in catalogues]
    if uses.missing:
        rows = [[one_line(name), *wrapped_uses(users)] for name, users in uses.missing.items()]
        parts.append(["Wanted by workflows, and on no server", *_indented(table(("MODEL", "BY"), rows, width - 2))])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def model_text(catalogue: EndpointCatalogue, entry: ModelEntry, uses: Uses, width: int = 100) -> str:
    """Everything that is known of one model on one server; ends with a newline."""
    rows = [*_facts(entry), *_instance_rows(entry), *_use_rows(uses.found.get((catalogue.endpoint, entry.key), ()))]
    names = max(len(name) for name, _ in rows)
    lines = [f"{one_line(entry.key)} on {server_name(catalogue)}"]
    for name, text in rows:
        first, *rest = wrap(one_line(text), width - names - 4)
        lines += [f"  {pad(name, names)}  {first}", *(" " * (names + 4) + line for line in rest)]
    return "\n".join(lines) + "\n"


def models_json(catalogues: Iterable[EndpointCatalogue], uses: Uses) -> dict[str, Any]:
    """``{endpoints: [{endpoint, name, flavour, …, models: […]}], missing, notes}``, in the order of the servers."""
    return {
        "endpoints": [_server_json(catalogue, uses) for catalogue in catalogues],
        "missing": [{"model": name, "used_by": _uses_json(users)} for name, users in uses.missing.items()],
        "notes": list(uses.notes),
    }


def model_json(catalogue: EndpointCatalogue, entry: ModelEntry, uses: Uses) -> dict[str, Any]:
    """One model as it stands in ``models_json``, with ``endpoint``: null where the server does not say."""
    return {
        "endpoint": catalogue.endpoint,
        "key": entry.key,
        "type": entry.type,
        "publisher": entry.publisher,
        "architecture": entry.architecture,
        "quantization": entry.quantization,
        "format": entry.format,
        "size_bytes": entry.size_bytes,
        "parameters": entry.parameters,
        "max_context_length": entry.max_context_length,
        "vision": entry.vision,
        "tool_use": entry.tool_use,
        "reasoning": {"options": list(entry.reasoning_options), "default": entry.reasoning_default},
        "variants": list(entry.variants),
        "loaded": None if entry.loaded is None and not entry.instances else entry.in_memory,
        "instances": [instance_json(instance) for instance in entry.instances],
        "used_by": _uses_json(uses.found.get((catalogue.endpoint, entry.key), ())),
    }


def instance_json(instance: Instance) -> dict[str, Any]:
    """``{id, context_length, parallel, shared_context, config}``."""
    return {
        "id": instance.id,
        "context_length": instance.context_length,
        "parallel": instance.parallel,
        "shared_context": instance.shared_context,
        "config": dict(instance.config),
    }


def server_name(catalogue: EndpointCatalogue) -> str:
    """``studio (http://127.0.0.1:1234), LM Studio 0.4 or later``."""
    place = f"{catalogue.name} ({catalogue.endpoint})" if catalogue.name else catalogue.endpoint
    return one_line(f"{place}, {FLAVOURS[catalogue.flavour]}")


def instance_text(instance: Instance) -> str:
    """``32,768 tokens, 4 at once (they share them)``; ``context unknown`` if nothing is said."""
    if instance.context_length is None:
        return "context unknown" if instance.parallel is None else f"{instance.parallel} at once"
    context = f"{instance.context_length:,} tokens"
    if instance.parallel is None:
        return context
    shared = " (they share them)" if instance.shared_context and instance.parallel > 1 else ""
    return f"{context}, {instance.parallel} at once{shared}"


def abilities(entry: ModelEntry) -> str:
    """``tools, vision, reasoning (low, high)``; empty where the server says nothing of the kind."""
    options = f" ({', '.join(entry.reasoning_options)})" if entry.reasoning_options else ""
    said = (
        ("embeddings", entry.type == "embedding"),
        ("tools", entry.tool_use is True),
        ("vision", entry.vision is True),
        (f"reasoning{options}", bool(entry.reasoning_options)),
    )
    return ", ".join(word for word, true in said if true)


def wrapped_uses(users: Iterable[Use]) -> tuple[str]:
    """The users as one cell of a table."""
    return ("; ".join(one_line(str(use)) for use in users) or _NOTHING,)


def _server(catalogue: EndpointCatalogue, uses: Uses, room: int) -> list[str]:
    lines = [server_name(catalogue)]
    rows = [_row(entry, uses.found.get((catalogue.endpoint, entry.key), ())) for entry in catalogue.models]
    if rows:
        head = ("MODEL", "STATE", "MAX CONTEXT", "SIZE", "QUANT", "CAN", "USED BY")
        kept = [column for column in range(len(head)) if column < 2 or any(row[column] != _NOTHING for row in rows)]
        lines += _indented(table([head[c] for c in kept], [[row[c] for c in kept] for row in rows], room))
    else:
        lines.append("  no models")
    return [*lines, *(f"  note: {one_line(note)}" for note in catalogue.notes)]


def _row(entry: ModelEntry, users: Sequence[Use]) -> list[str]:
    cells = (
        entry.key,
        _state(entry),
        f"{entry.max_context_length:,}" if entry.max_context_length else "",
        show_bytes(entry.size_bytes) if entry.size_bytes else "",
        entry.quantization or "",
        abilities(entry),
    )
    return [*(one_line(cell) or _NOTHING for cell in cells), *wrapped_uses(users)]


def _state(entry: ModelEntry) -> str:
    """``loaded: 8,192 tokens, 4 at once``; with ids where one is not the key, or there are several."""
    if not entry.instances:
        return "unknown" if entry.loaded is None else "loaded" if entry.loaded else "not loaded"
    named = len(entry.instances) > 1 or entry.instances[0].id != entry.key
    return "; ".join(
        f"loaded as {one.id}: {instance_text(one)}" if named else f"loaded: {instance_text(one)}"
        for one in entry.instances
    )


def _facts(entry: ModelEntry) -> Iterator[tuple[str, str]]:
    said = (
        ("type", "" if entry.type == "unknown" else entry.type),
        ("can", abilities(entry)),
        ("reasoning", entry.reasoning_default and f"{entry.reasoning_default} unless asked otherwise"),
        ("max context", entry.max_context_length and f"{entry.max_context_length:,} tokens"),
        ("size", entry.size_bytes and show_bytes(entry.size_bytes)),
        ("parameters", entry.parameters),
        ("quantization", entry.quantization),
        ("format", entry.format),
        ("architecture", entry.architecture),
        ("publisher", entry.publisher),
        ("variants", ", ".join(entry.variants)),
    )
    for name, text in said:
        if text:
            yield name, str(text)


def _instance_rows(entry: ModelEntry) -> Iterator[tuple[str, str]]:
    if not entry.instances:
        yield "state", _state(entry)
    for instance in entry.instances:
        config = ", ".join(f"{key} {_word(value)}" for key, value in instance.config.items())
        facts = instance_text(instance) + (f"; {config}" if config else "")
        yield "loaded as", f"{instance.id}: {facts}"


def _use_rows(users: Sequence[Use]) -> Iterator[tuple[str, str]]:
    for use in users:
        yield "used by", str(use)
    if not users:
        yield "used by", "no workflow here"


def _server_json(catalogue: EndpointCatalogue, uses: Uses) -> dict[str, Any]:
    return {
        "endpoint": catalogue.endpoint,
        "name": catalogue.name,
        "flavour": catalogue.flavour,
        "manages": catalogue.manages,
        "loads_on_demand": catalogue.loads_on_demand,
        "notes": list(catalogue.notes),
        "models": [model_json(catalogue, entry, uses) for entry in catalogue.models],
    }


def _uses_json(users: Iterable[Use]) -> list[dict[str, Any]]:
    return [{"file": use.file, "steps": list(use.steps), "fallback": use.fallback} for use in users]


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}".rstrip() for line in lines]
