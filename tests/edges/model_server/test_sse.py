"""Server-sent events, however the network cuts them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.edges.model_server.sse import Event, EventReader, looks_like_events
from runner.words.errors import LLMResponseError

STREAM = (
    ': hello\r\n\r\ndata: {"a":1}\n\nevent: error\ndata:two\ndata: lines\r\n\r\nid: 7\nretry: 5\ndata\n\n'
    "event: lost\n\ndata: Grüße\n\ndata: [DONE]"
).encode()
EVENTS = [Event("", '{"a":1}'), Event("error", "two\nlines"), Event("", "Grüße"), Event("", "[DONE]")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_any_cut_gives_the_same_events(cuts):
    edges = [0, *sorted(cuts), len(STREAM)]
    reader = EventReader()
    events = [event for a, b in pairwise(edges) for event in reader.feed(STREAM[a:b])]
    assert events + reader.close() == EVENTS


@pytest.mark.parametrize(
    "before", [b"", b": waiting\n\n", b"data: first\n", b"event: error\n", b"data: fir"]
)  # fmt: skip
@pytest.mark.parametrize("token", [b"data: one\n\n", b"data: one\r\n\n", b"data: \n\n", b"data: a\ndata: b\n\n"])
def test_a_token_that_comes_in_one_piece_is_read_as_if_it_came_in_many(before, token):
    whole, torn = EventReader(), EventReader()
    at_once = [*whole.feed(before), *whole.feed(token), *whole.close()]
    assert at_once == [event for byte in before + token for event in torn.feed(bytes([byte]))] + torn.close()


def test_broken_utf8_costs_its_characters_alone():
    assert EventReader().feed(b"data: a\xffb\n\n") == [Event("", "a\ufffdb")]


def test_a_line_without_an_end_is_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr("runner.edges.model_server.sse.MAX_LINE", 100)
    reader = EventReader()
    assert reader.feed(b"x" * 60) == []
    with pytest.raises(LLMResponseError) as caught:
        reader.feed(b"x" * 60)
    assert str(caught.value) == "a line of the stream has no end within 64 MB"


@pytest.mark.parametrize(
    ("start", "events"),
    [
        (b"data: {}", True), (b"d", True), (b"\xef\xbb\xbfdata:", True), (b"\r\n:", True),
        (b"event", True), (b"", True),
        (b'{"error"', False), (b"<html>", False), (b"Internal Server Error", False), (b"dat ", False),
    ],
)  # fmt: skip
def test_what_may_be_a_stream(start, events):
    assert looks_like_events(start) is events
