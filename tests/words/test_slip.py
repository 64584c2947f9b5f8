"""The one name that a misspelt word can have meant."""

from __future__ import annotations

import pytest

from runner.words.slip import meant_by


@pytest.mark.parametrize(
    ("word", "options", "meant"),
    [
        ("tsk", ["task", "tool", "run"], "task"),
        ("taks", ["task", "tool"], "task"),  # two letters changed places
        ("Task", ["task", "tool"], "task"),
        ("outptu", ["output"], "output"),
        ("mcp_server", ["mcp_servers", "models"], "mcp_servers"),
        ("mcpservers", ["mcp_servers"], "mcp_servers"),
        ("srvey", ["survey"], "survey"),
        ("suvry", ["survey"], "survey"),  # two slips in five letters
        ("sry", ["survey"], None),
        ("abc", ["abd", "abe"], None),  # two could be meant
        ("scan", ["scan", "scans"], None),  # it is right, or two are near
        ("scan", ["scan"], None),
        ("a", [], None),
        ("ab", ["ba", "ba"], "ba"),
        ("needed", ["n"], None),
        ("prompt", ["task"], None),  # means the same, but is no slip
    ],
)
def test_only_one_near_name_is_meant(word: str, options: list[str], meant: str | None) -> None:
    assert meant_by(word, options) == meant
