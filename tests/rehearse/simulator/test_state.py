"""What is loaded, when, and under which name: LM Studio's rules, with a clock that the test turns."""

from __future__ import annotations

import pytest

from runner.rehearse.simulator.reading import parse_script
from runner.rehearse.simulator.refusal import Refusal
from runner.rehearse.simulator.state import Instance, Memory, OnDemand


def memory(models: str = "", settings: str = "{}") -> Memory:
    return Memory(parse_script(f"settings: {settings}\nmodels: {{{models}}}", "script.yaml"), 0.0)


def answering(state: Memory, name: str | None, now: float = 0.0) -> str:
    found = state.resolve(name, "llm", now)
    return f"load {found.model.key}" if isinstance(found, OnDemand) else found.id


def refusal(state: Memory, name: str | None, domain: str = "llm") -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        state.resolve(name, domain, 0.0)
    return caught.value.status, caught.value.text


def ids(state: Memory, now: float) -> list[str]:
    return [instance.id for instance in state.instances(now)]


def load(state: Memory, key: str, now: float = 0.0, **more) -> Instance:
    model = state.find(key)
    assert model is not None
    return state.load(model, now, **more)


def test_instance_then_model_then_load_then_the_only_one() -> None:
    state = memory("a: {loaded: true}, b: {}")
    load(state, "a")
    assert ids(state, 0) == ["a", "a:2"]
    assert answering(state, "a:2") == "a:2"
    assert answering(state, "A@q4_k_m") == "a"
    assert answering(state, "b") == "load b"
    assert refusal(state, "c") == (
        400,
        'Invalid model identifier "c". Please specify a valid downloaded model (e.g., a, b).',
    )
    state.unload("a:2")
    assert answering(state, "c") == "a"
    assert answering(state, None) == "a"


def test_without_loading_on_demand_the_only_one_answers_for_all() -> None:
    state = memory("a: {loaded: true}, b: {}", "{jit: false}")
    assert answering(state, "b") == "a"


def test_nothing_answers() -> None:
    nothing = "No models loaded. Please load a model in the developer page or use the 'lms load' command."
    assert refusal(memory("a: {}", "{jit: false}"), "a") == (400, nothing)
    assert refusal(memory("a: {}", "{version: 0.3.5}"), "x") == (404, nothing)
    assert refusal(memory("a: {}"), None) == (400, nothing)
    assert refusal(memory(), "x") == (400, "Invalid model identifier 'x'. There are no downloaded llm models.")
    assert refusal(memory("a: {loaded: true}, b: {loaded: true}"), None) == (
        400,
        "Multiple models are loaded. Please specify a model by providing a 'model' field.",
    )


def test_each_domain_keeps_to_itself() -> None:
    state = memory("a: {loaded: true}, e: {type: embedding}")
    assert refusal(state, "e") == (400, "Model 'e' is not a chat model.")
    assert refusal(state, "a", "embedding") == (400, "Model 'a' is not an embedding model.")


def test_a_load_on_demand_evicts_the_one_before_but_not_what_a_person_loaded() -> None:
    state = memory("a: {loaded: true}, b: {}, c: {}")
    first = load(state, "b", jit=True)
    load(state, "c", jit=True)
    assert ids(state, 0) == ["a", "c"]
    assert first.gone


def test_without_auto_evict_all_stay() -> None:
    state = memory("b: {}, c: {}", "{auto_evict: false}")
    load(state, "b", jit=True)
    load(state, "c", jit=True)
    assert ids(state, 0) == ["b", "c"]


def test_idle_models_are_unloaded_but_not_busy_ones() -> None:
    state = memory("a: {load_time: 5s}, b: {}", "{jit_ttl: 10s, auto_evict: false}")
    first = load(state, "a", jit=True)
    load(state, "b", jit=True, ttl=100)
    assert ids(state, 14.9) == ["a", "b"]
    state.enter(first)
    assert ids(state, 40) == ["a", "b"]
    state.leave(first, 41)
    assert ids(state, 50.9) == ["a", "b"]
    assert ids(state, 51) == ["b"]
    assert ids(state, 100) == []


def test_what_a_person_loaded_stays_for_ever() -> None:
    state = memory("a: {loaded: true}")
    assert ids(state, 1e9) == ["a"]


def test_a_second_request_waits_for_the_load_or_races_it() -> None:
    waiting = memory("a: {load_time: 5s}")
    load(waiting, "a", jit=True)
    assert answering(waiting, "a", 1) == "a"
    racing = memory("a: {load_time: 5s}", "{jit_race: true}")
    load(racing, "a", jit=True)
    assert answering(racing, "a", 1) == "load a"
    assert load(racing, "a", 1, jit=True).id == "a:2"
    assert answering(racing, "a", 6) == "a"


def test_context_lengths() -> None:
    state = memory("a: {loaded: {context_length: 100, parallel: 2}}, b: {max_context_length: 50}", "{jit_context: 60}")
    assert (state.instances(0)[0].context_length, state.instances(0)[0].parallel) == (100, 2)
    assert (load(state, "a").context_length, load(state, "b").context_length) == (60, 50)
    assert load(state, "a", context_length=70).context_length == 70


def test_memory_is_finite() -> None:
    state = memory("a: {size: 4GB}, b: {size: 4GB, token_size: 1MB}", "{memory: 10GB, auto_evict: false}")
    load(state, "a")
    with pytest.raises(Refusal) as explicit:
        load(state, "b", context_length=4096)
    assert explicit.value.status == 500
    assert explicit.value.text.startswith(
        "Failed to load LLM 'b': Error: Model loading was stopped due to insufficient system resources. Under the "
        "current settings, this model requires approximately 8.00 GB of memory."
    )
    with pytest.raises(Refusal) as on_demand:
        load(state, "b", jit=True)
    assert on_demand.value.text == 'Failed to load model "b". Error: Failed to load model.'
    assert load(state, "b", context_length=1024).context_length == 1024
    state.unload("a")
    assert load(state, "b", context_length=1024).id == "b:2"


def test_mlx_gives_another_context_than_was_asked() -> None:
    state = memory("a: {format: mlx, max_context_length: 9000}, b: {format: mlx, fitted_context: 7000}")
    assert (load(state, "a").context_length, load(state, "a", context_length=50).context_length) == (9000, 50)
    assert load(state, "a", jit=True).context_length == 4096
    assert load(state, "b", context_length=50).context_length == 7000


def test_after_a_crash_the_next_request_is_told_so() -> None:
    state = memory("a: {loaded: true}")
    state.crash(state.instances(0)[0])
    assert refusal(state, "a")[1].startswith("No models loaded.")
    assert answering(state, "a") == "load a"
    state.crash(load(state, "a"))
    load(state, "a")
    assert answering(state, "a") == "a"


def test_what_is_to_be_downloaded_is_not_there_before() -> None:
    state = memory("a: {tool_use: false}", "{downloadable: {a: 1GB, b: 2GB}}")
    assert (dict(state.models), state.find("a")) == ({}, None)
    state.shelve("a", 5)
    state.shelve("b", 6)
    assert [(key, model.size, model.tool_use) for key, model in state.models.items()] == [
        ("a", 5, False),
        ("b", 6, True),
    ]
