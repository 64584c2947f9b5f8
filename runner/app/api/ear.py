"""``on_event``: the function of a program that hears the journal. What it raises harms no run, and is not lost."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

from runner.record.journal import Entry
from runner.words.errors import UsageError


class Ear:
    """Hands entries to ``on_event``, if there is one, until that raises.

    ``complaints`` then has a warning for the caller; the traceback goes to the event loop's handler of exceptions, as
    that of every function which a loop calls back.

    Raises:
        UsageError: it cannot be called, or what it would give had to be awaited.
    """

    def __init__(self, on_event: Callable[[Entry], object] | None) -> None:
        if on_event is not None and not callable(on_event):
            raise UsageError(f"`on_event` is of the type `{type(on_event).__name__}`; it must be a function")
        if _is_async(on_event):
            raise UsageError(
                "`on_event` is an async function; it must be a plain one, for it is called while an entry is written",
                hint="watch the run with `async with runner.start(…) as run: async for entry in run.events(): …`",
            )
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()  # an entry may be written in a thread, which has none
        self.complaints: tuple[str, ...] = ()

    def hear(self, entry: Entry) -> None:
        """The next entry."""
        if self._on_event is None:
            return
        try:
            self._on_event(entry)
        except Exception as error:
            self._on_event = None
            words = f"`on_event` raised {type(error).__name__} at entry {entry.seq}, and heard no more of the run"
            self.complaints = (f"{words}: {error}",)
            self._loop.call_exception_handler({"message": words, "exception": error})


def _is_async(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
