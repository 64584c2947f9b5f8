"""How a model stands after each event, and how long its next load may take."""

from __future__ import annotations

import pytest

from runner.record.events import ModelAsked, ModelLoaded, ModelLoadFailed, ModelLoadStarted, ModelUnloaded
from runner.record.model_state import ModelState, after, expected_seconds
from runner.record.state import RunState, fold, result
from runner.record.step_state import StepState

URL = "http://127.0.0.1:1234"
GB = 1_000_000_000
BEGUN = ModelLoadStarted(endpoint=URL, model="coder", settings={"context_length": 8_192}, size_bytes=4 * GB)
LOADED = ModelLoaded(endpoint=URL, model="coder", instance="coder:2", seconds=8.0, context_length=8_192, parallel=4)
REUSED = ModelLoaded(endpoint=URL, model="coder", instance="coder", context_length=16_384, reused=True)
FAILED = ModelLoadFailed(endpoint=URL, model="coder", kind="overloaded", message="too big")


def gone(instance: str) -> ModelUnloaded:
    return ModelUnloaded(endpoint=URL, model="coder", instance=instance, reason="idle for 10m")


@pytest.mark.parametrize(
    ("events", "status", "instance", "loads", "failed", "seconds"),
    [
        ([BEGUN], "loading", None, 0, 0, 0.0),
        ([BEGUN, LOADED], "loaded", "coder:2", 1, 0, 8.0),
        ([REUSED], "loaded", "coder", 0, 0, 0.0),
        ([BEGUN, FAILED], "absent", None, 0, 1, 0.0),
        ([BEGUN, LOADED, gone("coder:2")], "absent", None, 1, 0, 8.0),
        ([BEGUN, LOADED, gone("coder:3")], "loaded", "coder:2", 1, 0, 8.0),
        ([BEGUN, LOADED, gone("coder:2"), BEGUN, LOADED], "loaded", "coder:2", 2, 0, 16.0),
    ],
)
def test_a_model_after_its_events(numbered, events, status, instance, loads, failed, seconds):
    [model] = fold(numbered(events)).models.values()
    assert (model.status, model.instance, model.loads, model.failed, model.seconds) == (
        status,
        instance,
        loads,
        failed,
        seconds,
    )


def test_other_events_leave_models_alone():
    assert after({}, ModelAsked(step="a", attempt=1, round=1, model="coder", messages=())) is None


def test_the_next_load_takes_as_long_as_the_last_else_as_the_size_says(numbered):
    models = fold(numbered([BEGUN, LOADED])).models
    assert expected_seconds(models, models[URL, "coder"]) == 8.0
    assert expected_seconds(models, ModelState(endpoint=URL, model="big", size_bytes=20 * GB)) == 40.0
    assert expected_seconds(models, ModelState(endpoint=URL, model="dumb")) is None
    assert expected_seconds(models, ModelState(endpoint="http://other", model="big", size_bytes=20 * GB)) is None


def test_a_step_finds_its_model_by_id_or_by_loaded_copy(numbered):
    state = fold(numbered([BEGUN, LOADED]))
    for name in ("coder", "coder:2"):
        model = state.model_of(StepState(id="a", model=name, endpoint=URL))
        assert model is not None
        assert model.loads == 1
    assert state.model_of(StepState(id="a", model="coder", endpoint="http://other")) is None
    assert RunState().model_of(StepState(id="a")) is None


def test_models_in_the_result(numbered):
    assert result(fold(numbered([BEGUN, LOADED, gone("coder:2"), BEGUN, FAILED])))["models"] == [
        {
            "model": "coder",
            "endpoint": URL,
            "loads": 1,
            "failed": 1,
            "reused": False,
            "seconds": 8.0,
            "context_length": 8_192,
        }
    ]
