"""What a host is told of the MCP servers there are: from the files alone, and with the servers started."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from kit.servers import ODD

from runner.app.bridge import mcps
from runner.app.bridge.house import BridgeHouse, BridgeSettings
from runner.app.bridge.mcps import MCP_TOOLS
from runner.words.errors import WorkflowError
from runner.words.schemas import check_schema, complaints

(TOOL,) = MCP_TOOLS


class Host:
    """A home folder with one file of MCP servers, and a bridge that lives there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / ".mcp.json"
        self.environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "TOKEN": "t0ken-value"}
        self.told: list[tuple[float, float | None, str]] = []

    def write(self, **entries) -> None:
        self.file.write_text(json.dumps({"mcpServers": entries}, indent=1))

    async def ask(self, **arguments):
        settings = BridgeSettings(endpoints=("http://127.0.0.1:9",), folder=self.folder, merge_mcp_json=True)
        house = BridgeHouse(settings, self.environment)

        async def progress(done: float, total: float | None, words: str) -> None:
            self.told.append((done, total, words))

        try:
            answer = await TOOL.work(house, arguments, progress)
        finally:
            await house.close()
        assert complaints(TOOL.offer.output_schema, answer) == ()
        return json.loads(json.dumps(answer))

    def answer(self, **arguments):
        return asyncio.run(self.ask(**arguments))


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def odd(mode: str, *more: str, **keys):
    return {"command": sys.executable, "args": [str(ODD), mode, *more], **keys}


def processes_now(word: str) -> list[str]:
    """The living processes that have this word in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            found += [entry.name] if word.encode() in words else []
    return found


def processes_left(word: str) -> list[str]:
    """The same, some time later: what was killed may take a moment to be gone."""
    deadline = time.monotonic() + 3
    while (found := processes_now(word)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def test_the_schemas_are_right():
    assert check_schema(TOOL.offer.input_schema) == ()
    assert check_schema(TOOL.offer.output_schema) == ()


def test_every_server_is_listed_with_what_keeps_it_from_being_used(host):
    host.write(
        git={"command": "npx", "args": ["-y", "@x/git", "--key", "SECRET"], "env": {"KEY": "SECRET"}},
        web={"type": "http", "url": "https://x.example/mcp?key=SECRET", "headers": {"Authorization": "SECRET"}},
        off={"command": "x", "disabled": True},
        me={"command": "bridge-run", "args": ["serve"]},
        lacks={"command": "x", "env": {"KEY": "${NOT_SET}"}},
    )
    answer = host.answer()
    file = str(host.file)
    common = {"file": file, "enabled": True, "problem": None}
    assert answer["mcps"] == [
        {**common, "name": "git", "transport": "stdio", "command": "npx -y @x/git …", "line": 3},
        {**common, "name": "web", "transport": "http", "url": "https://x.example/mcp?key=…", "line": 15},
        {
            **common, "name": "off", "transport": "stdio", "command": "x", "line": 22, "enabled": False,
            "problem": "it is disabled in the file",
        },
        {
            **common, "name": "me", "transport": "stdio", "command": "bridge-run …", "line": 26, "enabled": False,
            "problem": "this is the bridge itself, which does not use itself",
        },
        {
            **common, "name": "lacks", "transport": "stdio", "command": "x", "line": 32,
            "problem": "MCP server `lacks`: `env.KEY` needs the variable `NOT_SET`, and it is not set",
        },
    ]  # fmt: skip
    assert answer["files"] == [
        {"path": str(host.folder / ".lmstudio/mcp.json"), "origin": "LM Studio", "found": False, "used": False},
        {"path": file, "origin": "the project", "found": True, "used": True},
    ]
    assert answer["hint"] is None
    assert "SECRET" not in json.dumps(answer)


def test_without_any_file_the_hint_says_where_one_would_count(host):
    answer = host.answer()
    assert answer["mcps"] == []
    assert answer["hint"] == (
        f"there is no file of MCP servers: write one of {host.folder}/.lmstudio/mcp.json, {host.folder}/.mcp.json, "
        "or name one in MCP_JSON_PATH"
    )


def test_when_none_can_be_used_the_hint_says_so(host):
    host.write(off={"command": "x", "disabled": True})
    assert host.answer()["hint"] == "no MCP server can be used: see `problem` of each, and the files"


def test_a_broken_file_is_an_error_with_its_line(host):
    host.file.write_text('{\n"mcpServers": {"it" }}')
    with pytest.raises(WorkflowError) as caught:
        host.answer()
    (finding,) = caught.value.diagnostics
    assert (finding.file, finding.span.line, finding.span.column) == (str(host.file), 2, 21)


def test_a_broken_file_beside_a_right_one_is_told_with_its_line(host):
    host.write(it={"command": "x"})
    broken = host.folder / ".lmstudio" / "mcp.json"
    broken.parent.mkdir()
    broken.write_text('{\n"mcpServers": {"it" }}')
    answer = host.answer()
    assert [row["name"] for row in answer["mcps"]] == ["it"]
    assert answer["files"][0] == {
        "path": str(broken), "origin": "LM Studio", "found": True, "used": False,
        "error": {
            "code": "BR404", "line": 2, "column": 21, "help": None,
            "message": "not valid JSON: Expecting ':' delimiter",
        },
    }  # fmt: skip
    assert answer["hint"] == f"these files do not count, see `error`: {broken}"


def test_with_tools_each_that_can_start_is_asked_and_none_is_left(host):
    mark = f"mark-{time.time_ns()}"
    host.write(
        good=odd("good", mark),
        hints=odd("hints", mark),
        gone={"command": "no-such-command"},
        off=odd("good", mark, disabled=True),
        lacks={"command": "x", "args": ["${NOT_SET}"]},
    )
    good, hints, gone, off, lacks = host.answer(tools=True)["mcps"]
    assert good["tools"] == [{"name": "echo", "description": "Says it again."}]
    assert [tool["name"] for tool in hints["tools"]] == ["reads", "repeats", "unknown"]
    assert gone["problem"] == "cannot start MCP server `gone`: there is no command `no-such-command`"
    assert [row for row in (gone, off, lacks) if "tools" in row] == []
    assert [told[:2] for told in host.told] == [(1, 3), (2, 3), (3, 3)]
    assert {told[2] for told in host.told} == {f"asked `{name}` for its tools" for name in ("good", "hints", "gone")}
    assert processes_left(mark) == []


def test_what_a_server_says_of_its_end_holds_no_secret(host):
    tell = "import os, sys; sys.exit(' '.join([*sys.argv[1:], os.environ['KEY'], 'is refused']))"
    host.write(
        it={
            "command": sys.executable,
            "args": ["-c", tell, "SECRET-one", "--key=SECRET-two", "/a/path"],
            "env": {"KEY": "${TOKEN}"},
        }
    )
    (row,) = host.answer(tools=True)["mcps"]
    assert row["problem"].endswith("[secret args[2]] --key=[secret args[3]] /a/path [secret KEY] is refused")


def test_a_server_that_keeps_silent_is_ended_and_told(host, monkeypatch):
    monkeypatch.setattr(mcps, "START_SECONDS", 0.5)
    mark = f"mark-{time.time_ns()}"
    host.write(it=odd("silent", mark))
    (row,) = host.answer(tools=True)["mcps"]
    assert row["problem"] == "it did not list its tools within 0.5s"
    assert processes_left(mark) == []


def test_cancelled_it_leaves_no_process(host):
    mark = f"mark-{time.time_ns()}"
    host.write(one=odd("silent", mark), two=odd("stubborn", mark))

    async def cancelled() -> None:
        asking = asyncio.create_task(host.ask(tools=True))
        while len(processes_now(mark)) < 2:  # noqa: ASYNC110 - processes tell nobody when they start
            await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(cancelled())
    assert processes_left(mark) == []
