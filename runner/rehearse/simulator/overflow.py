"""What becomes of a prompt that is longer than the context, by the model's format, its script, or a fault."""

from __future__ import annotations

from dataclasses import replace

from runner.rehearse.simulator import refusal
from runner.rehearse.simulator.effect import Effect
from runner.rehearse.simulator.rewrite import cut_silently
from runner.rehearse.simulator.script import Overflow, ScriptedModel
from runner.rehearse.simulator.state import Instance


def overflowing(effect: Effect, instance: Instance, prompt: int) -> Effect:
    """The effect with what a long prompt of ``prompt`` tokens adds to it; a fault's overflow strikes any prompt."""
    context = instance.context_length
    way = effect.overflow or natural(instance.model, prompt, context)
    if way is None or (effect.overflow is None and effect.refuse is not None):
        return effect
    shown = context if prompt >= context else max(1, prompt // 2)
    if way == "error":
        return replace(effect, refuse=lambda _: refusal.context_exceeded(prompt, shown))
    if way == "pool":
        return replace(effect, refuse=lambda _: refusal.plain(refusal.POOL_FULL))
    if way == "event":
        return replace(effect, breaks="start", then="end", message=refusal.does_not_fit(prompt, shown))
    return replace(effect, rewrite=cut_silently, spoils=True) if effect.overflow else effect


def natural(model: ScriptedModel, prompt: int, context: int) -> Overflow | None:
    """As measured on LM Studio 0.4: GGUF cuts the middle silently, and refuses from twice the context; MLX sends an
    error event (section "context overflow" of its issues 2322 and 2339). None = it fits.
    """
    if prompt < context:
        return None
    if model.overflow is not None:
        return model.overflow
    if model.format == "mlx":
        return "event"
    return "error" if prompt >= 2 * context else "cut"
