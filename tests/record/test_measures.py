"""What is measured: entries of journals in, measurements out."""

from __future__ import annotations

from dataclasses import dataclass

from runner.chat.messages import Usage
from runner.record.events import (
    AnswerRefused,
    CircuitChanged,
    Event,
    ModelAnswered,
    ModelFellBack,
    ModelLoaded,
    ModelLoadFailed,
    ModelLoadStarted,
    ModelUnloaded,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepRetried,
    ToolReturned,
    ToolServerDied,
)
from runner.record.measures import NAMES_KEPT, Measures, Verification, of_task
from runner.record.metric import METRICS
from runner.record.wire import Entry

HERE = "http://127.0.0.1:1234"


class Page:
    """What a dashboard would show: counters added up, gauges as they are, histograms as lists."""

    def __init__(self) -> None:
        self.measures = Measures()
        self.values: dict[tuple[str, ...], float] = {}
        self.seen: dict[tuple[str, ...], list[float]] = {}

    def hear(self, *events: Event, run: str = "a") -> Page:
        for event in events:
            self.take(self.measures.entry(Entry(seq=1, at="2026-11-28T08:00:00.000Z", run=run, event=event)))
        return self

    def take(self, measurements):
        for one in measurements:
            metric = METRICS[one.name]
            assert len(one.labels) == len(metric.labels), one
            key = (one.name, *one.labels)
            if metric.kind == "histogram":
                self.seen.setdefault(key, []).append(one.value)
            else:
                self.values[key] = one.value + (self.values.get(key, 0) if metric.kind == "counter" else 0)
        return self

    def __getitem__(self, key):
        return self.values.get(key) if key in self.values else self.seen.get(key)


def started(*models: str) -> RunStarted:
    each = {f"s{number}": {"model": model, "endpoint": HERE} for number, model in enumerate(models)}
    return RunStarted(workflow="w", file="w.yaml", inputs={}, steps=tuple(each), models=each)


def finished(status: str = "succeeded") -> RunFinished:
    return RunFinished(status=status, exit_code=0, outputs={}, seconds=2.5)


def loaded(model: str, *, seconds: float = 0.0, reused: bool = False) -> ModelLoaded:
    return ModelLoaded(endpoint=HERE, model=model, instance=model, seconds=seconds, reused=reused)


def circuit(state: str, model: str = "m") -> CircuitChanged:
    return CircuitChanged(endpoint=HERE, model=model, state=state)


def state_of(page: Page, model: str = "m"):
    return page["lms_circuit_breaker_state", f"chat {model}"]


def test_a_load_is_counted_and_timed_and_one_that_was_there_is_no_load():
    page = Page().hear(ModelLoadStarted(endpoint=HERE, model="m"), loaded("m", seconds=3.5), loaded("n", reused=True))
    assert page["lms_model_load_attempts_total", "m", "success"] == 1
    assert page["lms_model_load_duration_seconds", "m"] == [3.5]
    assert page["lms_model_load_attempts_total", "n", "success"] is None
    assert page["lms_active_models",] == 2


def test_a_load_that_failed_has_no_duration():
    page = Page().hear(ModelLoadFailed(endpoint=HERE, model="m", kind="overloaded", message="no memory"))
    assert page["lms_model_load_attempts_total", "m", "failure"] == 1
    assert page["lms_model_load_duration_seconds", "m"] is None


def test_a_model_that_two_runs_use_is_one_active_model():
    page = Page().hear(started("m"), loaded("m")).hear(started("m"), loaded("m", reused=True), run="b")
    assert page["lms_active_models",] == 1
    page.hear(finished())
    assert page["lms_active_models",] == 1
    page.hear(finished(), run="b")
    assert page["lms_active_models",] == 0


def test_an_unloaded_model_is_active_for_nobody():
    gone = ModelUnloaded(endpoint=HERE, model="m", instance="m", reason="room")
    page = Page().hear(loaded("m")).hear(loaded("m", reused=True), run="b").hear(gone)
    assert page["lms_active_models",] == 0


def test_circuits_are_closed_when_a_run_begins_and_follow_its_changes():
    page = Page().hear(started("m", "m", "n"))
    assert (state_of(page), state_of(page, "n")) == (0, 0)
    assert state_of(page.hear(circuit("open"))) == 1
    assert state_of(page.hear(circuit("half_open"))) == 2
    assert state_of(page.hear(circuit("closed"))) == 0


def test_of_the_circuits_of_several_runs_the_worst_is_told():
    page = Page().hear(started("m")).hear(started("m"), run="b").hear(circuit("open"))
    page.hear(circuit("half_open"), run="b")
    assert state_of(page) == 1
    page.hear(circuit("closed"))
    assert state_of(page) == 2


def test_the_state_at_the_end_of_a_run_stays_until_another_begins():
    page = Page().hear(started("m"), circuit("open"), finished("failed"))
    assert state_of(page) == 1
    page.hear(started("n"), run="b")
    assert (state_of(page), state_of(page, "n")) == (0, 0)


def test_a_run_that_is_resumed_keeps_its_circuits():
    page = Page().hear(started("m"), circuit("open"), finished("paused"), RunResumed())
    assert state_of(page) == 1


def test_answers_give_tokens_and_seconds():
    answer = ModelAnswered(
        step="s", attempt=1, round=1, model="m", content="", finish_reason="stop", seconds=4.0,
        usage=Usage(100, 20, 5, 60), first_token_seconds=0.5,
    )  # fmt: skip
    page = Page().hear(answer, answer)
    assert page["bridge_run_answers_total", "m"] == 2
    assert page["bridge_run_answer_duration_seconds", "m"] == [4.0, 4.0]
    assert page["bridge_run_time_to_first_token_seconds", "m"] == [0.5, 0.5]
    tokens = [page[f"bridge_run_{name}_tokens_total", "m"] for name in ("prompt", "completion", "reasoning")]
    assert tokens == [200, 40, 10]
    assert page["bridge_run_cached_prompt_tokens_total", "m"] == 120


def test_an_answer_that_did_not_say_when_it_began_is_left_out_of_that_alone():
    answer = ModelAnswered(
        step="s", attempt=1, round=1, model="m", content="", finish_reason="stop", seconds=4.0, usage=Usage()
    )
    page = Page().hear(answer)
    assert page["bridge_run_answers_total", "m"] == 1
    assert page["bridge_run_time_to_first_token_seconds", "m"] is None


def returned(server: str, tool: str, *, is_error: bool) -> ToolReturned:
    return ToolReturned(
        step="s", attempt=1, call="1", server=server, tool=tool, text="x", is_error=is_error, seconds=0.25, characters=1
    )


def test_tool_calls_are_told_apart_by_how_they_ended():
    page = Page().hear(returned("files", "read", is_error=False), returned("files", "read", is_error=True))
    assert page["bridge_run_tool_calls_total", "files", "read", "success"] == 1
    assert page["bridge_run_tool_calls_total", "files", "read", "error"] == 1
    assert page["bridge_run_tool_call_duration_seconds", "files", "read"] == [0.25, 0.25]


def test_a_tool_that_a_model_made_up_is_no_label():
    page = Page().hear(returned("", "delete_the_whole_internet", is_error=True))
    assert page["bridge_run_tool_calls_total", "", "other", "error"] == 1
    assert not [key for key in (*page.values, *page.seen) if "delete_the_whole_internet" in key]


def test_steps_and_items_are_counted_apart():
    page = Page().hear(
        StepFinished(step="s", status="succeeded", item=0, seconds=1.0),
        StepFinished(step="s", status="failed", item=1, seconds=1.0),
        StepFinished(step="s", status="failed", seconds=2.0),
        StepFinished(step="t", status="skipped"),
    )
    assert page["bridge_run_items_total", "succeeded"] == page["bridge_run_items_total", "failed"] == 1
    assert page["bridge_run_steps_total", "failed"] == page["bridge_run_steps_total", "skipped"] == 1
    assert page["bridge_run_step_duration_seconds", "failed"] == [2.0]
    assert page["bridge_run_step_duration_seconds", "skipped"] is None


def test_what_goes_wrong_on_the_way_is_counted_by_kind():
    page = Page().hear(
        StepRetried(step="s", attempt=1, kind="timeout", message="", wait=1.0),
        AnswerRefused(step="s", attempt=1, kind="invalid_output", message="", left=1),
        ToolServerDied(server="git", message="", restarted=True),
        ModelFellBack(
            step="s", attempt=1, model="m", endpoint=HERE, to_model="n", to_endpoint=HERE, kind="crash", message=""
        ),
        finished("failed"),
    )
    assert page["bridge_run_retries_total", "timeout"] == 1
    assert page["bridge_run_refused_answers_total", "invalid_output"] == 1
    assert page["bridge_run_tool_server_deaths_total", "git"] == 1
    assert page["bridge_run_fallbacks_total", "m", "crash"] == 1
    assert page["bridge_run_runs_total", "failed"] == 1
    assert page["bridge_run_run_duration_seconds", "failed"] == [2.5]


def verified(name: str, result: str = "found", *, cached: bool = False) -> Verification:
    return Verification(model=name, result=result, seconds=0.02, cached=cached)


def test_verifications_are_counted_and_so_is_the_cache():
    page = Page()
    for asked in (verified("m"), verified("m", cached=True), verified("x", "not_found"), verified("m", "error")):
        page.take(page.measures.verification(asked))
    assert page["lms_model_verification_attempts_total", "m", "found"] == 2
    assert page["lms_model_verification_attempts_total", "m", "error"] == 1
    assert page["lms_model_verification_attempts_total", "x", "not_found"] == 1
    assert page["lms_model_verification_duration_seconds", "m"] == [0.02, 0.02, 0.02]
    assert page["bridge_run_model_list_lookups_total", "hit"] == 1
    assert page["bridge_run_model_list_lookups_total", "miss"] == 3


def test_whoever_asks_for_made_up_models_makes_no_end_of_labels():
    page = Page()
    for number in range(3 * NAMES_KEPT):
        page.take(page.measures.verification(verified(f"made-up-{number}", "not_found")))
    page.take(page.measures.verification(verified("made-up-0", "not_found")))
    attempts = [key for key in page.values if key[0] == "lms_model_verification_attempts_total"]
    assert len(attempts) == NAMES_KEPT + 1
    assert page["lms_model_verification_attempts_total", "other", "not_found"] == 2 * NAMES_KEPT
    assert page["lms_model_verification_attempts_total", "made-up-0", "not_found"] == 2


def test_autonomous_tasks_give_seconds_and_rounds():
    @dataclass(frozen=True)
    class Task:
        mcp_name: str = "git"
        result: str = "success"
        seconds: float = 12.0
        rounds: int = 7

    page = Page().take(of_task(Task()))
    assert page["lms_autonomous_task_duration_seconds", "git", "success"] == [12.0]
    assert page["lms_autonomous_task_rounds", "git"] == [7]
