"""``bridge-run models``: what the servers have, who uses it, and how it comes into memory and out again."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from kit.project import BRIDGE_RUN, Project, interrupt
from kit.simulator import simulator
from kit.tiny_gguf import write_model
from syrupy.assertion import SnapshotAssertion

CODER, THINKER, EMBED = "qwen/qwen3-coder-30b", "mistralai/magistral-small-2509", "text-embedding-nomic-embed-text-v1.5"
MODELS: Mapping[str, Any] = {
    CODER: {"loaded": {"context_length": 8192}, "tool_use": True, "max_context_length": 262144, "size": "18GB"},
    THINKER: {"max_context_length": 131072, "size": "14GB"},
    EMBED: {"type": "embedding", "loaded": True, "size": "80MB"},
}
REVIEW = """version: 1
name: review
inputs: {model: {type: string}}
models:
  coder: {id: QWEN/qwen3-coder-30b, fallback: [mistralai/magistral-small-2509]}
steps:
  - {id: look, model: coder, task: Look.}
  - {id: judge, model: coder, task: Judge.}
  - {id: sum_up, model: llama-4-scout, task: Sum up.}
  - {id: open, model: "{{ inputs.model }}", task: Open.}
"""
TALK = "version: 1\nname: talk\nsteps:\n  - {id: talk, task: Talk.}\n"

Simulate = Callable[..., str]


@pytest.fixture
def simulate(project: Project) -> Iterator[Simulate]:
    """``simulate(models, **settings)`` starts a simulator; the last one started is the project's endpoint."""
    with ExitStack() as stack:

        def start(models: Mapping[str, Any] = MODELS, **settings: Any) -> str:
            url = stack.enter_context(simulator({"models": models, "settings": settings}))
            project.environment["BRIDGE_RUN_ENDPOINT"] = url
            return url

        yield start


def listed(project: Project) -> dict[str, dict[str, Any]]:
    """The models of the first server, by key, as machines see them."""
    ended = project.run("models", "--json")
    assert ended.code == 0, ended.err
    return {model["key"]: model for model in json.loads(ended.raw_out)["endpoints"][0]["models"]}


def instances(project: Project, key: str) -> list[tuple[str, int]]:
    return [(one["id"], one["context_length"]) for one in listed(project)[key]["instances"]]


# ls and show


def test_every_model_is_listed_with_who_uses_it(project: Project, simulate: Simulate, snapshot: SnapshotAssertion):
    simulate()
    project.write("workflows/review.yaml", REVIEW)
    project.write("workflows/talk.yaml", TALK)
    project.write("workflows/broken.yaml", "version: 1\nname: broken\n")
    assert str(project.run("models")) == snapshot


def test_machines_get_the_same(project: Project, simulate: Simulate):
    url = simulate()
    project.write("flows/review.yaml", REVIEW)
    ended = project.run("models", "ls", "--json", "--workflows", "flows")
    data = json.loads(ended.raw_out)
    (server,) = data["endpoints"]
    coder = server["models"][0]
    assert (server["endpoint"], server["flavour"], server["manages"]) == (url, "lmstudio-v1", True)
    assert (coder["key"], coder["size_bytes"], coder["tool_use"]) == (CODER, 18 * 1024**3, True)
    assert coder["instances"][0]["context_length"] == 8192
    assert coder["used_by"] == [{"file": "flows/review.yaml", "steps": ["look", "judge"], "fallback": False}]
    assert server["models"][1]["used_by"] == [
        {"file": "flows/review.yaml", "steps": ["look", "judge"], "fallback": True}
    ]
    assert data["missing"] == [
        {
            "model": "llama-4-scout",
            "used_by": [{"file": "flows/review.yaml", "steps": ["sum_up"], "fallback": False}],
        }
    ]
    assert data["failures"] == []


def test_one_model_is_shown_with_all_that_is_known(project: Project, simulate: Simulate, snapshot: SnapshotAssertion):
    simulate()
    project.write("workflows/review.yaml", REVIEW)
    assert str(project.run("models", "show", CODER.upper())) == snapshot


def test_a_model_that_is_not_there_is_told_with_a_near_one(
    project: Project, simulate: Simulate, snapshot: SnapshotAssertion
):
    simulate()
    assert str(project.run("models", "show", "qwen3-coder-30b")) == snapshot


def test_without_a_server_the_ways_out_are_named(project: Project):
    ended = project.run("models")
    assert ended.code == 5
    assert "no connection to http://127.0.0.1:PORT: refused, nothing listens there" in ended.err


def test_a_dead_server_beside_a_living_one_is_a_warning(project: Project, simulate: Simulate):
    url = simulate()
    ended = project.run("models", "--endpoint", url, "--endpoint", "127.0.0.1:9")
    assert ended.code == 0
    assert ended.err.startswith("warning: no connection to http://127.0.0.1:PORT")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lod", CODER), "there is no `models lod`; did you mean `load`?"),
        ((CODER,), f"there is no `models {CODER}`; `bridge-run models show {CODER}` shows a model"),
        (("unload",), "name a model, or say `--all`"),
        (("unload", CODER, "--all"), "`--all` takes no name"),
        (("unload", "--all", "--exact"), "`--exact` needs the id of a copy"),
        (("load", CODER, "--context-length", "0"), "Invalid value for '--context-length': 0 is not in the range x>=1."),
        (("ls", "--workflows", "nowhere"), "there is no file `nowhere`"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(project: Project, simulate: Simulate, arguments, message):
    simulate()
    ended = project.run("models", *arguments)
    assert ended.code == 2
    assert message in ended.err


# load


def test_a_model_is_loaded_as_asked_and_what_came_is_said(
    project: Project, simulate: Simulate, snapshot: SnapshotAssertion
):
    simulate({THINKER: {**MODELS[THINKER], "load_time": "300ms"}})
    assert str(project.run("models", "load", THINKER, "--context-length", "32768")) == snapshot
    assert instances(project, THINKER) == [(THINKER, 32768)]


def test_a_loaded_copy_that_is_good_enough_is_left_as_it_is(project: Project, simulate: Simulate):
    simulate()
    ended = project.run("models", "load", CODER, "--context-length", "8000")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"`{CODER}` is loaded already, as `{CODER}`: 8,192 tokens, 4 at once (they share them)\n"
    assert instances(project, CODER) == [(CODER, 8192)]


def test_a_copy_that_is_not_good_enough_gets_another_beside_it(project: Project, simulate: Simulate):
    simulate()
    ended = project.run("models", "load", CODER, "--context-length", "16384")
    assert ended.code == 0
    assert ended.err.startswith(
        f"`{CODER}` is loaded, but its context is 8,192 tokens, not 16,384; another copy is loaded beside it\n"
    )
    assert instances(project, CODER) == [(CODER, 8192), (f"{CODER}:2", 16384)]


def test_an_engine_that_gives_another_context_is_told_on(project: Project, simulate: Simulate):
    simulate({THINKER: {**MODELS[THINKER], "fitted_context": 4096}})
    ended = project.run("models", "load", THINKER, "--context-length", "32768")
    assert ended.code == 0
    assert "warning: the server loaded it otherwise than asked: its context is 4,096 tokens, not 32,768" in ended.err


def test_a_model_that_does_not_fit_is_refused_with_what_would_help(project: Project, simulate: Simulate):
    simulate({THINKER: MODELS[THINKER]}, memory="8GB")
    ended = project.run("models", "load", THINKER)
    assert ended.code == 4
    assert "  = help: " in ended.err
    assert instances(project, THINKER) == []


def test_an_interrupted_load_may_go_on_at_the_server_and_it_says_so(project: Project, simulate: Simulate):
    simulate({THINKER: {**MODELS[THINKER], "load_time": "30s"}})
    process = project.start("models", "load", THINKER)
    assert process.stderr is not None
    assert process.stderr.readline().startswith(f"loading `{THINKER}`")
    interrupt(process)
    ended = project.ended(process)
    assert ended.code == 130
    assert ended.err.split("\n")[0] == (
        f"the server may go on loading `{THINKER}`; `bridge-run models ls` shows it then"
    )


def test_a_server_of_our_own_keeps_nothing_loaded(project: Project):
    file = write_model(project.folder / "own.gguf")
    ended = project.run("models", "load", "own", "--endpoint", f"embedded:{file}")
    assert ended.code == 4
    assert "is started for each command and ends with it: nothing stays loaded there" in ended.err


# unload


def test_a_model_is_unloaded_by_its_key_or_by_the_id_of_a_copy(project: Project, simulate: Simulate):
    simulate()
    project.run("models", "load", CODER, "--context-length", "16384")
    ended = project.run("models", "unload", f"{CODER}:2")
    assert (ended.code, ended.out) == (0, f"`{CODER}:2` is unloaded from http://127.0.0.1:PORT\n")
    ended = project.run("models", "unload", CODER)
    assert (ended.code, ended.out) == (0, f"`{CODER}` is unloaded from http://127.0.0.1:PORT\n")
    ended = project.run("models", "unload", CODER)
    assert (ended.code, ended.out) == (0, f"`{CODER}` is not loaded; nothing to do\n")
    assert project.run("models", "unload", "llama-4").code == 4


def test_all_are_unloaded_at_once(project: Project, simulate: Simulate):
    simulate()
    ended = project.run("models", "unload", "--all")
    assert ended.code == 0
    assert [model["instances"] for model in listed(project).values()] == [[], [], []]
    assert project.run("models", "unload", "--all").out == "nothing is loaded that could be unloaded\n"


def test_of_several_copies_nobody_is_unloaded_without_a_choice(
    project: Project, simulate: Simulate, snapshot: SnapshotAssertion
):
    simulate()
    project.run("models", "load", CODER, "--context-length", "16384")
    assert str(project.run("models", "unload", CODER)) == snapshot
    assert len(instances(project, CODER)) == 2
    assert project.run("models", "unload", "--exact", CODER).code == 0
    assert instances(project, CODER) == [(f"{CODER}:2", 16384)]


def test_at_a_terminal_it_asks_which_copy(project: Project, simulate: Simulate):
    simulate()
    project.run("models", "load", CODER, "--context-length", "16384")
    screen, code = at_terminal(project, ("models", "unload", CODER), answer=f"{CODER}:2\n", after="Which one?")
    assert code == 0, screen
    assert instances(project, CODER) == [(CODER, 8192)]


# get


def test_a_model_is_downloaded_and_the_progress_told(project: Project, simulate: Simulate):
    simulate(downloadable={"ibm/granite-4-micro": "2MB"}, download_speed="1MB")
    ended = project.run("models", "get", "ibm/granite-4-micro")
    assert (ended.code, ended.out) == (0, "`ibm/granite-4-micro` is downloaded, 2.0 MB, in 0.0s\n")
    assert re.match(r"ibm/granite-4-micro downloading 0 B of 2\.0 MB 0 %", ended.raw_err)
    assert project.run("models", "get", "ibm/granite-4-micro").out == "`ibm/granite-4-micro` is there already\n"


def test_on_a_terminal_the_progress_is_one_line_written_over(project: Project, simulate: Simulate):
    simulate(downloadable={"ibm/granite-4-micro": "3MB"}, download_speed="1MB")
    screen, code = at_terminal(project, ("models", "get", "ibm/granite-4-micro"))
    assert code == 0
    assert re.search(r"\r\x1b\[Kibm/granite-4-micro downloading \S+ MB of 3\.0 MB \d+ % .*/s \S+ left", screen)
    assert screen.count("\n") == 1


def test_an_interrupted_download_goes_on_at_the_server_and_it_says_so(project: Project, simulate: Simulate):
    simulate(downloadable={"ibm/granite-4-micro": "900MB"}, download_speed="1MB")
    process = project.start("models", "get", "ibm/granite-4-micro")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("ibm/granite-4-micro downloading")
    interrupt(process)
    ended = project.ended(process)
    assert ended.code == 130
    assert ended.err == (
        "interrupted; if the download had begun, the server goes on with it: "
        "`bridge-run models get ibm/granite-4-micro` watches it again\n"
    )


def test_what_nobody_offers_cannot_be_downloaded(project: Project, simulate: Simulate):
    simulate()
    ended = project.run("models", "get", "ibm/granite-4-micro")
    assert ended.code == 4
    assert "finds no model `ibm/granite-4-micro` to download" in ended.err


def test_an_old_server_says_that_it_cannot_be_told(project: Project, simulate: Simulate):
    simulate(version="0.3.30")
    assert "loaded" in project.run("models").out
    for verb in ("load", "unload", "get"):
        ended = project.run("models", verb, THINKER if verb != "unload" else CODER)
        assert (verb, ended.code) == (verb, 4)
        assert "cannot be told to" in ended.err or "no server here can be told" in ended.err


def at_terminal(
    project: Project, arguments: tuple[str, ...], *, answer: str = "", after: str = ""
) -> tuple[str, int | None]:
    """What a person at a terminal sees, and the exit code; ``answer`` is typed once ``after`` is on the screen."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(project.folder)
        os.execve(BRIDGE_RUN, [BRIDGE_RUN, *arguments], {**project.environment, "TERM": "xterm"})
    screen, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 0.2)[0]:
            continue
        try:
            some = os.read(master, 4096)
        except OSError:
            break
        if not some:
            break
        screen += some
        if answer and after.encode() in screen:
            os.write(master, answer.encode())
            answer = ""
    else:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(master)
    return screen.decode(), os.waitstatus_to_exitcode(status)
