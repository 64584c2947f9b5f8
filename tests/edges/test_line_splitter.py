"""Lines out of chunks that end anywhere."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from runner.edges.line_splitter import LineSplitter, TooLong


def feed(splitter: LineSplitter, *chunks: bytes) -> list[bytes | TooLong]:
    return [line for chunk in chunks for line in splitter.feed(chunk)]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_however_it_is_cut_the_lines_are_the_same(data, cuts):
    edges = sorted({0, len(data), *(cut for cut in cuts if cut <= len(data))})
    chunks = [data[start:end] for start, end in itertools.pairwise(edges)]
    splitter = LineSplitter(1_000)
    lines = feed(splitter, *chunks)
    assert [*lines, splitter.rest() or b""] == data.split(b"\n")


def test_a_line_over_the_limit_keeps_only_its_ends():
    splitter = LineSplitter(1_000)
    lines = feed(splitter, b"fine\nHEAD", *[b"x" * 700] * 5, b"TAIL\nfine too\n")
    assert lines[0] == b"fine"
    assert lines[2] == b"fine too"
    long = lines[1]
    assert isinstance(long, TooLong)
    assert (long.size, len(long.head), len(long.tail)) == (3_508, 512, 512)
    assert long.head.startswith(b"HEADxxx")
    assert long.tail.endswith(b"xxxTAIL")


def test_what_follows_the_last_newline_is_the_rest():
    splitter = LineSplitter(10)
    assert feed(splitter, b"a\nb") == [b"a"]
    assert splitter.rest() == b"b"
    assert splitter.rest() is None
