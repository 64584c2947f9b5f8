"""Measurements folded from the entries of journals, and from what happens beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Protocol

from runner.record.events import (
    AnswerRefused,
    CircuitChanged,
    ModelAnswered,
    ModelFellBack,
    ModelLoaded,
    ModelLoadFailed,
    ModelUnloaded,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepRetried,
    ToolReturned,
    ToolServerDied,
)
from runner.record.metric import Measurement
from runner.record.wire import Entry
from runner.words.noun import noun

NAMES_KEPT = 100
"""So many names that no server has are labels of their own; who asks for more of them asks for `other`."""
LONGEST = 200
"""Letters of a name that are kept."""
OTHER = "other"
STATES: Mapping[str, float] = {"closed": 0.0, "open": 1.0, "half_open": 2.0}
_WORST = ("closed", "half_open", "open")

Key = tuple[str, str]
"""Address of the server, and id of a model or of a loaded copy."""


@noun
class Verification:
    """A question whether a model exists. ``model`` is the id that was found, else the name that was asked for;
    ``cached``: the list of models was still known.
    """

    model: str
    result: Literal["found", "not_found", "error"]
    seconds: float
    cached: bool


class TaskFacts(Protocol):
    """An autonomous task that is over; ``result`` is ``success``, ``cancelled`` or the kind of its failure."""

    @property
    def mcp_name(self) -> str:
        """What its servers are called where tasks are counted."""

    @property
    def result(self) -> str:
        """How it ended."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def rounds(self) -> int:
        """Answers of the model."""


def of_task(task: TaskFacts) -> tuple[Measurement, ...]:
    """What an autonomous task gives."""
    return (
        Measurement(
            name="lms_autonomous_task_duration_seconds", value=task.seconds, labels=(task.mcp_name, task.result)
        ),
        Measurement(name="lms_autonomous_task_rounds", value=task.rounds, labels=(task.mcp_name,)),
    )


class Measures:
    """Takes the entries of any number of runs, each in its order; they may be mixed."""

    def __init__(self) -> None:
        self._held: dict[str, set[Key]] = {}
        self._circuits: dict[str, dict[Key, str]] = {}
        self._over: set[str] = set()
        self._missed: set[str] = set()

    def entry(self, entry: Entry) -> tuple[Measurement, ...]:
        """What the entry gives, if anything."""
        read = _READERS.get(type(entry.event))
        return () if read is None else tuple(read(self, entry.run, entry.event))

    def verification(self, asked: Verification) -> tuple[Measurement, ...]:
        """What a question whether a model exists gives."""
        model = asked.model[:LONGEST]
        if asked.result != "found":
            if model not in self._missed and len(self._missed) >= NAMES_KEPT:
                model = OTHER
            self._missed.add(model)
        return (
            Measurement(name="lms_model_verification_attempts_total", labels=(model, asked.result)),
            Measurement(name="lms_model_verification_duration_seconds", value=asked.seconds, labels=(model,)),
            Measurement(name="bridge_run_model_list_lookups_total", labels=("hit" if asked.cached else "miss",)),
        )

    def _started(self, run: str, event: RunStarted) -> Iterator[Measurement]:
        yield from self._forget_circuits_of_old_runs()
        circuits = self._circuits.setdefault(run, {})
        for place in event.models.values():
            circuits.setdefault((place["endpoint"], place["model"]), "closed")
        for model in dict.fromkeys(model for _, model in circuits):
            yield self._circuit(model)
        yield self._active()

    def _resumed(self, run: str, _event: RunResumed) -> Iterator[Measurement]:
        self._over.discard(run)
        yield from self._forget_circuits_of_old_runs()
        yield self._active()

    def _finished(self, run: str, event: RunFinished) -> Iterator[Measurement]:
        self._held.pop(run, None)
        self._over.add(run)
        yield self._active()
        yield Measurement(name="bridge_run_runs_total", labels=(event.status,))
        yield Measurement(name="bridge_run_run_duration_seconds", value=event.seconds, labels=(event.status,))

    def _loaded(self, run: str, event: ModelLoaded) -> Iterator[Measurement]:
        self._held.setdefault(run, set()).add((event.endpoint, event.instance))
        yield self._active()
        if not event.reused:
            yield Measurement(name="lms_model_load_attempts_total", labels=(event.model, "success"))
            yield Measurement(name="lms_model_load_duration_seconds", value=event.seconds, labels=(event.model,))

    def _unloaded(self, _run: str, event: ModelUnloaded) -> Iterator[Measurement]:
        for held in self._held.values():  # it is gone for all of them
            held.discard((event.endpoint, event.instance))
        yield self._active()

    def _circuit_changed(self, run: str, event: CircuitChanged) -> Iterator[Measurement]:
        self._circuits.setdefault(run, {})[event.endpoint, event.model] = event.state
        yield self._circuit(event.model)

    def _forget_circuits_of_old_runs(self) -> Iterator[Measurement]:
        """Their last state is told until another run begins; it begins with closed ones."""
        old = {model for run in self._over for _, model in self._circuits.pop(run, {})}
        self._over.clear()
        for model in sorted(old):
            yield self._circuit(model)

    def _circuit(self, model: str) -> Measurement:
        states = {state for each in self._circuits.values() for (_, one), state in each.items() if one == model}
        worst = max(states or {"closed"}, key=_WORST.index)
        return Measurement(name="lms_circuit_breaker_state", value=STATES[worst], labels=(f"chat {model}",))

    def _active(self) -> Measurement:
        held = set[Key]().union(*self._held.values())
        return Measurement(name="lms_active_models", value=len(held))


def _load_failed(_self: Measures, _run: str, event: ModelLoadFailed) -> Iterator[Measurement]:
    yield Measurement(name="lms_model_load_attempts_total", labels=(event.model, "failure"))


def _step_finished(_self: Measures, _run: str, event: StepFinished) -> Iterator[Measurement]:
    if event.item is not None:
        yield Measurement(name="bridge_run_items_total", labels=(event.status,))
        return
    yield Measurement(name="bridge_run_steps_total", labels=(event.status,))
    if event.status != "skipped":
        yield Measurement(name="bridge_run_step_duration_seconds", value=event.seconds, labels=(event.status,))


def _answered(_self: Measures, _run: str, event: ModelAnswered) -> Iterator[Measurement]:
    labels = (event.model,)
    yield Measurement(name="bridge_run_answers_total", labels=labels)
    yield Measurement(name="bridge_run_answer_duration_seconds", value=event.seconds, labels=labels)
    if event.first_token_seconds is not None:
        yield Measurement(name="bridge_run_time_to_first_token_seconds", value=event.first_token_seconds, labels=labels)
    used = event.usage
    for name, tokens in (
        ("prompt", used.prompt_tokens),
        ("completion", used.completion_tokens),
        ("reasoning", used.reasoning_tokens),
        ("cached_prompt", used.cached_tokens),
    ):
        yield Measurement(name=f"bridge_run_{name}_tokens_total", value=tokens, labels=labels)


def _tool_returned(_self: Measures, _run: str, event: ToolReturned) -> Iterator[Measurement]:
    # A tool without a server is one that there is not: the model made its name up.
    tool = (event.server, event.tool) if event.server else ("", OTHER)
    yield Measurement(name="bridge_run_tool_calls_total", labels=(*tool, "error" if event.is_error else "success"))
    yield Measurement(name="bridge_run_tool_call_duration_seconds", value=event.seconds, labels=tool)


def _tool_server_died(_self: Measures, _run: str, event: ToolServerDied) -> Iterator[Measurement]:
    yield Measurement(name="bridge_run_tool_server_deaths_total", labels=(event.server,))


def _retried(_self: Measures, _run: str, event: StepRetried) -> Iterator[Measurement]:
    yield Measurement(name="bridge_run_retries_total", labels=(event.kind,))


def _refused(_self: Measures, _run: str, event: AnswerRefused) -> Iterator[Measurement]:
    yield Measurement(name="bridge_run_refused_answers_total", labels=(event.kind,))


def _fell_back(_self: Measures, _run: str, event: ModelFellBack) -> Iterator[Measurement]:
    yield Measurement(name="bridge_run_fallbacks_total", labels=(event.model, event.kind))


_READERS: Mapping[type, Callable[[Measures, str, Any], Iterator[Measurement]]] = {
    RunStarted: Measures._started,  # noqa: SLF001  a table of its own methods
    RunResumed: Measures._resumed,  # noqa: SLF001
    RunFinished: Measures._finished,  # noqa: SLF001
    ModelLoaded: Measures._loaded,  # noqa: SLF001
    ModelUnloaded: Measures._unloaded,  # noqa: SLF001
    CircuitChanged: Measures._circuit_changed,  # noqa: SLF001
    ModelLoadFailed: _load_failed,
    StepFinished: _step_finished,
    ModelAnswered: _answered,
    ToolReturned: _tool_returned,
    ToolServerDied: _tool_server_died,
    StepRetried: _retried,
    AnswerRefused: _refused,
    ModelFellBack: _fell_back,
}
