"""Scenarios of model loading: what is missing, what cannot be loaded, what is loaded although it went wrong first."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from kit.scene import Scene, ask, cold, loaded

import runner
from runner import LLMConnectionError, ModelMemoryError, ModelNotFoundError
from runner.app.bridge.house import BridgeHouse
from runner.record.events import ModelLoadStarted
from runner.record.journal import Entry
from runner.words.errors import BridgeError, CannotServeError, LLMError, StepError


def test_a_model_that_is_missing_is_told_with_those_that_are_there(scene: Scene) -> None:
    scene.studio({"qwen/qwen3-coder": loaded(), "other/model": loaded()})
    with pytest.raises(ModelNotFoundError) as missing:
        scene.do(model="qwen/qwen3-codr")
    assert set(missing.value.available_models) >= {"qwen/qwen3-coder", "other/model"}
    assert missing.value.nearest[0] == "qwen/qwen3-coder"
    assert scene.heard() == []
    assert not Path(".bridge").exists(), "nothing was started"


def test_a_load_that_fails_once_is_tried_again(scene: Scene) -> None:
    scene.studio({"small/one": cold()}, faults=["load-failure"])
    assert scene.do(model="small/one").text == "Hi."
    assert scene.counted()["load"] == 2


def test_a_load_that_always_fails_is_an_error_of_its_own_kind(scene: Scene) -> None:
    scene.studio({"small/one": cold(load_error="the file is damaged")})
    with pytest.raises(LLMError, match="the file is damaged"):
        scene.do(model="small/one")
    assert scene.heard() == []


def test_a_model_that_does_not_fit_is_told_with_its_sizes(scene: Scene) -> None:
    scene.studio({"big/one": cold(size="40GB")}, memory="8GB")
    with pytest.raises(ModelMemoryError) as full:
        scene.do(model="big/one")
    assert full.value.kind == "overloaded"
    assert scene.heard() == []


def test_a_slow_load_ends_with_the_time_of_the_task(scene: Scene) -> None:
    scene.studio({"slow/one": cold(load_time="60s")})
    with pytest.raises(StepError) as late:
        scene.do(model="slow/one", timeout=0.3)
    assert late.value.kind == "timeout"


def test_a_model_that_embeds_is_not_asked_to_chat(scene: Scene) -> None:
    scene.studio({"embed/one": {"type": "embedding", "loaded": True}, "small/one": loaded()})
    with pytest.raises(BridgeError, match="embed"):
        scene.do(model="embed/one")
    assert scene.heard() == []


def test_a_loaded_copy_with_too_little_context_gets_a_larger_one_beside_it(scene: Scene) -> None:
    scene.studio({"small/one": {**cold(max_context_length=65536), "loaded": {"context_length": 2048}}})
    end = scene.do("word " * 4000, model="small/one")
    assert end.text == "Hi."
    assert scene.counted()["load"] == 1
    assert [body["model"] for body in scene.heard()] == ["small/one:2"]
    assert scene.heard("/unload") == [{"instance_id": "small/one:2"}], "what a person has loaded stays"


@pytest.mark.parametrize("name", [None, "default"])
def test_the_default_is_the_one_that_is_loaded_and_nothing_else(scene: Scene, name: str | None) -> None:
    scene.studio({"small/one": cold(), "small/two": loaded()})
    assert scene.do(model=name).model == "small/two"
    assert {body["model"] for body in scene.heard()} == {"small/two"}


@pytest.mark.parametrize(("models", "said"), [(cold, "none is loaded"), (loaded, "2 are loaded")])
def test_without_one_loaded_model_there_is_no_default(scene: Scene, models: object, said: str) -> None:
    assert callable(models)
    scene.studio({"small/one": models(), "small/two": models()})
    with pytest.raises(ModelNotFoundError, match=said) as missing:
        scene.do()
    assert set(missing.value.available_models) >= {"small/one", "small/two"}
    assert scene.heard() == []


def test_a_crash_while_it_answers_is_survived(scene: Scene) -> None:
    scene.studio({"small/one": loaded()}, faults=["crash-midway"])
    assert scene.do(model="small/one").text == "Hi."


def test_a_server_that_goes_while_it_loads_is_told_as_gone(scene: Scene) -> None:
    scene.studio({"slow/one": cold(load_time="60s")})

    def leave(entry: Entry) -> None:
        if isinstance(entry.event, ModelLoadStarted):
            threading.Thread(target=scene.gone).start()

    async def story(house: BridgeHouse) -> None:
        with pytest.raises(LLMConnectionError):
            await ask(house, model="slow/one", listener=leave)

    scene.in_house(story)
    assert scene.heard() == []


def test_a_workflow_with_a_misspelt_model_is_told_the_nearest_and_starts_nothing(scene: Scene) -> None:
    scene.studio({"qwen/qwen3-coder": loaded()})
    Path("flow.yaml").write_text("version: 1\nname: flow\nsteps: [{id: a, model: qwen/qwen3-codr, task: Hello}]\n")
    with pytest.raises(CannotServeError) as missing:
        runner.run_sync("flow.yaml", endpoints=scene.url)
    (finding,) = missing.value.diagnostics
    assert (finding.help or "").startswith("did you mean `qwen/qwen3-coder`")
    assert finding.span is not None
    assert finding.span.line == 3
    assert scene.heard() == []
