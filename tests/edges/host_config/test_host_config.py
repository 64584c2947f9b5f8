"""The files of hosts: which of them count, what they say now, and what is never said of them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from runner.edges.host_config.host_config import HostConfiguration
from runner.words.errors import CannotServeError, McpNotFoundError, WorkflowError


class Machine:
    """A home folder with a project in it, and what the files of hosts there say."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.project = home / "work" / "project"
        self.project.mkdir(parents=True)
        self.environment = {"HOME": str(home), "TOKEN": "t0ken-value"}

    def write(self, place: str, content: object) -> Path:
        """``place`` is relative to the home folder."""
        path = self.home / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def hosts(self, **more) -> HostConfiguration:
        return HostConfiguration(self.environment, self.project, **more)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "home")


def servers(**entries):
    return {"mcpServers": {name: {"command": command} for name, command in entries.items()}}


LM_STUDIO, PROJECT, HOME, ABOVE = ".lmstudio/mcp.json", "work/project/.mcp.json", ".mcp.json", "work/.mcp.json"


def fault(hosts: HostConfiguration) -> str:
    """The one finding of files that are of no use: ``line:column message``."""
    with pytest.raises(WorkflowError) as caught:
        hosts.servers()
    (finding,) = caught.value.diagnostics
    assert finding.code == "BR404"
    assert caught.value.hint
    place = f"{finding.span.line}:{finding.span.column} " if finding.span else ""
    return place + finding.message


# Which files count


def test_places_are_looked_at_in_order_and_the_first_file_is_the_one(machine):
    for place in (LM_STUDIO, PROJECT, HOME, ABOVE):
        path = machine.write(place, servers(it=place))
        hosts = machine.hosts()
        assert [server.file for server in hosts.servers().values()] == [str(machine.home / LM_STUDIO)]
        path_first = machine.home / LM_STUDIO
        assert hosts.files[0].path == str(path_first)
        assert path.exists()
    found = []
    for place in (LM_STUDIO, PROJECT, HOME, ABOVE):
        found.append(machine.hosts().servers()["it"].command)
        (machine.home / place).unlink()
    assert found == [LM_STUDIO, PROJECT, HOME, ABOVE]
    assert machine.hosts().servers() == {}


def test_merged_files_give_all_names_and_of_twins_the_earlier(machine):
    machine.write(LM_STUDIO, servers(one="lm"))
    machine.write(PROJECT, servers(two="project", one="no"))
    machine.write(HOME, servers(two="no", three="home"))
    machine.write(ABOVE, servers(four="above"))
    found = machine.hosts(merge=True).servers()
    assert {name: server.command for name, server in found.items()} == {
        "one": "lm", "two": "project", "three": "home", "four": "above",
    }  # fmt: skip
    assert found["four"].file == str(machine.home / ABOVE)


def test_the_search_upwards_ends_at_the_home_folder(machine, tmp_path):
    (tmp_path / ".mcp.json").write_text(json.dumps(servers(outside="x")))
    assert machine.hosts(merge=True).servers() == {}
    assert str(tmp_path / ".mcp.json") not in [file.path for file in machine.hosts(merge=True).files]


def test_outside_of_the_home_folder_it_goes_up_to_the_root(machine, tmp_path):
    project = tmp_path / "elsewhere" / "deep"
    project.mkdir(parents=True)
    (tmp_path / ".mcp.json").write_text(json.dumps(servers(it="x")))
    hosts = HostConfiguration(machine.environment, project)
    assert list(hosts.servers()) == ["it"]
    hosts = HostConfiguration(machine.environment, project, merge=True)
    assert hosts.files[-1].path == "/.mcp.json"


def test_the_home_folder_as_project_is_looked_at_once(machine):
    hosts = HostConfiguration(machine.environment, machine.home, merge=True)
    assert [file.path for file in hosts.files] == [str(machine.home / LM_STUDIO), str(machine.home / HOME)]


def test_the_variable_names_files_and_no_other_counts(machine):
    machine.write(LM_STUDIO, servers(usual="x"))
    first, second = machine.write("a.json", servers(a="x")), machine.write("b.json", servers(b="x"))
    machine.environment["MCP_JSON_PATH"] = os.pathsep.join((str(first), "~/b.json"))
    assert list(machine.hosts().servers()) == ["a"]
    first.unlink()
    assert list(machine.hosts().servers()) == ["b"]
    second.unlink()
    with pytest.raises(WorkflowError) as caught:
        machine.hosts().servers()
    assert [finding.message for finding in caught.value.diagnostics] == [
        "there is no such file, and MCP_JSON_PATH names it"
    ] * 2


def test_merged_the_named_files_come_before_the_usual_ones(machine):
    machine.write(LM_STUDIO, servers(usual="x", a="no"))
    machine.environment["MCP_JSON_PATH"] = os.pathsep.join((str(machine.write("a.json", servers(a="x"))), "none.json"))
    hosts = machine.hosts(merge=True)
    assert {name: server.command for name, server in hosts.servers().items()} == {"a": "x", "usual": "x"}
    assert [file.error.message for file in hosts.files if file.error] == [
        "there is no such file, and MCP_JSON_PATH names it"
    ]


def test_what_the_command_line_names_is_all_there_is(machine):
    machine.write(LM_STUDIO, servers(usual="x"))
    machine.environment["MCP_JSON_PATH"] = str(machine.write("a.json", servers(a="x")))
    machine.write("work/project/own.json", servers(own="x"))
    assert list(machine.hosts(mcp_json="own.json", merge=True).servers()) == ["own"]
    assert fault(machine.hosts(mcp_json="gone.json")) == "there is no such file, and --mcp-json names it"


def test_without_a_home_folder_the_project_is_looked_at(machine, monkeypatch):
    machine.write(PROJECT, servers(it="x"))

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    del machine.environment["HOME"]
    assert list(machine.hosts().servers()) == ["it"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_above_the_project_starts_nothing(machine):
    path = machine.write(ABOVE, servers(it="evil"))
    os.chown(path, 65534, 65534)
    hosts = machine.hosts()
    # Root trusts root and itself; whoever else owns a file above us could start programs as us.
    assert hosts.servers() == {}
    assert hosts.files[-1].error.message == "it belongs to another user, so it is not read"
    machine.environment["MCP_JSON_PATH"] = str(path)
    assert list(machine.hosts().servers()) == ["it"]


# The forms of hosts

FORMS = {
    "Claude Code": {"mcpServers": {"it": {"type": "stdio", "command": "npx", "args": ["-y", "@x/srv"], "env": {}}}},
    "Claude Desktop": {"mcpServers": {"it": {"command": "npx", "args": ["-y", "@x/srv"]}}, "globalShortcut": ""},
    "VS Code": '{"inputs": [], // none\n "servers": {"it": {"command": "npx", "args": ["-y","@x/srv",]}},}',
    "Cursor": {"mcpServers": {"it": {"command": "npx", "args": ["-y", "@x/srv"], "env": {"K": "${env:TOKEN}"}}}},
    "LM Studio": {"mcpServers": {"it": {"command": "npx", "args": ["-y", "@x/srv"], "timeout": 5}}},
    "a byte order mark": "\ufeff" + json.dumps({"mcpServers": {"it": {"command": "npx", "args": ["-y", "@x/srv"]}}}),
    "Windows line ends": '{\r\n"mcpServers": {"it": {\r\n"command": "npx", "args": ["-y", "@x/srv"]}}}\r\n',
}  # fmt: skip


@pytest.mark.parametrize("host", FORMS)
def test_the_files_of_all_hosts_are_understood(machine, host):
    machine.write(PROJECT, FORMS[host])
    server = machine.hosts().find("it")
    assert (server.transport, server.command, server.url, server.problem) == ("stdio", "npx -y @x/srv", None, None)
    assert machine.hosts().ready("it").args == ("-y", "@x/srv")


def test_the_file_of_the_page_is_right(machine):
    page = (Path(__file__).resolve().parents[3] / "docs" / "mcp-json.md").read_text(encoding="utf-8")
    machine.environment["ISSUES_TOKEN"] = "x"
    machine.write(PROJECT, page.split("```json\n")[1].split("```")[0])
    found = machine.hosts().servers()
    assert [(one.name, one.transport, one.disabled, one.problem) for one in found.values()] == [
        ("git", "stdio", False, None), ("issues", "http", False, None), ("old", "stdio", True, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "transport"), [(None, "http"), ("http", "http"), ("streamable-http", "http"), ("sse", "sse")]
)
def test_servers_behind_an_address(machine, kind, transport):
    machine.write(PROJECT, {"mcpServers": {"it": {"url": "https://x.example/mcp"} | ({"type": kind} if kind else {})}})
    server = machine.hosts().find("it")
    assert (server.transport, server.url, server.command) == (transport, "https://x.example/mcp", None)


def test_switched_off_in_both_ways_of_saying_so(machine):
    machine.write(
        PROJECT,
        {"mcpServers": {
            "a": {"command": "x", "disabled": True}, "b": {"command": "x", "enabled": False},
            "c": {"command": "x", "disabled": False, "enabled": True},
        }},
    )  # fmt: skip
    hosts = machine.hosts()
    assert [server.disabled for server in hosts.servers().values()] == [True, True, False]
    assert [server.name for server in hosts.enabled()] == ["c"]
    with pytest.raises(McpNotFoundError) as caught:
        hosts.find("b")
    assert caught.value.message == f"MCP server `b` is disabled in {machine.home / PROJECT}"
    assert caught.value.hint == "enable it there, or name one of `c`"
    assert caught.value.available_mcps == ("c",)


def test_names_that_are_not_there(machine):
    machine.write(PROJECT, servers(github="x", files="x"))
    with pytest.raises(McpNotFoundError) as caught:
        machine.hosts().find("gihub")
    assert caught.value.to_dict() == {
        "code": "McpNotFoundError",
        "kind": "request",
        "message": f"there is no MCP server named `gihub`; {machine.home / PROJECT} has `github`, `files`",
        "hint": "did you mean `github`?",
        "retryable": False,
        "mcp_name": "gihub",
        "available_mcps": ["github", "files"],
        "nearest": ["github"],
    }
    with pytest.raises(McpNotFoundError) as caught:
        machine.hosts().find("zzz")
    assert caught.value.hint == "`list_available_mcps` lists them"
    machine.write(LM_STUDIO, "{")
    with pytest.raises(McpNotFoundError) as caught:
        machine.hosts(merge=True).find("gihub")
    broken = machine.home / LM_STUDIO
    assert caught.value.hint == f"did you mean `github`? {broken} could not be read and may have it"


def test_without_any_file_it_is_said_where_one_would_count(machine):
    with pytest.raises(McpNotFoundError) as caught:
        machine.hosts().find("it")
    assert caught.value.message == "there is no MCP server named `it`; no file of MCP servers was found"
    assert caught.value.hint == (
        f"write {machine.home / LM_STUDIO} or {machine.home / PROJECT}, or name a file in MCP_JSON_PATH"
    )


def test_an_entry_at_fault_hurts_only_itself_and_is_pointed_at(machine):
    text = """{
  // "bad": not this one
  "mcpServers": {
    "good": {"command": "x", "env": {"bad": "1"}},
    "bad": {"args": ["${NOT_SET}"]},
    "lacks": {"command": "x", "args": ["${NOT_SET}"]},
    "list": []
  }
}"""
    machine.write(PROJECT, text)
    hosts = machine.hosts()
    assert hosts.find("good").problem is None
    with pytest.raises(WorkflowError) as caught:
        hosts.find("bad")
    assert not isinstance(caught.value, CannotServeError)
    first = caught.value.diagnostics[0]
    assert (first.message, first.span.line, first.span.column) == (
        "MCP server `bad` has neither `command` nor `url`", 5, 5,
    )  # fmt: skip
    with pytest.raises(CannotServeError) as caught:
        hosts.find("lacks")
    assert caught.value.message == "MCP server `lacks`: `args[0]` needs the variable `NOT_SET`, and it is not set"
    assert caught.value.hint == "set it: export NOT_SET=…, or give a default: ${NOT_SET:-…}"
    with pytest.raises(WorkflowError) as caught:
        hosts.find("list")
    assert caught.value.message == "the entry of MCP server `list` is not a mapping"
    assert hosts.servers()["list"].line == 7
    assert [server.name for server in hosts.enabled()] == ["good", "bad", "lacks", "list"]


# Broken files

BROKEN = {
    '{\n  "mcpServers": {"it": }\n}': "2:24 not valid JSON: Expecting value",
    "": "1:1 not valid JSON: Expecting value",
    "[]": "1:1 this file of MCP servers is no mapping",
    '{"a": 1,\n "mcpServers": []}': "2:2 `mcpServers` is no mapping of names to MCP servers",
    '{\n"servers": "x"}': "2:1 `servers` is no mapping of names to MCP servers",
    '{\n "mcpservers": {}}': "2:2 there is `mcpservers`, and no `mcpServers`",
    "[" * 200_000: "1:1 not valid JSON: nested too deeply",
    '{"n": ' + "1" * 5000 + "}": "1:1 not valid JSON: a number has too many digits",
}


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:12])
def test_a_broken_file_is_told_with_its_line(machine, text):
    machine.write(PROJECT, text)
    assert fault(machine.hosts()) == BROKEN[text]


def test_bytes_that_are_no_text_are_told_with_their_line(machine):
    machine.write(PROJECT, "").write_bytes(b'{\n"a": "\xff"}')
    assert fault(machine.hosts()) == "2:1 not UTF-8 text"


def test_a_file_that_is_too_large(machine):
    machine.write(PROJECT, '{"mcpServers": {}}' + " " * (5 * 1024 * 1024 - 18))
    assert machine.hosts().servers() == {}
    machine.write(PROJECT, '{"mcpServers": {}}' + " " * (5 * 1024 * 1024 - 17))
    assert fault(machine.hosts()) == "this file of MCP servers is larger than 5 MB"


def test_what_is_no_file(machine):
    (machine.project / ".mcp.json").mkdir()
    assert fault(machine.hosts()) == "this is a folder, and a file of MCP servers is expected"
    (machine.project / ".mcp.json").rmdir()
    os.mkfifo(machine.project / ".mcp.json")
    assert fault(machine.hosts()) == "this is no regular file, and a file of MCP servers is expected"


def test_a_file_in_place_of_a_folder_on_the_way_is_no_file_there(machine):
    (machine.home / ".lmstudio").write_text("x")
    machine.write(PROJECT, servers(it="x"))
    assert list(machine.hosts().servers()) == ["it"]


def test_links_are_followed_and_a_circle_of_them_is_told(machine):
    target = machine.write("kept/real.json", servers(it="x"))
    link = machine.project / ".mcp.json"
    link.symlink_to(target)
    hosts = machine.hosts()
    assert hosts.find("it").file == str(link)
    link.unlink()
    link.symlink_to(machine.write("kept/other.json", servers(other="x")))
    assert list(hosts.servers()) == ["other"]
    link.unlink()
    link.symlink_to(machine.home / "nowhere")
    assert hosts.servers() == {}
    link.unlink()
    link.symlink_to(link)
    assert "cannot be read: Too many levels of symbolic links" in fault(hosts)


def test_a_file_that_may_not_be_read_is_told_and_mended_by_chmod():
    folder = Path(tempfile.mkdtemp())
    before = os.geteuid()
    try:
        folder.chmod(0o755)
        path = folder / ".mcp.json"
        path.write_text(json.dumps(servers(it="x")))
        path.chmod(0o000 if before else 0o600)
        if before == 0:
            os.seteuid(65534)  # root may read everything
        hosts = HostConfiguration({"HOME": str(folder)}, folder)
        assert fault(hosts) == "this file of MCP servers cannot be read: Permission denied"
        os.seteuid(before)
        path.chmod(0o644)
        if before == 0:
            os.seteuid(65534)
        assert list(hosts.servers()) == ["it"]
    finally:
        os.seteuid(before)
        shutil.rmtree(folder)


def test_merged_a_broken_file_leaves_the_others(machine):
    machine.write(LM_STUDIO, "{")
    machine.write(PROJECT, servers(it="x"))
    hosts = machine.hosts(merge=True)
    assert list(hosts.servers()) == ["it"]
    assert [(file.used, file.error is None) for file in hosts.files][:2] == [(False, False), (True, True)]
    machine.write(PROJECT, "{")
    with pytest.raises(WorkflowError) as caught:
        hosts.servers()
    assert [finding.file for finding in caught.value.diagnostics] == [
        str(machine.home / LM_STUDIO), str(machine.home / PROJECT),
    ]  # fmt: skip


def test_unmerged_a_broken_file_is_not_passed_over(machine):
    machine.write(LM_STUDIO, "{")
    machine.write(PROJECT, servers(it="x"))
    assert fault(machine.hosts()).startswith("1:2 not valid JSON")


# Read anew


def test_a_change_counts_at_the_next_question(machine):
    path = machine.write(PROJECT, servers(a="x"))
    hosts = machine.hosts()
    assert list(hosts.servers()) == ["a"]
    machine.write(PROJECT, servers(b="x"))  # as large as before, within one tick of the clock of files
    assert list(hosts.servers()) == ["b"]
    stat = path.stat()
    machine.write(PROJECT, servers(c="x"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert list(hosts.servers()) == ["c"]
    other = machine.write("work/project/new.json", servers(d="x"))
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)
    assert list(hosts.servers()) == ["d"]


def test_a_clock_of_files_that_stands_still_hides_no_change(machine, monkeypatch):
    real, now = Path.stat, time.time_ns()

    def coarse(path: Path, **more) -> os.stat_result:
        """What a file system says whose clock ticks every two seconds, and that gives a number of a file again."""
        found = real(path, **more)
        return os.stat_result((*tuple(found)[:1], 1, *tuple(found)[2:]), {"st_mtime_ns": now, "st_ctime_ns": now})

    machine.write(PROJECT, servers(a="x"))
    hosts = machine.hosts()
    monkeypatch.setattr(Path, "stat", coarse)
    assert list(hosts.servers()) == ["a"]
    machine.write(PROJECT, servers(b="x"))
    assert list(hosts.servers()) == ["b"]


def test_an_unchanged_file_gives_the_same_objects_without_being_read(machine, monkeypatch):
    machine.write(PROJECT, servers(a="x"))
    hosts = machine.hosts()
    first = hosts.servers()
    assert hosts.servers() is first
    # The text was compared, as the file is young. One that has settled is not even opened.
    monkeypatch.setattr("runner.edges.host_config.file._SETTLED", -(10**18))
    assert hosts.servers() is first
    monkeypatch.setattr(Path, "open", None)
    assert hosts.servers() is first


def test_files_that_come_and_go_are_noticed(machine):
    hosts = machine.hosts()
    assert hosts.servers() == {}
    machine.write(HOME, servers(a="x"))
    assert list(hosts.servers()) == ["a"]
    nearer = machine.write(PROJECT, servers(b="x"))
    assert list(hosts.servers()) == ["b"]
    nearer.unlink()
    assert list(hosts.servers()) == ["a"]
    machine.write(HOME, "{")
    assert fault(hosts).startswith("1:2 not valid JSON")
    assert fault(hosts).startswith("1:2 not valid JSON")
    machine.write(HOME, servers(a="x"))
    assert list(hosts.servers()) == ["a"]


# Never itself

OURSELVES = {
    "bare": ["bridge-run", "serve"],
    "path": ["/opt/venv/bin/bridge-run", "serve", "--http", "1"],
    "Windows": ["C:\\tools\\bridge-run.exe", "serve"],
    "options before": ["bridge-run", "--verbose", "serve"],
    "uvx": ["uvx", "bridge-run", "serve"],
    "uvx version": ["uvx", "bridge-run@latest", "serve"],
    "uvx extra": ["uvx", "--python", "3.12", "bridge-run[otel]==1.0", "serve"],
    "uvx from": ["uvx", "--from", "git+https://x.example/bridge-run", "bridge-run", "serve"],
    "uv run": ["uv", "run", "--directory", "/x/bridge-run", "bridge-run", "serve"],
    "pipx": ["pipx", "run", "bridge-run", "serve"],
    "npx": ["npx", "-y", "bridge-run", "serve"],
    "env": ["env", "-i", "A=1", "bridge-run", "serve"],
    "env -S": ["env", "-S", "bridge-run serve"],
    "sh": ["sh", "-c", "cd /x && exec bridge-run serve"],
    "bash tight": ["/bin/bash", "-lc", "cd /x&&bridge-run serve; true"],
    "sh quoted": ["sh", "-c", "'/opt/my venv/bin/bridge-run' serve"],
    "python -m": ["python3", "-m", "runner", "serve"],
    "python -m main": ["/usr/bin/python3.11", "-X", "dev", "-m", "runner.cli.main", "serve"],
    "python script": ["python", "/venv/bin/bridge-run", "serve"],
    "docker": ["docker", "run", "-i", "--rm", "image", "bridge-run", "serve"],
    "variable": ["${HOME}/bin/bridge-run", "serve"],
    "variable itself": ["${BRIDGE}", "serve"],
    "one text": ["bridge-run serve"],
    "proxy to our address": ["npx", "mcp-remote", "http://localhost:8765/mcp"],
    "proxy with an option": ["proxy", "--url=http://localhost:8765/mcp"],
}
OTHERS = {
    "another verb": ["bridge-run", "check"],
    "another verb with serve": ["bridge-run", "check", "serve"],
    "a folder of our name": ["mcp-server-git", "--repository", "/srv/bridge-run"],
    "ours as a folder of uv": ["uv", "run", "--directory", "/x/bridge-run", "other", "serve"],
    "another program": ["other", "serve"],
    "a similar name": ["bridge-runner", "serve"],
    "in the name": ["my-bridge-run", "serve"],
    "another module": ["python", "-m", "http.server"],
    "a half quote": ["sh", "-c", "bridge-run 'serve"],
    "proxy elsewhere": ["npx", "mcp-remote", "http://localhost:8766/mcp"],
}


@pytest.mark.parametrize(
    ("words", "expected"),
    [(words, True) for words in OURSELVES.values()] + [(words, False) for words in OTHERS.values()],
    ids=[*OURSELVES, *OTHERS],
)
def test_commands_that_are_ourselves(machine, words, expected):
    machine.environment["BRIDGE"] = "/opt/bridge-run"
    machine.write(PROJECT, {"mcpServers": {"it": {"command": words[0], "args": words[1:]}}})
    hosts = machine.hosts(own_urls=("http://127.0.0.1:8765/mcp",))
    assert hosts.servers()["it"].is_self is expected


def test_a_link_with_another_name_to_ourselves(machine):
    program = machine.write("bin/bridge-run", "#!/bin/sh\n")
    (machine.home / "bin" / "helper").symlink_to(program)
    machine.write(PROJECT, {"mcpServers": {"it": {"command": str(machine.home / "bin" / "helper"), "args": ["serve"]}}})
    assert machine.hosts().servers()["it"].is_self


@pytest.mark.parametrize(
    ("own", "url", "expected"),
    [
        ("http://127.0.0.1:8765/mcp", "http://localhost:8765/mcp/", True),
        ("http://127.0.0.1:8765/mcp", "http://[::1]:8765/mcp?x=1", True),
        ("http://127.0.0.1:8765/mcp", "http://127.0.0.1:8765/mcp", True),
        ("http://127.0.0.1:8765/mcp", "HTTP://LOCALHOST:8765/mcp", True),
        ("http://127.0.0.1:8765/mcp", "http://localhost:${PORT}/mcp", True),
        ("http://127.0.0.1:8765", "http://localhost:8765/mcp", True),
        ("http://[::1]/mcp", "http://localhost:80/mcp", True),
        ("https://box.example/mcp", "https://BOX.example.:443/mcp", True),
        ("http://127.0.0.1:8765/mcp", "http://127.0.0.1:8766/mcp", False),
        ("http://127.0.0.1:8765/mcp", "http://127.0.0.1:8765/other", False),
        ("http://127.0.0.1:8765/mcp", "https://127.0.0.1:8765/mcp", False),
        ("http://127.0.0.1:8765/mcp", "http://box.example:8765/mcp", False),
        ("http://127.0.0.1:8765/mcp", "http://127.0.0.1:99999/mcp", False),
        ("http://127.0.0.1:8765/mcp", "no address", False),
    ],
)
def test_addresses_that_are_ourselves(machine, own, url, expected):
    machine.environment["PORT"] = "8765"
    machine.write(PROJECT, {"mcpServers": {"it": {"url": url}, "more": {"command": "x"}}})
    hosts = machine.hosts(own_urls=(own,))
    assert hosts.servers()["it"].is_self is expected
    assert ("it" in [server.name for server in hosts.enabled()]) is not expected


def test_asked_for_by_name_ourselves_are_refused(machine):
    machine.write(PROJECT, {"mcpServers": {"me": {"command": "bridge-run", "args": ["serve"]}}})
    with pytest.raises(McpNotFoundError) as caught:
        machine.hosts().find("me")
    assert caught.value.message == "MCP server `me` is this bridge itself, and it does not use itself"
    assert caught.value.hint == "no other one is enabled"


# Secrets

SHOWN = [
    ({"command": "npx", "args": ["-y", "@x/srv@1.2", "--key", "SECRET"]}, "npx -y @x/srv@1.2 …"),
    ({"command": "/usr/bin/npx", "args": ["--key", "SECRET"]}, "/usr/bin/npx …"),
    ({"command": "srv", "args": ["SECRET"]}, "srv …"),
    ({"command": "srv --key SECRET"}, "srv …"),
    ({"command": "npx -y srv SECRET"}, "npx -y srv …"),
    ({"command": "/my tools/srv", "args": ["SECRET"]}, "/my tools/srv …"),
    ({"command": "/my/tools/srv --file /SECRET"}, "/my/tools/srv …"),
    ({"command": " "}, " "),
    ({"command": "docker", "args": ["run", "-e", "KEY=SECRET", "image"]}, "docker …"),
    ({"command": "sh", "args": ["-c", "KEY=SECRET srv"]}, "sh …"),
    ({"command": "uvx", "args": ["--from", "git+https://SECRET@x.example/a", "srv"]}, "uvx …"),
    ({"command": "python", "args": ["-m", "srv.main"]}, "python -m srv.main"),
    ({"command": "srv", "env": {"KEY": "SECRET"}}, "srv"),
    ({"command": "${HOME}/srv", "args": ["${TOKEN}"]}, "${HOME}/srv …"),
    ({"url": "https://me:SECRET@x.example:8/mcp", "headers": {"Authorization": "SECRET"}}, "https://x.example:8/mcp"),
    ({"url": "https://x.example/mcp?key=SECRET&b#SECRET"}, "https://x.example/mcp?key=…&b=…"),
    ({"url": "https://x.example/s/SECRET0123456789abcdef/mcp"}, "https://x.example/s/…/mcp"),
    ({"url": "https://x.example/${TOKEN}"}, "https://x.example/${TOKEN}"),
    ({"url": "https://[SECRET"}, "…"),
]


@pytest.mark.parametrize(("entry", "shown"), SHOWN, ids=lambda value: value if isinstance(value, str) else "")
def test_what_may_be_a_secret_is_never_shown(machine, entry, shown):
    machine.write(PROJECT, {"mcpServers": {"it": entry}})
    server = machine.hosts().servers()["it"]
    assert (server.command or server.url) == shown
    assert "SECRET" not in repr(server)
    assert "t0ken-value" not in repr(server)
