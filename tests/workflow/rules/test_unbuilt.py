"""Keys of the format that this version cannot carry out: refused wherever they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, steps


@pytest.mark.parametrize(
    ("head", "lines"),
    [
        ("models: {m: [one, two]}\n", "model: m\ntask: x"),
        ("defaults: {model: [one, two]}\n", "task: x"),
        ("", "model: [one, two]\ntask: x"),
        ("models: {m: {id: a, load: {context_length: 9}, ttl: 1m, endpoint: e}}\n", "model: m\ntask: x"),
        ("", "model: {id: a, fallback: [b]}\ntask: x"),
        ("", "task: x\ncontext: fail\nimages: [a.png]"),
    ],
)
def test_what_is_said_of_models_can_be_carried_out(tmp_path: Path, head: str, lines: str) -> None:
    assert findings(tmp_path, head + steps(lines)) == []


@pytest.mark.parametrize(
    ("head", "lines", "what"),
    [
        ("workspace: copy\n", "task: x", "`workspace: copy`"),
        ("mcp_servers: {m: {command: c, isolate: true}}\n", "mcp_servers: [m]\ntask: x", "`isolate: true`"),
        ("", "approve: sure?", "`approve`"),
    ],
)
def test_a_key(tmp_path: Path, head: str, lines: str, what: str) -> None:
    (line,) = [line.split(" | ")[0] for line in findings(tmp_path, head + steps(lines))]
    code, _, message = line.split(" ", 2)
    assert f"{code} {message}" == (
        f"BR221 {what} is part of the format, but this version of bridge-run cannot carry it out yet"
    )


@pytest.mark.parametrize("head", ["workspace: here\n", "mcp_servers: {m: {command: c, isolate: false}}\n"])
def test_what_says_the_usual_is_fine(tmp_path: Path, head: str) -> None:
    servers = "mcp_servers: [m]\n" if "mcp" in head else ""
    assert findings(tmp_path, head + steps(f"{servers}task: x\ncontext: trim\njoin: all_succeeded")) == []
