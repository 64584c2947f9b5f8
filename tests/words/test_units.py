"""Durations and sizes: as the file writes them, as people read them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from runner.words.units import parse_duration, parse_size, show_bytes, show_seconds


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("30s", 30.0), ("10m", 600.0), ("2h", 7200.0)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(("text", "count"), [("1B", 1), ("32KB", 32768), ("1MB", 1_048_576), ("2GB", 2_147_483_648)])
def test_sizes(text: str, count: int) -> None:
    assert parse_size(text) == count


WRONG = ["", "5", "s", "0s", "000m", "1.5s", "-1s", "1 s", "1S", "1d", "1s\n", "٣s", "9999999999s"]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"`{text}` is not a duration")):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "5", "KB", "0KB", "1.5MB", "-1B", "1 KB", "1kb", "1TB", "1KB\n", "٣KB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"`{text}` is not a size")):
        parse_size(text)


@pytest.mark.parametrize("text", ["500ms", "30s", "000m", "0s", "1.5s", "1S", "٣s"])
def test_the_schema_takes_the_very_durations_that_can_be_read(text: str) -> None:
    schemas = Path(__file__).parents[2] / "schemas"
    pattern = json.loads((schemas / "workflow.schema.json").read_text("utf-8"))["$defs"]["duration"]["pattern"]
    readable = True
    try:
        parse_duration(text)
    except ValueError:
        readable = False
    assert (re.search(pattern, text) is not None) == readable


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0s"), (0.04, "0.0s"), (9.94, "9.9s"), (9.96, "10s"), (12.4, "12s"), (59.4, "59s"), (59.6, "1m00s"),
        (185, "3m05s"), (3599.4, "59m59s"), (3599.6, "1h00m"), (7800, "2h10m"), (360_000, "100h00m"),
    ],
)  # fmt: skip
def test_seconds_for_people(seconds: float, shown: str) -> None:
    assert show_seconds(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"), (512, "512 B"), (1023, "1023 B"), (1024, "1.0 KB"), (3500, "3.4 KB"), (1_048_523, "1023.9 KB"),
        (1_048_575, "1.0 MB"), (1_048_576, "1.0 MB"), (1_073_741_823, "1.0 GB"), (20_401_094_656, "19.0 GB"),
        (1 << 50, "1048576.0 GB"),
    ],
)  # fmt: skip
def test_bytes_for_people(count: int, shown: str) -> None:
    assert show_bytes(count) == shown
