"""The models of a plan: how each comes into memory, what is needed of it, and what it can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runner.chat.catalogue import ModelEntry
from runner.chat.endpoint import Endpoint
from runner.plan.plan import ModelChoice, Needs, Plan, PlannedStep
from runner.plan.residency import Residence
from runner.show.cell import one_line
from runner.show.plan.lines import compact
from runner.show.sentence import show_settings
from runner.show.table import full_table, table, wrap
from runner.words.units import show_bytes, show_seconds

_WILL = frozenset(("load", "load anew", "on demand"))


def models_text(plan: Plan, there: Sequence[Residence], room: int) -> list[str]:
    """Every model once, with its server (one for all stands in the title), its state, the steps that it answers."""
    specs = {server.url: server for server in plan.servers}
    servers = {url: specs.get(url, Endpoint(url=url)) for url in dict.fromkeys(one.choice.endpoint for one in there)}
    if not servers:
        return []
    if len(servers) == 1:
        [server] = servers.values()
        title, head = f"Models on {one_line(server.shown)}", ("MODEL", "STATE", "ANSWERS")
        rows = [(one.name, _state(one), _answers(one)) for one in there]
        lines = table(head, [tuple(map(one_line, row)) for row in rows], room)
    else:
        title = "Models"
        named = {url: server.name or url for url, server in servers.items()}
        wide = [(one.name, named[one.choice.endpoint], _state(one), _answers(one)) for one in there]
        lines = table(("MODEL", "SERVER", "STATE", "ANSWERS"), [tuple(map(one_line, row)) for row in wide], room)
    bounds = (part for line in _bounds(plan, there) for part in wrap(line, room))
    return [title, *(f"  {line}" for line in (*lines, *bounds))]


def capabilities_text(steps: Sequence[PlannedStep], there: Sequence[Residence], room: int) -> list[str]:
    """What is needed of every model, and whether it can; columns of what nobody needs are left out."""
    rows = [[one_line(one.name), *_capabilities(one, tuple(_needs(steps, one)))] for one in there]
    head = ("MODEL", "TOOLS", "VISION", "SCHEMA", "REASONING", "CONTEXT")
    return ["What is needed, and whether they can", *(f"  {line}" for line in full_table(head, rows, room))]


def _answers(one: Residence) -> str:
    reserve = f"fallback of {', '.join(compact(one.reserve_of))}" if one.reserve_of else ""
    return "; ".join(filter(None, (", ".join(compact(one.steps)), reserve)))


def _state(one: Residence) -> str:
    """``loaded, context 32,768``; ``will be loaded with context 16,384, 18.6 GB``; the wish it stands in for."""
    choice, entry = one.choice, one.choice.entry
    facts = [_how(one)]
    if one.how in ("loaded", "served") and one.context_length is not None:
        facts.append(f"context {one.context_length:,}")
    if entry.quantization:
        facts.append(entry.quantization)
    if entry.size_bytes and not (one.how == "loaded" or entry.in_memory):
        facts.append(show_bytes(entry.size_bytes))
    if one.ttl is not None and one.how in _WILL:
        facts.append(f"unloaded after {whole_seconds(one.ttl)} idle")
    if choice.wanted not in choice.entry.names and choice.wanted != choice.model:
        facts.append(f"stands in for {choice.wanted}")
    return ", ".join(facts)


def _how(one: Residence) -> str:
    if one.how == "load":
        return f"will be loaded: {show_settings(one.settings)}"
    if one.how == "load anew":
        return f"loaded, but {one.lacks}: will be loaded anew: {show_settings(one.settings)}"
    if one.how == "loaded" or one.choice.entry.in_memory:
        return "loaded"
    return "state unknown" if one.choice.entry.loaded is None else "will be loaded on demand"


def whole_seconds(seconds: float) -> str:
    """``10m``, not ``10m00s``."""
    return show_seconds(seconds).removesuffix("00s").removesuffix("00m")


def _bounds(plan: Plan, there: Sequence[Residence]) -> Iterable[str]:
    """How many models are kept loaded at once, for servers on which more than that want to be."""
    specs = {server.url: server for server in plan.servers}
    for url in dict.fromkeys(one.choice.endpoint for one in there):
        spec = specs.get(url, Endpoint(url=url))
        coming = sum(one.how in _WILL for one in there if one.choice.endpoint == url)
        most = spec.max_loaded or (None if spec.memory else 1)
        if most is not None and coming > most:
            kept = "1 model" if most == 1 else f"{most} models"
            yield f"The run keeps at most {kept} loaded at a time on {one_line(spec.shown)}."
        if spec.memory is not None and coming > 1:
            yield f"The run loads at most {show_bytes(spec.memory)} of models on {one_line(spec.shown)}."


def _needs(steps: Sequence[PlannedStep], one: Residence) -> Iterable[Needs]:
    wanted = {*one.steps, *one.reserve_of}
    return (step.needs for step in steps if step.step.id in wanted and step.needs is not None)


def _capabilities(one: Residence, needs: Sequence[Needs]) -> tuple[str, ...]:
    entry = one.choice.entry
    have = one.context_length if one.context_length is not None else entry.max_context_length
    return (
        _whether(needed=any(need.tools for need in needs), has=entry.tool_use),
        _whether(needed=any(need.vision for need in needs), has=entry.vision),
        "asked" if any(need.schema for need in needs) else "-",
        _reasoning((need.reasoning for need in needs if need.reasoning), entry),
        f"{one.need:,} of {'?' if have is None else f'{have:,}'}",
    )


def _whether(*, needed: bool, has: bool | None) -> str:
    if not needed:
        return "-"
    return {True: "yes", False: "NO", None: "not known"}[has]


def _reasoning(wanted: Iterable[str], entry: ModelEntry) -> str:
    """``off: yes``; of a model whose server does not say what it knows the bare setting."""
    options = entry.reasoning_options
    said = (f"{one}: {'yes' if one in options else 'NO'}" if options else one for one in dict.fromkeys(wanted))
    return ", ".join(said) or "-"


def residence_json(one: Residence) -> dict[str, Any]:
    """One model of the plan for machines; ``how`` as in ``Residence``."""
    return {
        "model": one.name,
        "endpoint": one.choice.endpoint,
        "how": one.how,
        "instance": one.instance.id if one.instance else None,
        "context_length": one.context_length,
        "settings": dict(one.settings) if one.how in _WILL else {},
        "ttl": one.ttl,
        "lacks": one.lacks,
        "answers": list(one.steps),
        "fallback_of": list(one.reserve_of),
        "needed_context": one.need,
        "capabilities": capabilities_json(one.choice.entry),
    }


def capabilities_json(entry: ModelEntry) -> dict[str, Any]:
    """What a model can; null where its server does not say."""
    return {
        "type": entry.type,
        "tools": entry.tool_use,
        "vision": entry.vision,
        "reasoning": list(entry.reasoning_options),
        "reasoning_default": entry.reasoning_default,
        "max_context_length": entry.max_context_length,
    }


def needs_json(needs: Needs) -> dict[str, Any]:
    """What a step asks of its model; ``context``, ``reserve`` and ``result`` in tokens, estimated."""
    return {
        "tools": needs.tools,
        "vision": needs.vision,
        "schema": needs.schema,
        "reasoning": needs.reasoning,
        "context": needs.context,
        "reserve": needs.reserve,
        "result": needs.result,
    }


def choice_json(choice: ModelChoice) -> dict[str, Any]:
    """The model that answers a step, or may stand in."""
    entry = choice.entry
    contexts = [instance.context_length for instance in entry.instances if instance.context_length]
    return {
        "id": choice.model,
        "endpoint": choice.endpoint,
        "origin": choice.origin,
        "loaded": True if entry.in_memory else entry.loaded,
        "context_length": contexts[0] if contexts else None,
        "max_context_length": entry.max_context_length,
        "quantization": entry.quantization,
        "capabilities": capabilities_json(entry),
        "sampling": dict(choice.sampling),
        "load": dict(choice.load),
        "ttl": choice.ttl,
        "fallbacks": [choice_json(fallback) for fallback in choice.fallbacks],
    }


def server_json(server: Endpoint) -> dict[str, Any]:
    """How a server of models may be used, as the configuration says; never its token."""
    return {
        "endpoint": server.url,
        "name": server.name,
        "max_loaded": server.max_loaded,
        "memory": server.memory,
        "parallel": server.parallel,
    }
