"""A real llama.cpp server on a model of noise, for tests that judge the protocol and never the wisdom.

The server is the one inside the ``xllamacpp`` wheel, in a process of its own: a native crash must not end the tests.
The model is made on the spot: two layers of random weights over single bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODEL = "tiny-noise"
CONTEXT = 1024
SLOTS = 2
KEY = "sk-test-key"

_WIDTH, _FORWARD, _HEADS, _LAYERS = 64, 128, 4, 2
_SPECIAL = ("<|im_start|>", "<|im_end|>")
_TEMPLATE = (
    "{% if tools %}<|im_start|>system\n<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>"
    "Call with <tool_call>{\"name\": ..., \"arguments\": ...}</tool_call><|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{% for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)  # fmt: skip


@contextmanager
def llama_server(*, key: str | None = None, slots: int = SLOTS, context: int = CONTEXT) -> Iterator[str]:
    """Its address, while it runs. ``context`` is the total, shared by the slots; ``key``: only with this token."""
    setting = json.dumps({"model": str(_model()), "key": key, "slots": slots, "context": context})
    with subprocess.Popen(
        [sys.executable, __file__, setting], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            address = process.stdout.readline().decode().strip()
            if not address.startswith("http"):
                raise RuntimeError(f"the llama.cpp server did not start: {address!r}, exit code {process.wait(10)}")
            yield address
        finally:
            process.kill()


def _model() -> Path:
    """The model's file, made by whoever needs it first."""
    path = Path(tempfile.gettempdir()) / f"bridge-run-tests-{os.getuid()}" / "tiny-noise-1.gguf"
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        own = path.with_suffix(f".{os.getpid()}")
        _write_model(own)
        own.replace(path)  # several test processes may get here at once
    return path


def _write_model(path: Path) -> None:
    import gguf
    import numpy

    tokens = [*_byte_letters(), *_SPECIAL]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(MODEL)
    writer.add_context_length(8192)
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
    writer.add_chat_template(_TEMPLATE)
    random = numpy.random.default_rng(7)
    for name, shape in _tensors(len(tokens)):
        weights = numpy.ones(shape) if name.endswith("norm.weight") else random.normal(0, 0.2, shape)
        writer.add_tensor(name, weights.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


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


def _serve(setting: dict[str, object]) -> None:
    """Runs in the process of its own: say the address, serve until the test closes the pipe or is gone."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = setting["model"]
    params.model_alias = [MODEL]
    params.n_ctx = setting["context"]
    params.n_parallel = setting["slots"]
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.warmup = False
    params.use_jinja = True
    params.endpoint_slots = True
    params.port = 0
    if setting["key"]:
        params.api_keys = [setting["key"]]
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
