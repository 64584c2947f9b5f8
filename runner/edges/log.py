"""The door to the standard library's logging: what happens in runs, under the name ``bridge_run``.

A program that sets up its own logging gets a record for each entry of a journal: its message reads
``step_finished run=… step=fix status=succeeded``, and the same is in ``record.bridge_run`` as an object. Nothing is
logged where nobody listens.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TextIO

from runner.record.journal import Entry
from runner.record.log_line import Level, Lines, level_of
from runner.record.wire import encode_json

NAME: Final = "bridge_run"
FIELDS: Final = "bridge_run"
"""The attribute of a record that holds the object."""
_LEVELS: Mapping[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

logging.getLogger(NAME).addHandler(logging.NullHandler())


def journal_logger() -> Callable[[Entry], None] | None:
    """A listener that logs the entries of a run; None where nobody would hear it."""
    logger = logging.getLogger(NAME)
    if not _is_heard(logger):
        return None
    lines = Lines()

    def entry(entry: Entry) -> None:
        level = _LEVELS[level_of(entry.event)]
        if not logger.isEnabledFor(level):
            return
        line = lines.line(entry)
        logger.log(level, "%s", _Words(line.fields), extra={FIELDS: line.fields})
        if line.said is not None and logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s", _Words(line.said), extra={FIELDS: line.said})

    return entry


def log_event(event: str, level: Level, **fields: Any) -> None:
    """Log something that is no entry of a journal; without secrets, and without what was said unless at ``debug``."""
    logging.getLogger(NAME).log(
        _LEVELS[level], "%s", _Words({"event": event, **fields}), extra={FIELDS: {"event": event, **fields}}
    )


@contextmanager
def logging_to_stderr(level: Level, stream: TextIO | None = None) -> Iterator[None]:
    """Write records from ``level`` upwards as JSON to stderr, one object a line, while the context lives."""
    handler = _Quiet(stream if stream is not None else sys.stderr)
    handler.setFormatter(_JsonLines())
    logger = logging.getLogger(NAME)
    before, propagated = logger.level, logger.propagate
    logger.setLevel(_LEVELS[level])
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        logger.propagate = propagated


def _is_heard(logger: logging.Logger) -> bool:
    """Whether a record of it would come to a handler that does anything."""
    if not logger.isEnabledFor(logging.CRITICAL):
        return False
    here: logging.Logger | None = logger
    while here is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in here.handlers):
            return True
        here = here.parent if here.propagate else None
    return False


class _Words:
    """``event name=value …``; put together only if somebody reads it."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __str__(self) -> str:
        said = [f"{name}={_text(value)}" for name, value in self._fields.items() if name not in _HEAD]
        return " ".join([str(self._fields["event"]), *said])


_HEAD = ("ts", "level", "event")


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value and not set(value) & set(' "\n=') else encode_json(value).decode()


class _JsonLines(logging.Formatter):
    """A record as one line of JSON: ``ts``, ``level`` and ``event`` first."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Mapping[str, Any] | None = getattr(record, FIELDS, None)
        if fields is None:
            fields = {"event": "log", "logger": record.name, "message": record.getMessage()}
        head = {"ts": _timestamp(record.created), "level": record.levelname.lower(), "event": None}
        return encode_json(head | dict(fields)).decode()


class _Quiet(logging.StreamHandler[TextIO]):
    """A reader that goes away must change nothing of a run."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  of the library
        """Not even a traceback."""


def _timestamp(seconds: float) -> str:
    """As in a journal."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03}Z"
