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


@pytest.mark.parametrize(
    ("body", "place", "pattern"),
    [
        (SERVERS.replace("git_log", "'git_*', '!git_push'") + steps(f"{ALL}\ntask: x"), "6:38", "!git_push"),
        (SERVERS.replace("'l*'", "'!write'") + steps(f"{ALL}\ntask: x"), "4:41", "!write"),
        (SERVERS + steps(f"{ALL}\ntask: x\ntools: [rw, '!rw.write']"), "11:17", "!rw.write"),
        (SERVERS + steps(f"{ALL}\ntask: x\ntools: [rw, 'rw.!write']"), "11:17", "rw.!write"),
        (SERVERS + "defaults: {tools: [rw, '!rw.write']}\n" + steps(f"{ALL}\ntask: x"), "7:24", "!rw.write"),
    ],
)
def test_who_excludes_a_tool_is_told_that_it_could_be_used_all_the_same(
    tmp_path: Path, body: str, place: str, pattern: str
) -> None:
    assert findings(tmp_path, body) == [
        f"BR214 {place} `{pattern}` excludes nothing: `tools` are those that may be used"
        " | name them; a glob such as `git_diff*` stands for several"
    ]


def test_a_glob_may_exclude_a_letter(tmp_path: Path) -> None:
    assert findings(tmp_path, SERVERS + steps(f"{ALL}\ntask: x\ntools: ['rw.[!w]*']")) == []
