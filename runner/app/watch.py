"""Who watches the work besides those who wait for it: metrics, logs and traces, as the command line asks for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from runner.app.request import WatchOptions
from runner.record.journal import Entry, Listener
from runner.record.measures import Measures, TaskFacts, Verification, of_task
from runner.words.noun import noun


@noun
class Watch:
    """Who is to be told of what. All may be called from any thread, and none of them raises.

    ``listeners`` hear every entry of the journal of every run. ``tasks`` hear of every autonomous task that is over,
    and ``verifications`` of every question to a ``ModelValidator``. ``metrics_url`` is where metrics are served.
    """

    listeners: tuple[Listener, ...] = ()
    tasks: tuple[Callable[[TaskFacts], None], ...] = ()
    verifications: tuple[Callable[[Verification], None], ...] = ()
    metrics_url: str | None = None


@contextmanager
def watching(
    options: WatchOptions, environment: Mapping[str, str], *, complain: Callable[[str], None]
) -> Iterator[Watch]:
    """Watch while the context lives; at its end all that was heard is told, flushed and written.

    ``complain`` is told, in words, what goes wrong on the way; that stops nothing.

    Logs and traces need no listener here: every run looks itself for a logger that is heard and for a tracer
    (``app.ambient``); this makes them.

    Raises:
        UsageError: a library is not installed, or a file cannot be written.
        OutsideError: the port cannot be had.
    """
    with ExitStack() as stack:
        if options.log_format == "json":
            from runner.edges.log import logging_to_stderr

            stack.enter_context(logging_to_stderr(options.log_level))
        if wants_traces(environment):
            from runner.edges.telemetry.telemetry import exporting

            stack.enter_context(exporting(environment, complain))
        elif unknown := unknown_exporter(environment):
            complain(
                f"warning: OTEL_TRACES_EXPORTER={unknown} is not known here, so there are no traces: "
                "it takes otlp, console or none"
            )
        yield _metrics(options, stack, complain)


def wants_traces(environment: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces as OpenTelemetry reads it."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = _exporter(environment)
    if exporter:
        return exporter in ("console", "otlp")
    return any(environment.get(name) for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))


def unknown_exporter(environment: Mapping[str, str]) -> str | None:
    """What the environment asks for in vain."""
    exporter = _exporter(environment)
    return exporter if exporter not in ("", "console", "otlp", "none") else None


def _exporter(environment: Mapping[str, str]) -> str:
    return environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()


def _metrics(options: WatchOptions, stack: ExitStack, complain: Callable[[str], None]) -> Watch:
    if options.metrics_port is None and options.metrics_file is None:
        return Watch()
    from runner.edges.metrics import MetricStore

    store = MetricStore("--metrics-port" if options.metrics_port is not None else "--metrics-file")
    if options.metrics_file is not None:
        stack.enter_context(store.written(options.metrics_file, complain))
    url = None if options.metrics_port is None else stack.enter_context(store.served(options.metrics_port))
    measures, lock = Measures(), threading.Lock()

    def entry(entry: Entry) -> None:
        with lock:  # gauges are told in the order in which they were measured
            store.record(measures.entry(entry))

    def verification(asked: Verification) -> None:
        with lock:
            store.record(measures.verification(asked))

    return Watch(
        listeners=(entry,),
        tasks=(lambda task: store.record(of_task(task)),),
        verifications=(verification,),
        metrics_url=url,
    )
