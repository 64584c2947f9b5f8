"""The tool calls of one answer: ids that nobody gave, or that were given twice."""

from __future__ import annotations

from runner.chat.tool_calls import ToolCallAssembler


def ids(taken: frozenset[str], *given: str) -> list[str]:
    """The ids of as many calls, all of them begun with the given one."""
    assembler = ToolCallAssembler(taken)
    pieces = [{"index": n, "id": one, "function": {"name": "f", "arguments": "{}"}} for n, one in enumerate(given)]
    assert list(assembler.feed(pieces)) == ["f{}"] * len(given)
    calls, dropped = assembler.finish(cut=False)
    assert not dropped
    return [call.id for call in calls]


def test_own_ids_avoid_those_that_the_model_gives_later() -> None:
    """The first call has none; the next two already bear the ids that would be made up for it."""
    first, *_ = ids(frozenset(), "", "x")
    second = str(int(first) + 1)
    assert ids(frozenset(), "", first, second) == [str(int(first) + 2), first, second]


def test_an_id_that_the_conversation_has_used_is_replaced() -> None:
    assert ids(frozenset({"a"}), "b") == ["b"]
    (replaced,) = ids(frozenset({"a"}), "a")
    assert replaced not in {"a", ""}


def test_what_is_no_piece_is_passed_over() -> None:
    assembler = ToolCallAssembler()
    assert list(assembler.feed("text")) == []
    assert list(assembler.feed([None, "x", {"function": "odd"}])) == []
    assert assembler.finish(cut=True) == ((), False)
