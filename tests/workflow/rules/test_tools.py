"""Servers and tools that a step names, and whether any tool can be meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, steps

SERVERS = (
    "mcp_servers:\n  files: {builtin: files, tools: [read, 'l*']}\n  rw: {builtin: files, write: true}\n"
    "  git: {command: g, tools: [git_log]}\n"
)
ALL = "mcp_servers: [files, rw, git]"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (f"{ALL}\ntask: x\ntools: [files.search]",
         "BR214 the server `files` does not let `search` be used | its `tools` are `read`, `l*`"),
        (f"{ALL}\ntask: x\ntools: [files.list]", ""),
        (f"{ALL}\ntask: x\ntools: ['rw.*']", ""),
        (f"{ALL}\ntask: x\ntools: [rw.write]", ""),
        (f"{ALL}\ntask: x\ntools: [rw.frobnicate]",
         "BR214 the built-in files have no tool `frobnicate` | they have `list`, `read`, `search`, `write`, `edit`"),
        (f"{ALL}\ntask: x\ntools: ['git.*']", ""),
        (f"{ALL}\ntask: x\ntools: ['git.status*']",
         "BR214 the server `git` does not let `status*` be used | its `tools` are `git_log`"),
        ("task: x\ntools: ['*.read']", "BR214 no server of this step matches `*.read` | it has no `mcp_servers`"),
        ("tool: git.git_push", "BR214 the server `git` does not let `git_push` be used | its `tools` are `git_log`"),
        ("tool: git.git_log", ""),
    ],
)  # fmt: skip
def test_a_step(tmp_path: Path, lines: str, expected: str) -> None:
    found = [line for line in findings(tmp_path, SERVERS + steps(lines)) if not line.startswith("BR231")]
    assert [f"{line.split(' ')[0]} {line.split(' ', 2)[2]}" for line in found] == ([expected] if expected else [])


def test_the_allow_list_of_the_built_in_files_is_known(tmp_path: Path) -> None:
    body = "mcp_servers: {files: {builtin: files, tools: [raed, 'x*', '*']}}\n" + steps("mcp_servers: [files]\ntask: x")
    assert findings(tmp_path, body) == [
        "BR214 3:47 the built-in files have no tool `raed` | did you mean `read`?",
        "BR214 3:53 the built-in files have no tool `x*` | they have `list`, `read`, `search`, `write`, `edit`",
    ]


def test_tools_of_the_defaults_are_judged_by_the_servers_of_nobody(tmp_path: Path) -> None:
    body = SERVERS + "defaults: {mcp_servers: [files], tools: ['rw.*', 'fi*.read', files.write]}\n" + steps("task: x")
    assert [line for line in findings(tmp_path, body) if not line.startswith("BR231")] == [
        "BR214 7:62 the server `files` does not let `write` be used | its `tools` are `read`, `l*`",
    ]
