"""A question to the person at the terminal: asked on stderr, answered by a line on stdin, one question at a time.

Nobody waits for the line but the event loop: Ctrl-C ends the run as ever, and no thread hangs when it ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TextIO

from runner.app.console import allows_colour
from runner.app.run.answers import Ask
from runner.execute.questions import Answer, Question
from runner.show.ink import Ink
from runner.show.question_view import choice_of, opening, prompt, remark
from runner.words.units import show_seconds

StepAside = Callable[[], AbstractContextManager[None]]
"""While its context lives, a display writes nothing and has left the screen to others."""


def person(environment: Mapping[str, str], step_aside: StepAside, *, quiet: bool, colour: bool) -> Ask | None:
    """Who can be asked: somebody at stdin and stderr, or None.

    Nobody is there if one of them is no terminal, in CI, and with ``--quiet``.
    """
    if quiet or environment.get("CI") or not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    ink = Ink(allows_colour(sys.stderr, environment, wanted=colour))
    return Terminal(sys.stdin.fileno(), sys.stderr, step_aside, ink).ask


class Terminal:
    """The terminal whose file descriptor is ``keyboard``; ``screen`` is written to."""

    def __init__(self, keyboard: int, screen: TextIO, step_aside: StepAside, ink: Ink) -> None:
        self._keyboard = keyboard
        self._screen = screen
        self._step_aside = step_aside
        self._ink = ink
        self._turn = asyncio.Lock()

    async def ask(self, question: Question) -> Answer | None:
        """What the person chooses; the default if there is one and nobody chooses in time; else None."""
        async with self._turn:
            if not self._in_foreground():
                return _without_anybody(question)
            with self._step_aside(), self._lines() as lines:
                try:
                    async with asyncio.timeout(question.patience):
                        return await self._chosen(question, lines)
                except TimeoutError:
                    return self._too_late(question)
                except asyncio.CancelledError:
                    self._write("\n")
                    raise

    async def _chosen(self, question: Question, lines: asyncio.Queue[str | None]) -> Answer | None:
        self._write(opening(question.unit, question.text, question.choices, question.default, self._ink))
        while True:
            self._write(prompt(question.choices, question.default, question.patience, self._ink))
            line = await lines.get()
            if line is None:
                self._write("\n" + remark("no answer: the run pauses at this question", self._ink))
                return None
            choice = choice_of(line, question.choices, question.default)
            if choice.made is not None:
                return Answer(choice=choice.made, by="terminal")
            self._write(remark(choice.complaint, self._ink))

    def _too_late(self, question: Question) -> Answer | None:
        answer = _without_anybody(question)
        then = "the run pauses at this question" if answer is None else f"`{answer.choice}` holds"
        self._write("\n" + remark(f"no answer within {show_seconds(question.patience or 0)}: {then}", self._ink))
        return answer

    @contextmanager
    def _lines(self) -> Iterator[asyncio.Queue[str | None]]:
        """The lines that are typed while the context lives; None = the end of input (Ctrl-D), or a lost terminal."""
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        typed = b""

        def read() -> None:
            nonlocal typed
            piece = b""
            with suppress(OSError):  # the terminal is gone
                piece = os.read(self._keyboard, 4096)
            if not piece:
                lines.put_nowait(None)
                typed = b""
                return
            *whole, typed = (typed + piece).split(b"\n")
            for line in whole:
                lines.put_nowait(line.decode("utf-8", "replace"))

        self._forget_typed()
        loop.add_reader(self._keyboard, read)
        try:
            yield lines
        finally:
            loop.remove_reader(self._keyboard)

    def _forget_typed(self) -> None:
        """What was typed before the question stood there is no answer to it."""
        import termios  # there is a terminal

        with suppress(termios.error):
            termios.tcflush(self._keyboard, termios.TCIFLUSH)

    def _in_foreground(self) -> bool:
        """Whether reading is ours: the system stops a program in the background that reads from its terminal."""
        try:
            return os.tcgetpgrp(self._keyboard) == os.getpgrp()
        except OSError:  # it is not the one that controls us, so nobody stops us; or it is gone, as a read will tell
            return True

    def _write(self, text: str) -> None:
        with suppress(OSError):  # the terminal is gone
            self._screen.write(text)
            self._screen.flush()


def _without_anybody(question: Question) -> Answer | None:
    return None if question.default is None else Answer(choice=question.default, by="default")
