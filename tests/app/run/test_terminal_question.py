"""Questions to a person at a real terminal: a pair of pseudo-terminals, one end ours, one end the person's."""

from __future__ import annotations

import asyncio
import io
import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runner.app.run.terminal_question import Terminal, person
from runner.execute.questions import Answer, Question
from runner.show.ink import Ink

PROMPT = "number or word"


class Desk:
    """A terminal with somebody at it. ``screen`` holds all that was written, ``aside`` whether the display is away."""

    def __init__(self, master: int, keyboard: int) -> None:
        self.master = master
        self.keyboard = keyboard
        self.screen = io.StringIO()
        self.aside = 0
        self.steps_aside = 0
        self.terminal = Terminal(keyboard, self.screen, self.step_aside, Ink(colour=False))

    @contextmanager
    def step_aside(self) -> Iterator[None]:
        self.aside += 1
        self.steps_aside += 1
        try:
            yield
        finally:
            self.aside -= 1

    async def type(self, text: bytes, after: str = PROMPT, times: int = 1) -> None:
        """Wait until ``after`` stands on the screen so many times, then type."""
        async with asyncio.timeout(20):
            while self.screen.getvalue().count(after) < times:  # noqa: ASYNC110  what is painted tells nobody
                await asyncio.sleep(0.005)
        os.write(self.master, text)


@pytest.fixture
def desk() -> Iterator[Desk]:
    master, keyboard = pty.openpty()
    yield Desk(master, keyboard)
    os.close(master)
    os.close(keyboard)


def question(unit: str = "gate", *, default: str | None = None, patience: float | None = None) -> Question:
    return Question(unit=unit, text="Ship it?", choices=("yes", "no"), default=default, patience=patience)


def test_a_line_is_the_answer_and_a_wrong_one_asks_again(desk: Desk) -> None:
    async def story() -> Answer | None:
        asked = asyncio.create_task(desk.terminal.ask(question()))
        await desk.type(b"maybe\n")
        await desk.type(b"\n", times=2)
        await desk.type(b"Y", times=3)
        await desk.type(b"es\n", times=3)
        assert desk.aside == 1
        return await asked

    assert asyncio.run(story()) == Answer(choice="yes", by="terminal")
    assert desk.screen.getvalue() == (
        "\n? gate: Ship it?\n  1 yes  2 no\n"
        "  number or word:   `maybe` is none of the choices; write a number from 1 to 2, or `yes` or `no`\n"
        "  number or word:   please write a number from 1 to 2, or `yes` or `no`\n"
        "  number or word: "
    )
    assert (desk.aside, desk.steps_aside) == (0, 1)


def test_enter_is_the_default(desk: Desk) -> None:
    async def story() -> Answer | None:
        asked = asyncio.create_task(desk.terminal.ask(question(default="no")))
        await desk.type(b"\n")
        return await asked

    assert asyncio.run(story()) == Answer(choice="no", by="terminal")


def test_ctrl_d_is_no_answer_also_where_there_is_a_default(desk: Desk) -> None:
    async def story() -> list[Answer | None]:
        answers = []
        for number, keys in enumerate((b"\x04", b"ye\x04\x04", b"no\n"), 1):
            asked = asyncio.create_task(desk.terminal.ask(question(default="yes")))
            await desk.type(keys, times=number)
            answers.append(await asked)
        return answers

    assert asyncio.run(story()) == [None, None, Answer(choice="no", by="terminal")]
    assert desk.screen.getvalue().count("no answer: the run pauses at this question") == 2


@pytest.mark.parametrize(
    ("default", "answer", "words"),
    [
        ("no", Answer(choice="no", by="default"), "\n  no answer within 0.1s: `no` holds\n"),
        (None, None, "\n  no answer within 0.1s: the run pauses at this question\n"),
    ],
)
def test_nobody_is_waited_for_longer_than_said(
    desk: Desk, default: str | None, answer: Answer | None, words: str
) -> None:
    assert asyncio.run(desk.terminal.ask(question(default=default, patience=0.1))) == answer
    assert desk.screen.getvalue().endswith(words)
    assert desk.aside == 0


def test_questions_wait_for_each_other_and_their_time_begins_when_they_are_asked(desk: Desk) -> None:
    async def story() -> list[Answer | None]:
        units = [question("one"), question("two", patience=60), question("three")]
        asked = [asyncio.create_task(desk.terminal.ask(each)) for each in units]
        for number, keys in enumerate((b"yes\n", b"no\n", b"1\n"), 1):
            await desk.type(keys, times=number)
        return await asyncio.gather(*asked)

    answers = asyncio.run(story())
    assert [answer and answer.choice for answer in answers] == ["yes", "no", "yes"]
    units = [line.split(":")[0] for line in desk.screen.getvalue().splitlines() if line.startswith("?")]
    assert units == ["? one", "? two", "? three"]


def test_what_was_typed_before_the_question_answers_nothing(desk: Desk) -> None:
    async def story() -> Answer | None:
        os.write(desk.master, b"yes\n")
        asked = asyncio.create_task(desk.terminal.ask(question()))
        await desk.type(b"no\n")
        return await asked

    assert asyncio.run(story()) == Answer(choice="no", by="terminal")


def test_a_run_that_is_ended_asks_no_longer(desk: Desk) -> None:
    async def story() -> None:
        asked = asyncio.create_task(desk.terminal.ask(question()))
        await desk.type(b"ye")
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert not asyncio.get_running_loop().remove_reader(desk.keyboard)

    asyncio.run(story())
    assert desk.screen.getvalue().endswith(": \n")
    assert desk.aside == 0


def test_a_terminal_that_is_gone_is_no_answer(desk: Desk) -> None:
    async def story() -> Answer | None:
        asked = asyncio.create_task(desk.terminal.ask(question(default="yes")))
        await desk.type(b"")
        os.close(desk.master)
        desk.master = os.open(os.devnull, os.O_RDONLY)
        return await asked

    assert asyncio.run(story()) is None


@contextmanager
def nothing() -> Iterator[None]:
    yield


def test_nobody_is_asked_in_a_pipe_in_ci_or_when_it_should_be_quiet(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(desk.keyboard, closefd=False) as stdin, open(desk.keyboard, "w", closefd=False) as stderr:
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr("sys.stderr", stderr)
        assert person({}, nothing, quiet=False, colour=False) is not None
        assert person({"CI": "1"}, nothing, quiet=False, colour=False) is None
        assert person({}, nothing, quiet=True, colour=False) is None
        monkeypatch.setattr("sys.stderr", io.StringIO())
        assert person({}, nothing, quiet=False, colour=False) is None
        monkeypatch.setattr("sys.stdin", None)  # closed: `bridge-run … <&-`
        assert person({}, nothing, quiet=False, colour=False) is None
