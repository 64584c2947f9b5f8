"""Who hears every run of this process without being asked for: a logger that is heard, a tracer that is set up."""

from __future__ import annotations

from collections.abc import Mapping

from runner.record.journal import Listener


def ambient(workflow: str, environment: Mapping[str, str]) -> tuple[Listener, ...]:
    """The listeners for a run of the workflow of that name; mostly none, and then nothing is paid for them."""
    from runner.edges.log import journal_logger
    from runner.edges.telemetry.telemetry import run_spans

    return tuple(found for found in (journal_logger(), run_spans(workflow, environment)) if found is not None)
