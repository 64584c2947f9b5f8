"""What is measured of runs: every metric with its name, labels and buckets, and the nouns for a value of one.

Names and units are by Prometheus' conventions: seconds, and ``_total`` for what only grows. Those that begin with
``lms_`` are what dashboards of the first bridge read. A label never holds what a model, a tool or a person has said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from runner.words.noun import noun


@noun
class Metric:
    """``buckets`` are the upper bounds of a histogram, without that of infinity."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@noun
class Measurement:
    """A value of the metric of that name: what a counter grows by, what a gauge is now, what a histogram sees.

    ``labels`` are values, in the order of the metric's labels.
    """

    name: str
    value: float = 1.0
    labels: tuple[str, ...] = ()


_LOAD = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_VERIFICATION = (0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0)
_TASK = (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)
_ROUNDS = (1.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0, 1000.0)
_ANSWER = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_TOOL = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0)


def _counter(name: str, help_: str, *labels: str) -> Metric:
    return Metric(name=name, kind="counter", help=help_, labels=labels)


def _gauge(name: str, help_: str, *labels: str) -> Metric:
    return Metric(name=name, kind="gauge", help=help_, labels=labels)


def _histogram(name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return Metric(name=name, kind="histogram", help=help_, labels=labels, buckets=buckets)


_ALL = (
    _counter("lms_model_load_attempts_total", "Loads of models, by how they ended.", "model_name", "result"),
    _histogram("lms_model_load_duration_seconds", "How long loads took that succeeded.", _LOAD, "model_name"),
    _counter("lms_model_verification_attempts_total", "Questions whether a model exists.", "model_name", "result"),
    _histogram("lms_model_verification_duration_seconds", "How long such questions took.", _VERIFICATION, "model_name"),
    _gauge("lms_active_models", "Models in memory that runs work with now."),
    _gauge("lms_circuit_breaker_state", "Whether a model is left alone: 0 closed, 1 open, 2 half open.", "operation"),
    _histogram("lms_autonomous_task_duration_seconds", "How long autonomous tasks took.", _TASK, "mcp_name", "result"),
    _histogram("lms_autonomous_task_rounds", "Answers of the model in an autonomous task.", _ROUNDS, "mcp_name"),
    _counter("bridge_run_runs_total", "Runs, by how they ended.", "status"),
    _histogram("bridge_run_run_duration_seconds", "How long runs took.", _TASK, "status"),
    _counter("bridge_run_steps_total", "Steps, by how they ended.", "status"),
    _counter("bridge_run_items_total", "Items of fan-outs, by how they ended.", "status"),
    _histogram("bridge_run_step_duration_seconds", "How long steps took.", _TASK, "status"),
    _counter("bridge_run_answers_total", "Whole answers of models.", "model_name"),
    _histogram("bridge_run_answer_duration_seconds", "From asking a model to its whole answer.", _ANSWER, "model_name"),
    _histogram(
        "bridge_run_time_to_first_token_seconds", "From asking a model to its first token.", _ANSWER, "model_name"
    ),
    _counter("bridge_run_prompt_tokens_total", "Tokens of prompts.", "model_name"),
    _counter("bridge_run_completion_tokens_total", "Tokens of answers, reasoning included.", "model_name"),
    _counter("bridge_run_reasoning_tokens_total", "Tokens of reasoning, a part of the answers'.", "model_name"),
    _counter(
        "bridge_run_cached_prompt_tokens_total",
        "Tokens of prompts that the server still knew, a part of the prompts'.",
        "model_name",
    ),
    _counter("bridge_run_tool_calls_total", "Calls of tools, by how they ended.", "server", "tool", "result"),
    _histogram("bridge_run_tool_call_duration_seconds", "How long calls of tools took.", _TOOL, "server", "tool"),
    _counter("bridge_run_tool_server_deaths_total", "Tool servers that ended in a call.", "server"),
    _counter("bridge_run_retries_total", "Attempts that failed and were followed by another.", "kind"),
    _counter("bridge_run_refused_answers_total", "Answers that missed a schema or an expectation.", "kind"),
    _counter("bridge_run_fallbacks_total", "Models that failed for good and were replaced.", "model_name", "kind"),
    _counter("bridge_run_model_list_lookups_total", "Questions answered by the kept list of models, or not.", "result"),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}
