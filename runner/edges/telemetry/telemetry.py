"""The door to OpenTelemetry: a run as a tree of spans, by the conventions for generative AI.

Spans are made through the API alone, of the entries of a journal, and dated as those are. Without a tracer provider
nothing here is done, and the library is not imported. ``exporting`` is for the command line, which has no program
around it that could set one up; it needs the SDK.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner import __version__
from runner.edges.telemetry.spans import RunSpans
from runner.record.journal import Entry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CAPTURED = ("true", "span_only", "span_and_event")
_SCOPE = "bridge_run"
_SYSTEM_ERROR = re.compile(r"\[Errno -?\d+\] ([\w ]+)")
FLUSH_SECONDS = 5.0
"""How long the end of a command waits for a collector that does not answer."""


def run_spans(workflow: str, environment: Mapping[str, str]) -> Callable[[Entry], None] | None:
    """A listener that makes the spans of a run; None where no tracer provider is set up.

    What was said (messages, answers, arguments, results) is in them only if the environment asks for it.
    """
    if "opentelemetry.trace" not in sys.modules:  # nobody can have set one up
        return None
    from opentelemetry import trace  # waits until it is whole: a thread may be importing it, with the SDK of MCP

    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    capture = environment.get(CAPTURE, "").strip().lower() in _CAPTURED
    return RunSpans(provider.get_tracer(_SCOPE, __version__), workflow, capture=capture).entry


@contextmanager
def exporting(environment: Mapping[str, str], complain: Callable[[str], None]) -> Iterator[None]:
    """Export spans as the environment says (``OTEL_…``) while the context lives, and flush them at its end.

    Whatever goes wrong is a complaint: it changes nothing of the work.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        processor = _processor(environment, complain)
    except ImportError:
        complain(
            "warning: the environment asks for traces, but the OpenTelemetry SDK is not installed; there are none: "
            "pip install 'bridge-run[otel]'"
        )
        yield
        return
    provider = TracerProvider(resource=Resource.create(_resource(environment)), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    heard = _Complaints()
    library = logging.getLogger("opentelemetry")
    library.addHandler(heard)
    propagated, library.propagate = library.propagate, False
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        told = _all_told(provider)
        if told:  # else the library goes on in the background, and its words still have to go nowhere
            library.removeHandler(heard)
            library.propagate = propagated
        if heard.first is not None or not told:
            why = "no answer" if heard.first is None else heard.first
            complain(f"warning: not all traces could be exported{_whither(environment)}: {why}")


def _all_told(provider: TracerProvider) -> bool:
    """Flush and shut down, and say whether that ended in time: of itself the library heeds no limit, and repeats."""
    ending = threading.Thread(target=provider.shutdown, name="the last traces", daemon=True)
    ending.start()
    ending.join(FLUSH_SECONDS)
    return not ending.is_alive()


def _whither(environment: Mapping[str, str]) -> str:
    """The host of the collector, if it is said; an address may hold a password."""
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    said = next((environment[name] for name in names if environment.get(name)), "")
    host = said.partition("://")[2].partition("/")[0].rpartition("@")[2]
    return f" to {host}" if host else ""


def _processor(environment: Mapping[str, str], complain: Callable[[str], None]) -> SpanProcessor:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

    if environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "console":
        console = ConsoleSpanExporter(out=sys.stderr, formatter=_one_line)  # stdout is for results
        return SimpleSpanProcessor(console)
    return BatchSpanProcessor(_otlp(environment, complain))


def _one_line(span: ReadableSpan) -> str:
    """As logs are that may stand beside it."""
    return f"{span.to_json(indent=None)}\n"


def _otlp(environment: Mapping[str, str], complain: Callable[[str], None]) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((environment[name] for name in names if environment.get(name)), "http/protobuf")
    if protocol != "http/protobuf":
        complain(f"warning: traces are exported as http/protobuf, not as {protocol}")
    return OTLPSpanExporter()


def _resource(environment: Mapping[str, str]) -> dict[str, str]:
    """What we say of ourselves; a name in the environment goes before."""
    named = environment.get("OTEL_SERVICE_NAME") or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {"service.version": __version__, **({} if named else {"service.name": "bridge-run"})}


class _Complaints(logging.Handler):
    """Keeps the first thing that the library has to complain about; it would write tracebacks to stderr."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Only the words."""
        if self.first is None:
            self.first = _short(record.getMessage())


def _short(text: str) -> str:
    """Of a chain of errors the word of the system, which stands last; else the first line, not too long."""
    if found := _SYSTEM_ERROR.search(text):
        return found[1]
    line = text.strip().partition("\n")[0]
    return line if len(line) <= 200 else f"{line[:199]}…"
