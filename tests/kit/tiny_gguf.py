"""A model of noise as a GGUF file, made on the spot: two layers of random weights over single bytes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

NAME = "tiny-noise"

_WIDTH, _FORWARD, _HEADS, _LAYERS = 64, 128, 4, 2
_SPECIAL = ("<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% if tools %}<|im_start|>system\n<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>"
    "Call with <tool_call>{\"name\": ..., \"arguments\": ...}</tool_call><|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{% for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)  # fmt: skip


def tiny_model() -> Path:
    """The model's file, made by whoever needs it first."""
    path = Path(tempfile.gettempdir()) / f"bridge-run-tests-{os.getuid()}" / "tiny-noise-1.gguf"
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        own = write_model(path.with_suffix(f".{os.getpid()}"))
        own.replace(path)  # several test processes may get here at once
    return path


def write_model(
    path: Path, *, name: str = NAME, trained: int = 8192, template: str = TEMPLATE, quantization: int | None = None
) -> Path:
    """Write a model that llama.cpp can load.

    ``trained`` is the context length that it claims, ``quantization`` the number of a type that it claims (its weights
    are of 32 bits all the same).
    """
    import gguf
    import numpy

    tokens = [*_byte_letters(), *_SPECIAL]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_context_length(trained)
    if quantization is not None:
        writer.add_file_type(quantization)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    control = gguf.TokenType.CONTROL
    writer.add_token_types([gguf.TokenType.NORMAL] * 256 + [control] * len(_SPECIAL))
    writer.add_token_merges([f"{tokens[97]} {tokens[98]}"])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(257)
    writer.add_add_bos_token(False)
    writer.add_chat_template(template)
    random = numpy.random.default_rng(7)
    for name, shape in _tensors(len(tokens)):
        weights = numpy.ones(shape) if name.endswith("norm.weight") else random.normal(0, 0.2, shape)
        writer.add_tensor(name, weights.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(vocabulary: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "token_embd.weight", (vocabulary, _WIDTH)
    yield "output_norm.weight", (_WIDTH,)
    yield "output.weight", (vocabulary, _WIDTH)
    for layer in range(_LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"blk.{layer}.{part}.weight", (_WIDTH, _WIDTH)
        yield f"blk.{layer}.attn_norm.weight", (_WIDTH,)
        yield f"blk.{layer}.ffn_norm.weight", (_WIDTH,)
        yield f"blk.{layer}.ffn_gate.weight", (_FORWARD, _WIDTH)
        yield f"blk.{layer}.ffn_up.weight", (_FORWARD, _WIDTH)
        yield f"blk.{layer}.ffn_down.weight", (_WIDTH, _FORWARD)


def _byte_letters() -> list[str]:
    """A printable letter for each byte, as GPT-2's tokenizer has them."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    letters = {byte: chr(byte) for byte in shown} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}
    return [letters[byte] for byte in range(256)]
