"""What is outside and is not there, is something else, refuses, or goes away: model servers and their models."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from kit.leftover import assert_closed, events
from kit.project import Project, wait_until
from kit.simulator import simulator
from syrupy.assertion import SnapshotAssertion

Simulate = Callable[[Mapping[str, Any]], str]
CODER = "qwen/qwen3-coder-30b"
THINKER = "mistralai/magistral-small-2509"
HELLO = [{"say": "Hello."}]
ASK = """version: 1
name: ask
defaults: {retry: {attempts: 3, wait: 1ms, max_wait: 2ms}}
steps:
  - id: answer
    task: Say something.
"""


def ask(model: str) -> str:
    return f"{ASK}    model: {model}\n"


def loaded(**facts: Any) -> dict[str, Any]:
    return {"loaded": True, "turns": HELLO, **facts}


@pytest.fixture
def simulate(project: Project) -> Iterator[Simulate]:
    """``simulate(script)`` starts a simulator; the last one started is the project's endpoint."""
    with ExitStack() as stack:

        def start(script: Mapping[str, Any]) -> str:
            url = stack.enter_context(simulator(script))
            project.environment["BRIDGE_RUN_ENDPOINT"] = url
            return url

        yield start


@contextmanager
def website(status: int, body: str) -> Iterator[str]:
    """A server that is no LM Studio: the same page for everything."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the test's own output stays readable."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# Before the run


def test_nobody_at_the_address(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("ask.yaml", ASK)
    assert str(project.run("ask.yaml")) == snapshot
    assert not project.runs()


def test_nobody_at_several_addresses(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", "--endpoint", "127.0.0.1:9", "--endpoint", "http://127.0.0.1:11/v1")
    assert str(ended) == snapshot


def test_a_machine_that_does_not_exist(project: Project) -> None:
    """What follows the address are the words of the system, which differ."""
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", "--endpoint", "http://studio.invalid:1234")
    assert ended.code == 5
    assert "BR310 no connection to http://studio.invalid:1234: " in ended.err
    assert not project.runs()


def test_an_address_that_makes_no_sense(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("ask.yaml", ASK)
    assert str(project.run("ask.yaml", "--endpoint", "ftp://studio:1234")) == snapshot


@pytest.mark.parametrize("status", [200, 404, 502])
def test_a_server_that_is_not_lm_studio(project: Project, snapshot: SnapshotAssertion, status: int) -> None:
    project.write("ask.yaml", ASK)
    with website(status, "<!doctype html><title>My router</title><p>Please log in.") as url:
        ended = project.run("ask.yaml", "--endpoint", url)
    assert str(ended) == snapshot


def test_a_token_that_is_missing(project: Project, simulate: Simulate, snapshot: SnapshotAssertion) -> None:
    simulate({"settings": {"token": "let-me-in"}, "models": {CODER: loaded()}})
    project.write("ask.yaml", ASK)
    assert str(project.run("ask.yaml")) == snapshot


def test_a_token_that_is_refused_and_one_that_is_not(
    project: Project, simulate: Simulate, snapshot: SnapshotAssertion
) -> None:
    simulate({"settings": {"token": "let-me-in"}, "models": {CODER: loaded()}})
    project.write("ask.yaml", ASK)
    refused = project.run("ask.yaml", env={"LM_API_TOKEN": "open-sesame"})
    assert str(refused) == snapshot
    assert "open-sesame" not in str(refused)
    taken = project.run("ask.yaml", env={"LM_API_TOKEN": "let-me-in"})
    assert (taken.code, taken.out) == (0, "Hello.\n"), taken
    assert "let-me-in" not in (project.runs()[-1] / "journal.jsonl").read_text("utf-8")


# Models


def test_an_unknown_model(project: Project, simulate: Simulate, snapshot: SnapshotAssertion) -> None:
    simulate({"models": {CODER: loaded(), THINKER: {}, "google/gemma-3-1b": {}}})
    aliases = "models:\n  coder: qwen/qwen3-codr-30b\n"
    project.write("ask.yaml", ask("coder").replace("steps:", f"{aliases}steps:"))
    assert str(project.run("ask.yaml")) == snapshot
    assert not project.runs()


def test_a_model_that_only_embeds(project: Project, simulate: Simulate, snapshot: SnapshotAssertion) -> None:
    embedder = "text-embedding-nomic-embed-text-v1.5"
    simulate({"models": {embedder: {"type": "embedding", "loaded": True}, CODER: {}}})
    project.write("ask.yaml", ask(embedder))
    assert str(project.run("ask.yaml")) == snapshot


def test_no_model_at_all(project: Project, simulate: Simulate, snapshot: SnapshotAssertion) -> None:
    simulate({"models": {}})
    project.write("ask.yaml", ASK)
    assert str(project.run("ask.yaml")) == snapshot


def test_no_model_loaded_and_none_chosen(project: Project, simulate: Simulate, snapshot: SnapshotAssertion) -> None:
    simulate({"models": {CODER: {"turns": HELLO}, THINKER: {}}})
    project.write("ask.yaml", ASK)
    assert str(project.run("ask.yaml")) == snapshot


def test_several_loaded_models_and_none_chosen(
    project: Project, simulate: Simulate, snapshot: SnapshotAssertion
) -> None:
    simulate({"models": {CODER: loaded(), THINKER: loaded()}})
    project.write("ask.yaml", ASK)
    assert str(project.run("ask.yaml")) == snapshot


def test_another_model_for_this_run(project: Project, simulate: Simulate, snapshot: SnapshotAssertion) -> None:
    simulate({"models": {CODER: loaded(), THINKER: loaded(turns=[{"say": "I think."}])}})
    project.write("ask.yaml", ASK)
    assert project.run("ask.yaml", "--model", THINKER).out == "I think.\n"
    aliases = f"models: {{coder: {CODER}}}\n"
    project.write("ask.yaml", ask("coder").replace("steps:", f"{aliases}steps:"))
    assert project.run("ask.yaml").out == "Hello.\n"
    assert project.run("ask.yaml", "--model", f"coder={THINKER}").out == "I think.\n"
    assert project.result()["steps"]["answer"]["model"] == THINKER
    assert str(project.run("ask.yaml", "--model", "codr=x")) == snapshot(name="an alias that is not there")
    assert str(project.run("ask.yaml", "--model", "coder=magistral-smal")) == snapshot(name="a model that is not there")


# Several servers


def test_one_server_is_down_and_the_other_is_up(
    project: Project, simulate: Simulate, snapshot: SnapshotAssertion
) -> None:
    url = simulate({"models": {CODER: loaded()}})
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", "--endpoint", "http://127.0.0.1:9", "--endpoint", url)
    assert str(ended) == snapshot
    assert_closed(project, "succeeded")


def test_each_model_is_asked_where_it_is(project: Project, simulate: Simulate) -> None:
    first = simulate({"models": {CODER: loaded()}})
    second = simulate({"models": {THINKER: loaded(turns=[{"say": "I think."}])}})
    steps = f"  - {{id: think, task: Think., model: {THINKER}}}\n"
    project.write("ask.yaml", ask(CODER) + steps)
    ended = project.run("ask.yaml", "--endpoint", first, "--endpoint", second)
    assert ended.code == 0, ended
    started = {e["step"]: (e["model"], e["endpoint"]) for e in events(project, "step_started")}
    assert started == {"answer": (CODER, first), "think": (THINKER, second)}


# In mid-run


def test_a_server_that_dies_between_plan_and_step(project: Project, snapshot: SnapshotAssertion) -> None:
    with simulator({"models": {CODER: loaded()}}) as url:
        project.environment["BRIDGE_RUN_ENDPOINT"] = url
        go = project.folder / "go"
        wait = ["sh", "-c", "touch here; while [ ! -e go ]; do sleep 0.02; done"]
        steps = f"  - {{id: first, run: {wait!r}}}\n"
        project.write("ask.yaml", ASK + "    needs: [first]\n" + steps)
        process = project.start("ask.yaml")
        wait_until((project.folder / "here").exists, "the first step runs")
    go.touch()
    ended = project.ended(process)
    assert str(ended) == snapshot
    assert_closed(project, "failed")
    assert project.result()["steps"]["answer"]["error"]["kind"] == "connection"
    assert project.result()["steps"]["answer"]["attempts"] == 3
