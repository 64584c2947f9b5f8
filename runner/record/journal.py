"""The journal: number a fact, write it, then tell whoever listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from runner.record.events import EVENTS, Event
from runner.record.wire import Entry, to_line
from runner.words.errors import HistoryError

if TYPE_CHECKING:
    import asyncio

__all__ = ["Entry", "Journal", "Listener", "Sink", "masking"]

Listener = Callable[[Entry], None]


class Sink(Protocol):
    """Where the lines go. Methods raise ``HistoryError`` (or ``OSError``, which the journal puts into words)."""

    def write(self, line: bytes) -> None:
        """Append a whole line, in one piece, so that it survives a crash of this process."""

    def sync(self) -> None:
        """Make what was written survive a crash of the machine; called from a worker thread, takes milliseconds."""

    def close(self) -> None:
        """Release it; waits for a sync under way."""


class Journal:
    """What has happened in a run, in order.

    ``now`` gives Unix seconds; ``mask`` takes secrets out of an event (see ``masking``), None where there are none.
    A journal that once failed to write stays failed: every later ``append`` and ``sync`` raises the same
    ``HistoryError``.
    """

    def __init__(
        self,
        sink: Sink,
        run: str,
        now: Callable[[], float],
        mask: Callable[[Event], Event] | None,
        *,
        written: int = 0,
    ) -> None:
        """``written`` entries of earlier goes stand in the sink already."""
        self.run = run
        self.lost_listeners: list[tuple[Listener, Exception]] = []
        self._sink = sink
        self._now = now
        self._mask = mask
        self._listeners: list[Listener] = []
        self._written = written
        self._synced = written
        self._syncing: asyncio.Task[None] | None = None
        self._failure: HistoryError | None = None
        self._closed = False

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` every entry from now on, after it was written.

        One that raises is dropped and kept in ``lost_listeners`` with what it raised: a display harms no run.
        """
        self._listeners.append(listener)

    def append(self, event: Event) -> Entry:
        """Number the event, write it, tell the listeners.

        Raises:
            HistoryError: it could not be written, or the journal is closed.
        """
        self._refuse_if_over()
        at = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds")
        kept = event if self._mask is None else self._mask(event)
        entry = Entry(seq=self._written + 1, at=at.replace("+00:00", "Z"), run=self.run, event=kept)
        self._guard(lambda: self._sink.write(to_line(entry)))
        self._written = entry.seq
        self._tell(entry)
        return entry

    async def sync(self) -> None:
        """Return when all that is written by now would survive a crash of the machine.

        The syncs of steps that end together are one: a sync serves all who asked before it began.

        Raises:
            HistoryError: it could not be made durable.
        """
        import asyncio

        asked = self._written
        while self._synced < asked:
            self._refuse_if_over()
            if self._syncing is None:
                self._syncing = asyncio.create_task(self._sync_once())
            # Shielded: who is cancelled while waiting must not end the sync that others wait for.
            await asyncio.shield(self._syncing)

    def close(self) -> None:
        """Sync and release the sink; may be called twice.

        Raises:
            HistoryError: the last lines could not be made durable, and no earlier call said so.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._failure is None and self._synced < self._written:
                self._guard(self._sink.sync)
                self._synced = self._written
        finally:
            self._sink.close()

    async def _sync_once(self) -> None:
        import asyncio

        covers = self._written
        try:
            await asyncio.to_thread(self._sink.sync)
            self._synced = covers
        except (HistoryError, OSError) as error:
            self._failure = _in_words(error)
        finally:
            self._syncing = None

    def _tell(self, entry: Entry) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(entry)
            except Exception as error:  # whatever a listener does, the run goes on
                self._listeners.remove(listener)
                self.lost_listeners.append((listener, error))

    def _guard(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (HistoryError, OSError) as error:
            self._failure = _in_words(error)
            raise self._failure from error

    def _refuse_if_over(self) -> None:
        if self._failure is not None:
            raise HistoryError(self._failure.message, hint=self._failure.hint) from self._failure
        if self._closed:
            raise HistoryError("the journal of this run is closed")


def _in_words(error: HistoryError | OSError) -> HistoryError:
    if isinstance(error, HistoryError):
        return error
    return HistoryError(f"the journal could not be written: {error.strerror or error}")


_IDENTITIES = frozenset((
    "step", "steps", "item", "items", "status", "kind", "call", "server", "tool", "choices", "choice", "default", "by",
    "finish_reason", "usage",
))  # fmt: skip
_MASKED = {event: tuple(f.name for f in fields(event) if f.name not in _IDENTITIES) for event in EVENTS}


def masking(mask: Callable[[Any], Any]) -> Callable[[Event], Event]:
    """A mask of events from a mask of JSON values (``Redactor.value``).

    What an event is folded by (ids, states, kinds) is left as it is: it comes from the checked-in file.
    """

    def masked(event: Event) -> Event:
        changes: dict[str, Any] = {}
        for name in _MASKED[type(event)]:
            before = getattr(event, name)
            after = tuple(mask(item) for item in before) if isinstance(before, tuple) else mask(before)
            if after != before:
                changes[name] = after
        return replace(event, **changes) if changes else event

    return masked
