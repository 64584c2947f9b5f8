"""Sentences about models: loaded, reused, refused, left alone, replaced."""

from __future__ import annotations

import pytest

from runner.record.events import (
    CircuitChanged,
    HistoryTrimmed,
    ModelFellBack,
    ModelLoaded,
    ModelLoadFailed,
    ModelLoadStarted,
    ModelUnloaded,
    RequestDegraded,
)
from runner.show.sentence import Sentence, sentence, show_settings

URL, MODEL = "http://127.0.0.1:1234", "qwen/qwen3-8b"
AT = {"endpoint": URL, "model": MODEL}
FELL = {"step": "fix", "attempt": 3, "model": MODEL, "endpoint": URL, "to_model": "qwen/qwen3-4b", "kind": "crash"}


@pytest.mark.parametrize(
    ("event", "mood", "text"),
    [
        (
            ModelLoadStarted(settings={"context_length": 32_768}, size_bytes=4_700_000_000, **AT),
            "plain",
            "loading qwen/qwen3-8b (4.4 GB) on http://127.0.0.1:1234 with context 32,768",
        ),
        (ModelLoadStarted(**AT), "plain", "loading qwen/qwen3-8b on http://127.0.0.1:1234"),
        (
            ModelLoaded(instance=MODEL, seconds=12.3, context_length=32_768, parallel=4, **AT),
            "plain",
            "loaded qwen/qwen3-8b in 12s, context 32,768, 4 at once",
        ),
        (
            ModelLoaded(instance=MODEL, seconds=2, context_length=4_096, note="asked for 32,768", **AT),
            "plain",
            "loaded qwen/qwen3-8b in 2.0s, context 4,096; asked for 32,768",
        ),
        (
            ModelLoaded(instance=MODEL, context_length=16_384, parallel=1, reused=True, **AT),
            "plain",
            "uses qwen/qwen3-8b as it is loaded on http://127.0.0.1:1234 (context 16,384)",
        ),
        (
            ModelLoaded(instance=MODEL, reused=True, **AT),
            "plain",
            "uses qwen/qwen3-8b as it is loaded on http://127.0.0.1:1234",
        ),
        (
            ModelLoadFailed(kind="overloaded", message="it needs\n20 GB", then="`qwen/qwen3-4b` is loaded", **AT),
            "warning",
            "could not load qwen/qwen3-8b (overloaded): it needs 20 GB; then: `qwen/qwen3-4b` is loaded",
        ),
        (
            ModelLoadFailed(kind="overloaded", message=f"`{MODEL}` needs {'more ' * 60}", then="a" * 42, **AT),
            "warning",
            f"could not load (overloaded): `{MODEL}` needs {'more ' * 19}mor…; then: {'a' * 42}",
        ),
        (ModelUnloaded(instance=MODEL, reason="idle for 10m", **AT), "plain", "unloaded qwen/qwen3-8b (idle for 10m)"),
        (
            CircuitChanged(state="open", failures=5, **AT),
            "warning",
            "qwen/qwen3-8b is left alone for a while after 5 failures",
        ),
        (CircuitChanged(state="half_open", **AT), "plain", "qwen/qwen3-8b is tried once more"),
        (CircuitChanged(state="closed", **AT), "good", "qwen/qwen3-8b answers again"),
    ],
)
def test_what_happens_to_a_model_happens_to_the_run(event, mood, text):
    assert sentence(event) == Sentence(who="run", text=text, mood=mood)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            HistoryTrimmed(
                step="fix", attempt=1, round=9, results=3, characters=12_000, tokens=7_900, context_length=8_192
            ),
            "shortened 3 old tool results by 12,000 characters at 7,900 tokens of 8,192",
        ),
        (
            HistoryTrimmed(step="fix", attempt=1, round=9, results=1, characters=9, tokens=1),
            "shortened 1 old tool result by 9 characters at 1 token",
        ),
        (
            RequestDegraded(step="fix", attempt=1, round=1, form="without a schema", message="failed to parse grammar"),
            "request refused: failed to parse grammar; asks again: without a schema",
        ),
        (
            ModelFellBack(message="exit code 6", to_endpoint=URL, **FELL),
            "falls back to qwen/qwen3-4b; qwen/qwen3-8b failed (crash): exit code 6",
        ),
        (
            ModelFellBack(message="exit code 6", to_endpoint="http://gpu:1234", **FELL),
            "falls back to qwen/qwen3-4b on http://gpu:1234; qwen/qwen3-8b failed (crash): exit code 6",
        ),
        (
            ModelFellBack(to_endpoint=URL, message=f"`{MODEL}` on {URL} crashed", **FELL),
            f"falls back to qwen/qwen3-4b (crash): `qwen/qwen3-8b` on {URL} crashed",
        ),
    ],
)
def test_what_a_model_does_to_a_step(event, text):
    assert sentence(event) == Sentence(who="fix", text=text, mood="warning")


def test_settings_in_words():
    settings = {"context_length": 8_192, "flash_attention": True, "offload_kv_cache_to_gpu": False, "num_experts": 4}
    assert show_settings(settings) == "context 8,192, flash attention on, KV cache on the GPU: off, experts: 4"
    assert show_settings({"eval_batch_size": 512, "new_one": "x"}) == "batches of 512, new_one x"
