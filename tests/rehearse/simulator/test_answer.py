"""Turns become answers: cut to the length allowed, with ids that depend on the script alone."""

from __future__ import annotations

from runner.rehearse.simulator.answer import Answer, Piece, compose
from runner.rehearse.simulator.match import Picked
from runner.rehearse.simulator.script import Call, Turn

TURN = Turn(
    say="I will write it.", reasoning="Hm, well.", calls=(Call(tool="write", arguments={"path": "a.py"}),), chunk=8
)


def answer(turn: Turn = TURN, max_tokens: int | None = None, serial: str = "s") -> Answer:
    return compose(Picked(index=0, turn=turn), model="m", serial=serial, prompt_tokens=3, max_tokens=max_tokens)


def test_pieces_come_in_the_order_of_the_stream() -> None:
    assert list(answer().pieces()) == [
        Piece("reasoning", "Hm, well"),
        Piece("reasoning", "."),
        Piece("content", "I will w"),
        Piece("content", "rite it."),
        Piece("call", "write"),
        Piece("arguments", '{"path":'),
        Piece("arguments", ' "a.py"}'),
    ]
    assert (answer().reasoning_tokens, answer().completion_tokens, answer().finish) == (3, 13, "tool_calls")


def test_max_tokens_cuts_where_they_run_out() -> None:
    assert answer(max_tokens=13).finish == "tool_calls"
    cut = answer(max_tokens=11)
    assert (cut.content, cut.calls[0].arguments, cut.finish) == ("I will write it.", '{"path": "a', "length")
    assert answer(max_tokens=7).calls == ()
    assert (answer(max_tokens=5).content, answer(max_tokens=2).reasoning) == ("I will w", "Hm, well")
    assert all(answer(max_tokens=most).completion_tokens <= most for most in range(1, 14))


def test_ids_of_calls_are_nine_digits_and_differ() -> None:
    two = Turn(calls=(Call(tool="a"), Call(tool="b")))
    ids = [call.id for serial in ("s", "t") for call in answer(two, serial=serial).calls]
    assert all(len(name) == 9 and name.isdigit() for name in ids)
    assert len(set(ids)) == 4
    assert [call.id for call in answer(two).calls] == ids[:2]


def test_raw_arguments_stay_as_they_are() -> None:
    raw = answer(Turn(calls=(Call(tool="a", text='{"path": '),)))
    assert raw.calls[0].arguments == '{"path": '
