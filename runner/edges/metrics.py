"""The door to Prometheus: measurements in a registry of their own, told over HTTP or in a text file."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from runner.record.metric import METRICS, Measurement, Metric
from runner.words.errors import OutsideError, UsageError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client import Metric as Family

LOOPBACK: Final = "127.0.0.1"
PATH: Final = "/metrics"
WRITE_SECONDS: Final = 15.0
"""How often the text file is written while work goes on."""
_MODE = 0o644  # whoever collects such files is another user


class MetricStore:
    """Every metric there is, at nothing. Safe to read while others record.

    Raises:
        UsageError: prometheus-client is not installed; ``wanted`` is the option that needs it.
    """

    def __init__(self, wanted: str) -> None:
        try:
            import prometheus_client as library
        except ImportError as error:
            raise UsageError(
                f"`{wanted}` needs the library prometheus-client, which is not installed",
                hint="pip install 'bridge-run[metrics]'",
            ) from error
        self._registry = library.CollectorRegistry()
        self._metrics: dict[str, Any] = {}
        makers = {"counter": library.Counter, "gauge": library.Gauge, "histogram": library.Histogram}
        for metric in METRICS.values():
            more: dict[str, Any] = {"buckets": metric.buckets} if metric.kind == "histogram" else {}
            made = makers[metric.kind](metric.name, metric.help, metric.labels, registry=self._registry, **more)
            self._metrics[metric.name] = made

    def record(self, measurements: Iterable[Measurement]) -> None:
        """Take these into account."""
        for one in measurements:
            metric: Metric = METRICS[one.name]
            made = self._metrics[one.name]
            series = made.labels(*one.labels) if metric.labels else made
            if metric.kind == "counter":
                series.inc(one.value)
            elif metric.kind == "gauge":
                series.set(one.value)
            else:
                series.observe(one.value)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(_WithoutCreated(self._registry))

    @contextmanager
    def served(self, port: int) -> Iterator[str]:
        """Answer ``GET /metrics`` on the loopback address while the context lives; gives the URL. Port 0 is any.

        Raises:
            OutsideError: the port cannot be had.
        """
        from prometheus_client import make_wsgi_app

        app = _only_metrics(make_wsgi_app(_WithoutCreated(self._registry)))
        try:
            server = make_server(LOOPBACK, port, app, server_class=_Server, handler_class=_Silent)
        except (OSError, OverflowError) as error:
            raise OutsideError(
                f"metrics cannot be served on {LOOPBACK}:{port}: {getattr(error, 'strerror', None) or error}",
                hint="choose another `--metrics-port`, or 0 for a free one",
            ) from error
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="metrics", daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}{PATH}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @contextmanager
    def written(self, name: str, complain: Callable[[str], None]) -> Iterator[None]:
        """Write the text file at once, every ``WRITE_SECONDS`` and at the end; who reads it sees a whole one.

        ``complain`` is told, in words, if it cannot be written at the end: the work is done by then.

        Raises:
            UsageError: it cannot be written at the beginning.
        """
        path = Path(name).absolute()  # the work may go into another folder
        write_whole(path, self.text())
        over = threading.Event()
        thread = threading.Thread(target=self._write_on, args=(path, over), name="metrics file", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            try:
                write_whole(path, self.text())
            except UsageError as error:
                complain(f"warning: {error.message}")

    def _write_on(self, path: Path, over: threading.Event) -> None:
        while not over.wait(WRITE_SECONDS):
            try:
                write_whole(path, self.text())
            except UsageError:
                continue  # the last time says so


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there wholly or as it was; readable for all.

    Raises:
        UsageError: it cannot be written.
    """
    draft: Path | None = None
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        number, made = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        draft = Path(made)
        with os.fdopen(number, "wb") as file:
            file.write(content)
        draft.chmod(_MODE)
        draft.replace(path)
    except OSError as error:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise UsageError(
            f"cannot write the metrics into `{path}`: {error.strerror or error}", hint="choose another `--metrics-file`"
        ) from error


class _WithoutCreated:
    """A registry without the samples that say when a series began: nobody asked for them, and they double the page."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Family]:
        """What the library asks a registry for."""
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family

    def restricted_registry(self, names: Iterable[str]) -> Any:
        """Some of them: ``/metrics?name[]=…``."""
        return self._registry.restricted_registry(names)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that goes away is no news."""


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Requests are no news."""


_App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def _only_metrics(metrics: _App) -> _App:
    """The page and nothing else; only for who names this machine, so that no page of a browser gets it by a trick."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        host = str(environ.get("HTTP_HOST", "")).rpartition(":")[0] or str(environ.get("HTTP_HOST", ""))
        known = host in ("", LOOPBACK, "localhost")
        if known and environ.get("PATH_INFO") == PATH and environ.get("REQUEST_METHOD") in ("GET", "HEAD"):
            return metrics(environ, start_response)
        start_response("404 Not Found" if known else "403 Forbidden", [("Content-Type", "text/plain")])
        return [f"metrics are at {PATH}\n".encode()]

    return app
