"""``bridge-run doctor``: every server, model and tool looked at, at once, bounded, with what to do."""

from __future__ import annotations

import http.server
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kit.llama_server import KEY, llama_server
from kit.project import Project, interrupt, processes_with, wait_until
from kit.servers import ODD, python_server
from kit.simulator import simulator

CODER, THINKER = "qwen/qwen3-coder-30b", "mistralai/magistral-small-2509"
LOADED = {"loaded": {"context_length": 32768}, "tool_use": True, "max_context_length": 262144}
Simulate = Callable[..., str]
Checks = Callable[..., "Found"]


class Found:
    """What ``doctor --json`` found."""

    def __init__(self, code: int, checks: list[dict[str, Any]]) -> None:
        self.code = code
        self.checks = checks

    def all(self, group: str, name: str | None = None) -> list[tuple[str, str, str]]:
        """``(name, health, text)`` of a group's checks."""
        return [
            (one["name"], one["health"], one["text"])
            for one in self.checks
            if one["group"] == group and name in (None, one["name"])
        ]

    def one(self, group: str, name: str) -> dict[str, Any]:
        (check,) = (one for one in self.checks if one["group"] == group and one["name"] == name)
        return check


@pytest.fixture
def simulate(project: Project) -> Iterator[Simulate]:
    """``simulate(models, **settings)`` starts a simulator; the last one started is the project's endpoint."""
    with ExitStack() as stack:

        def start(models: Mapping[str, Any] | None = None, **settings: Any) -> str:
            script = {"models": models or {CODER: LOADED}, "settings": settings}
            url = stack.enter_context(simulator(script))
            project.environment["BRIDGE_RUN_ENDPOINT"] = url
            return url

        yield start


@pytest.fixture
def look(project: Project) -> Checks:
    def looked(*arguments: str, **env: str) -> Found:
        ended = project.run("doctor", "--json", *arguments, env=env)
        data = json.loads(ended.raw_out)
        assert (data["exit_code"], ended.err) == (ended.code, "")
        return Found(ended.code, data["checks"])

    return looked


def workflow(servers: Mapping[str, Any], **step: Any) -> str:
    step = {"id": "ask", "task": "Ask.", "mcp_servers": list(servers), **step}
    return json.dumps({"version": 1, "name": "flow", "mcp_servers": servers, "steps": [step]})


# What is well


def test_a_machine_on_which_all_is_well(project: Project, simulate: Simulate):
    simulate()
    servers = {"files": {"builtin": "files"}, "clock": {"command": python_server("mcp-server-time")}}
    project.write("workflows/flow.yaml", workflow(servers))
    ended = project.run("doctor")
    assert ended.code == 0, ended.out
    words = " ".join(ended.out.split())
    for part in (
        "ok python 3.",
        "ok run folder .bridge/runs can be written,",
        "ok http://127.0.0.1:PORT LM Studio 0.4 or later, 1 model, answers in",
        "(the address comes from BRIDGE_RUN_ENDPOINT)",
        f"ok loaded `{CODER}`: 32,768 tokens, 4 at once (they share them)",
        f"ok default model `{CODER}` on http://127.0.0.1:PORT, the one that is loaded",
        "ok workflows/flow.yaml 1 step, 1 model found",
        "ok files files, 3 tools, in 0.0s",
        "ok clock mcp-time",
        ", 2 tools, in",
    ):
        assert part in words
    assert ended.out.endswith("\nall is well\n")
    assert not (project.folder / ".bridge").exists()


def test_machines_get_the_facts(project: Project, simulate: Simulate, look: Checks):
    url = simulate()
    project.write("flow.yaml", workflow({"clock": {"command": python_server("mcp-server-time")}}))
    found = look("flow.yaml")
    assert found.code == 0
    server = found.one("model servers", url)["facts"]
    assert (server["endpoint"], server["flavour"], server["models"]) == (url, "lmstudio-v1", 1)
    clock = found.one("tool servers", "clock")["facts"]
    assert clock["files"] == ["flow.yaml"]
    assert "get_current_time" in clock["tools"]


def test_without_files_only_machine_and_servers_are_looked_at(simulate: Simulate, look: Checks):
    simulate()
    assert {check["group"] for check in look().checks} == {"this machine", "model servers"}


# Model servers


def test_no_server_is_a_problem_that_names_where_the_address_came_from(look: Checks):
    found = look("--endpoint", "127.0.0.1:9")
    assert found.code == 5
    assert found.all("model servers") == [
        (
            "http://127.0.0.1:9",
            "problem",
            "no connection to http://127.0.0.1:9: refused, nothing listens there "
            "(BR310; the address comes from --endpoint)",
        )
    ]


def test_a_dead_server_is_a_warning_beside_a_living_one(simulate: Simulate, look: Checks):
    found = look("--endpoint", simulate(), "--endpoint", "127.0.0.1:9")
    assert found.code == 0
    assert found.one("model servers", "http://127.0.0.1:9")["health"] == "warning"


def test_a_dead_server_is_a_warning_where_no_workflow_needs_one(project: Project, look: Checks):
    project.write("flow.yaml", "version: 1\nname: flow\nsteps:\n  - {id: go, run: [echo, hello]}\n")
    found = look("flow.yaml")
    assert found.code == 0
    assert [health for _, health, _ in found.all("model servers")] == ["warning"]


@pytest.mark.parametrize(
    ("token", "code", "text"),
    [
        ("sk-lm-abcdefgh:abcdefghij0123456789", 0, "asked for, and accepted"),
        (None, 5, "no token is set"),
        ("sk-lm-abcdefgh:99999999990123456789", 5, "a token was sent"),
    ],
)
def test_a_token_is_accepted_missing_or_refused(simulate: Simulate, look: Checks, token, code, text):
    simulate(token="sk-lm-abcdefgh:abcdefghij0123456789")
    found = look(**({"LM_API_TOKEN": token} if token else {}))
    assert found.code == code
    assert any(text in said for _, _, said in found.all("model servers"))
    assert "99999999990123456789" not in json.dumps(found.checks)


def test_a_token_that_nobody_asks_for_is_told(simulate: Simulate, look: Checks):
    simulate()
    check = look(LM_API_TOKEN="sk-lm-abcdefgh:abcdefghij0123456789").one("model servers", "token")
    assert (check["health"], check["text"]) == ("ok", "set; the server does not ask for one")


@pytest.mark.parametrize(("jit", "text"), [(True, "on: the server loads"), (False, "off: only what is loaded")])
def test_loading_on_demand_shows_in_the_two_lists(simulate: Simulate, look: Checks, jit, text):
    simulate({CODER: {"loaded": True}, THINKER: {}}, jit=jit)
    check = look().one("model servers", "loading on demand")
    assert check["facts"] == {"on": jit}
    assert check["text"].startswith(text)


def test_several_loaded_models_leave_no_default(simulate: Simulate, look: Checks):
    simulate({CODER: {"loaded": True}, THINKER: {"loaded": True}})
    found = look()
    assert found.code == 0
    check = found.one("model servers", "default model")
    assert (check["health"], check["text"]) == ("warning", f"none: 2 models are loaded (`{CODER}`, `{THINKER}`)")


def test_a_configured_default_that_nobody_has_is_a_problem(project: Project, simulate: Simulate, look: Checks):
    simulate()
    project.write("bridge.toml", 'default_model = "qwen3-coder-30b"\n')
    found = look()
    assert found.code == 4
    check = found.one("model servers", "default model")
    assert check["text"] == "`qwen3-coder-30b` is configured, and no server has it"
    assert check["help"] == f"did you mean `{CODER}`?"


def test_an_old_server_tells_what_it_does_not_tell(simulate: Simulate, look: Checks):
    simulate(version="0.3.30")
    notes = look().all("model servers", "note")
    assert [health for _, health, _ in notes] == ["warning"]
    assert "older than 0.4" in notes[0][2]


def test_a_real_server_tells_its_free_slots(look: Checks):
    with llama_server(key=KEY) as url:
        found = look("--endpoint", url, LM_API_TOKEN=KEY)
    assert found.code == 0
    (loaded,) = found.all("model servers", "loaded")
    assert loaded[2].endswith("2 at once; 2 of 2 free now")
    assert found.one("model servers", "token")["health"] == "ok"


def test_a_server_that_hangs_does_not_hang_the_doctor(look: Checks):
    with silent_server() as url:
        found = look("--endpoint", url)
    assert found.code == 5
    assert found.all("model servers")[0][1] == "problem"


# Workflows and their tool servers


def test_a_file_that_is_wrong_gives_3_and_says_where_to_look(project: Project, simulate: Simulate, look: Checks):
    simulate()
    project.write("flow.yaml", "version: 1\nname: flow\nstep: []\n")
    found = look("flow.yaml")
    assert found.code == 3
    assert found.one("workflows", "flow.yaml")["help"] == "`bridge-run check flow.yaml` shows all that is wrong with it"


def test_a_missing_model_gives_4(project: Project, simulate: Simulate, look: Checks):
    simulate()
    project.write("flow.yaml", workflow({}, model="llama-4"))
    found = look("flow.yaml")
    assert found.code == 4
    assert found.one("workflows", "flow.yaml")["text"].startswith("BR301: ")


def test_a_server_that_does_not_start_gives_5_and_what_it_wrote(project: Project, simulate: Simulate, look: Checks):
    simulate()
    servers = {
        "odd": {"command": sys.executable, "args": [str(ODD), "exit"], "env": {"KEY": "{{ secrets.API_TOKEN }}"}}
    }
    data = {"version": 1, "name": "flow", "secrets": ["API_TOKEN"], "mcp_servers": servers}
    data["steps"] = [{"id": "ask", "task": "Ask.", "mcp_servers": ["odd"]}]
    project.write("flow.yaml", data)
    found = look("flow.yaml", API_TOKEN="hush-hush-hush")
    assert found.code == 5
    check = found.one("tool servers", "odd")
    assert check["health"] == "problem"
    assert "API_KEY is missing" in check["detail"]
    assert "hush" not in json.dumps(found.checks)


def test_a_server_that_says_nothing_is_given_up(project: Project, simulate: Simulate, look: Checks):
    simulate()
    servers = {"odd": {"command": sys.executable, "args": [str(ODD), "silent"], "start_timeout": "500ms"}}
    project.write("flow.yaml", workflow(servers))
    found = look("flow.yaml")
    assert found.code == 5
    assert found.one("tool servers", "odd")["health"] == "problem"


def test_a_missing_command_gives_4(project: Project, simulate: Simulate, look: Checks):
    simulate()
    project.write("flow.yaml", workflow({"gone": {"command": "mcp-server-gone"}}))
    found = look("flow.yaml")
    assert found.code == 4
    assert found.one("tool servers", "gone")["text"] == "the command `mcp-server-gone` is not there (flow.yaml)"


def test_a_tool_that_is_not_offered_is_a_problem_of_its_file(project: Project, simulate: Simulate, look: Checks):
    simulate()
    servers = {"clock": {"command": python_server("mcp-server-time")}}
    project.write("flow.yaml", workflow(servers, tools=["clock.get_curent_time"]))
    found = look("flow.yaml")
    assert found.code == 4
    check = found.one("workflows", "flow.yaml")
    assert check["text"] == "BR402: server `clock` offers no tool `get_curent_time`"
    assert check["help"] == "did you mean `get_current_time`?"


def test_equal_servers_of_several_files_are_started_once(project: Project, simulate: Simulate, look: Checks):
    simulate()
    for name in ("a", "b"):
        project.write(f"workflows/{name}.yaml", workflow({"clock": {"command": python_server("mcp-server-time")}}))
    (clock,) = [check for check in look().checks if check["group"] == "tool servers"]
    assert clock["facts"]["files"] == ["workflows/a.yaml", "workflows/b.yaml"]


def test_git_is_looked_for_only_if_a_server_needs_it(
    project: Project, simulate: Simulate, look: Checks, tmp_path: Path
):
    simulate()
    script = tmp_path / "mcp-git-tool"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    project.write("flow.yaml", workflow({"repo": {"command": str(script)}}))
    found = look("flow.yaml", PATH="/nowhere")
    git = found.one("tool servers", "git")
    assert (git["health"], git["text"]) == ("problem", "not on PATH, and needed by `repo`")
    project.write("flow.yaml", workflow({"files": {"builtin": "files"}}))
    assert look("flow.yaml", PATH="/nowhere").all("tool servers", "git") == []


def test_ctrl_c_waits_for_each_server_to_end(project: Project, simulate: Simulate):
    """Not only for the first of them: what the loop still waited for was told on stderr by asyncio."""
    simulate()
    project.write("slow.sh", "trap 'sleep 0.3; echo bye > bye; exit' TERM\ntouch up\nwhile :; do sleep 0.1; done\n")
    servers = {"quick": {"command": "cat"}, "slow": {"command": "sh", "args": ["slow.sh"]}}
    project.write("flow.yaml", workflow(servers))
    process = project.start("doctor", "flow.yaml")
    wait_until(lambda: (project.folder / "up").exists(), "the server runs")
    interrupt(process, signal.SIGINT)
    ended = project.ended(process)
    assert (ended.code, ended.out, ended.err.strip()) == (130, "", "interrupted")
    assert (project.folder / "bye").read_text("utf-8") == "bye\n"


def test_ctrl_c_ends_it_and_what_it_started(project: Project, simulate: Simulate):
    simulate()
    mark = f"mark-{project.folder.name}"
    servers = {"odd": {"command": sys.executable, "args": [str(ODD), "silent", mark]}}
    project.write("flow.yaml", workflow(servers))
    process = project.start("doctor", "flow.yaml")
    wait_until(lambda: bool(processes_with(mark)), "the server runs")
    interrupt(process, signal.SIGINT)
    ended = project.ended(process)
    assert (ended.code, ended.out, ended.err.strip()) == (130, "", "interrupted")
    wait_until(lambda: not processes_with(mark), "the server is gone")


# Usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.yaml",), "there is no file `nowhere.yaml`"),
        (("--endpoint", "http://"), "is not the address of a server"),
        (("--simulate", "nowhere.sim.yaml"), "there is no file `nowhere.sim.yaml`"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(project: Project, arguments, message):
    ended = project.run("doctor", *arguments)
    assert ended.code == 2
    assert message in ended.err


@contextmanager
def silent_server() -> Iterator[str]:
    """It takes every request and answers none until the block is left."""
    over = threading.Event()

    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            over.wait(60)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the test's own output stays readable."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
