"""The model tools on bad days: each fault of the simulator that concerns them is survived, or told by its class."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from kit.bridge import HELLO, Bridge, call, with_bridge
from kit.simulator import simulator

from runner.record.events import CircuitChanged
from runner.words.errors import (
    CircuitOpenError,
    LLMAuthenticationError,
    LLMError,
    LLMResponseError,
    ModelMemoryError,
)
from runner.workflow.model import Retry

LOADED = {"loaded": {"context_length": 8192}, "default": {"reasoning": "Hm.", "say": "Hi, there you are."}}
ASKING: Mapping[str, Mapping[str, Any]] = {
    "chat_completion": {"messages": HELLO},
    "text_completion": {"prompt": "Once"},
    "create_response": {"input": "Once"},
}
SURVIVED = (
    "slow-first-byte", "cut-mid-line", "error-first", "error-midway", "crash", "crash-midway", "unload-midway",
    "no-models-loaded", "jit-duplicate", "wrong-model", "peer-lost", "empty-answer", "status-429", "status-500",
    "status-503", "html-page", "zero-usage", "no-done", "no-finish", "load-failure", "slow-load",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()


def striking(*faults: Any, **settings: Any):
    script = {"settings": settings, "faults": list(faults), "models": {"small/one": LOADED}}
    return simulator(script, log="log")


def logged(path: str = "") -> list[dict[str, Any]]:
    lines = map(json.loads, Path("log").read_text("utf-8").strip().split("\n"))
    return [line for line in lines if line["method"] == "POST" and line["path"].endswith(path)]


@pytest.mark.parametrize("tool", sorted(ASKING))
@pytest.mark.parametrize("fault", SURVIVED)
def test_what_passes_is_survived(fault: str, tool: str) -> None:
    with striking(fault) as url:
        said = call(url, tool, model="small/one", **ASKING[tool])
    assert said["text"] == "Hi, there you are."
    assert said["model"] in ("small/one", "small/one:2")


@pytest.mark.parametrize("tool", sorted(ASKING))
def test_zero_counts_are_told_as_estimates(tool: str) -> None:
    with striking("zero-usage") as url:
        usage = call(url, tool, **ASKING[tool])["usage"]
    assert usage["estimated"] is True
    assert usage["total_tokens"] > 0


@pytest.mark.parametrize("tool", sorted(ASKING))
@pytest.mark.parametrize(
    ("fault", "error", "kind", "retryable"),
    [
        ("wrong-model", LLMResponseError, "wrong_model", False),
        ("empty-answer", LLMResponseError, "empty", True),
        ("crash", LLMResponseError, "crash", True),
        ("status-500", LLMError, "server", True),
        ("status-429", LLMError, "rate_limit", True),
        ("bad-token", LLMAuthenticationError, "auth", False),
    ],
)
def test_what_lasts_is_told_by_its_class(
    fault: str, error: type[LLMError], kind: str, retryable: bool, tool: str
) -> None:
    with striking({"name": fault, "on": "every"}) as url, pytest.raises(error) as lasting:
        call(url, tool, model="small/one", **ASKING[tool])
    assert (lasting.value.kind, lasting.value.retryable) == (kind, retryable)
    assert "small/one" in lasting.value.message or url in lasting.value.message


@pytest.mark.parametrize("tool", sorted(ASKING))
@pytest.mark.parametrize("fault", ["load-failure", "load-memory"])
def test_a_load_that_keeps_failing_is_told(fault: str, tool: str) -> None:
    expected = ModelMemoryError if fault == "load-memory" else LLMResponseError
    with striking({"name": fault, "on": "every"}) as url, pytest.raises(expected) as failed:
        call(url, tool, model="small/one", **ASKING[tool])
    assert "small/one" in failed.value.message
    assert logged("/chat/completions") == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        *ASKING.items(),
        ("generate_embeddings", {"input": "a"}),
        ("list_models", {}),
        ("list_loaded_models", {}),
        ("list_downloaded_models", {}),
        ("get_current_model", {}),
        ("load_model", {}),
        ("ensure_model_loaded", {}),
        ("unload_model", {"model": "small/one"}),
        ("download_model", {"model": "new/one"}),
    ],
)
def test_a_token_that_is_missing_is_told_and_nothing_is_repeated(tool: str, arguments: dict[str, Any]) -> None:
    with striking(token="sk-lm-abcdefgh:abcdefghijklmnopqrst") as url, pytest.raises(LLMAuthenticationError) as refused:
        call(url, tool, **arguments)
    assert refused.value.hint == "set LM_API_TOKEN to a token that the server knows"
    assert logged() == []


def test_a_token_is_sent_and_never_told() -> None:
    token = "sk-lm-abcdefgh:abcdefghijklmnopqrst"

    async def story(bridge: Bridge) -> str:
        said = await bridge.call("chat_completion", messages=HELLO)
        status = await bridge.call("server_status")
        return json.dumps([said, status])

    with striking(token=token) as url:
        assert token not in with_bridge(story, url, LM_API_TOKEN=token)


def test_health_tells_a_refused_token_as_a_finding() -> None:
    with striking(token="sk-lm-abcdefgh:abcdefghijklmnopqrst") as url:
        server = call(url, "health_check")["servers"][0]
    assert (server["healthy"], server["error"]["code"]) == (False, "LLMAuthenticationError")


def test_a_model_that_keeps_failing_is_left_alone_and_others_are_not() -> None:
    async def story(bridge: Bridge) -> None:
        for _ in range(5):
            with pytest.raises(LLMError):
                await once(bridge, "small/one")
        with pytest.raises(CircuitOpenError) as open_:
            await once(bridge, "small/one")
        assert open_.value.retry_after is not None
        assert (await once(bridge, "big/two"))["text"] == "Two."
        circuits = (await bridge.call("server_status"))["servers"][0]["circuits"]
        assert circuits == [{"model": "small/one", "state": "open"}, {"model": "big/two", "state": "closed"}]
        told = [one.event for one in bridge.entries if isinstance(one.event, CircuitChanged)]
        assert [(one.model, one.state) for one in told] == [("small/one", "open")]

    async def once(bridge: Bridge, model: str) -> dict[str, Any]:
        bridge.policy = Retry(attempts=1)
        return await bridge.call("chat_completion", messages=HELLO, model=model)

    failing = {"loaded": True, "default": {"fault": {"error": {"status": 500, "body": {"error": "no"}}}}}
    models = {"small/one": failing, "big/two": {"loaded": True, "default": {"say": "Two."}}}
    with simulator({"models": models}, log="log") as url:
        with_bridge(story, url)
    assert len([one for one in logged("/chat/completions") if one["model"] == "small/one"]) == 5


def test_a_model_that_others_unload_is_loaded_anew() -> None:
    async def story(bridge: Bridge, other: Bridge) -> None:
        await bridge.call("chat_completion", messages=HELLO, model="big/two")
        await other.call("unload_model", model="big/two")
        assert (await bridge.call("chat_completion", messages=HELLO, model="big/two"))["text"] == "Two."
        assert (await bridge.call("text_completion", prompt="Once", model="big/two"))["text"] == "Two."

    async def both(bridge: Bridge) -> None:
        other = Bridge(url)
        try:
            await story(bridge, other)
        finally:
            await other.close()

    models = {"small/one": LOADED, "big/two": {"default": {"say": "Two."}}}
    with simulator({"settings": {"jit": False}, "models": models}, log="log") as url:
        with_bridge(both, url)
    assert len(logged("/models/load")) == 2


def test_calls_of_two_programs_load_a_model_once() -> None:
    async def both(bridge: Bridge) -> None:
        other = Bridge(url)
        try:
            await asyncio.gather(
                *(
                    one.call("chat_completion", messages=HELLO, model="big/two")
                    for one in (bridge, other)
                    for _ in "abc"
                )
            )
        finally:
            await other.close()

    models = {"small/one": LOADED, "big/two": {"load_time": "100ms", "default": {"say": "Two."}}}
    with simulator({"models": models}, log="log") as url:
        with_bridge(both, url)
    assert len(logged("/models/load")) == 1
