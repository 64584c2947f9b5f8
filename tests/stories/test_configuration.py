"""``bridge.toml`` on the whole command line: servers by name, the default model, tokens, faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from kit.project import Project
from kit.simulator import simulator
from syrupy.assertion import SnapshotAssertion

Server = Callable[..., str]

FLOW = """\
version: 1
name: greet
models:
  near: {id: shared/model, endpoint: box}
steps:
  - id: plain
    task: Greet.
  - id: bound
    model: near
    task: Greet.
"""


@pytest.fixture
def server(project: Project) -> Iterator[Server]:
    """``server("shared/model", "other")``: a simulator that has these models, none of them loaded; its address."""
    with ExitStack() as stack:

        def start(*models: str, **settings: Any) -> str:
            del project.environment["BRIDGE_RUN_ENDPOINT"]
            script: dict[str, Any] = {"models": {key: {"turns": [{"say": "Hello."}]} for key in models}, **settings}
            url = stack.enter_context(simulator(script))
            project.environment = {**project.environment, "BRIDGE_RUN_ENDPOINT": ""}
            return url

        yield start


def configure(project: Project, **urls: str) -> None:
    tables = "".join(f'\n[endpoints.{name}]\nurl = "{url}"\n' for name, url in urls.items())
    project.write("bridge.toml", 'default_model = "only/desk"\n' + tables)


def test_a_run_takes_servers_and_the_default_model_from_the_configuration(project: Project, server: Server) -> None:
    configure(project, desk=server("only/desk", "shared/model"), box=server("shared/model"))
    project.write("greet.yaml", FLOW)
    ended = project.run("greet.yaml", "--output", "json")
    assert ended.code == 0, ended.raw_err
    result = project.result()
    assert {name: step["model"] for name, step in result["steps"].items()} == {
        "plain": "only/desk",
        "bound": "shared/model",
    }


def test_a_name_in_place_of_an_address(project: Project, server: Server, snapshot: SnapshotAssertion) -> None:
    configure(project, desk=server("only/desk", "shared/model"), box=server("shared/model"))
    project.write("greet.yaml", FLOW)
    assert str(project.run("greet.yaml", "--dry-run", "--endpoint", "desk")) == snapshot
    assert str(project.run("greet.yaml", "--dry-run", "--endpoint", "desc")) == snapshot


def test_a_server_that_is_down_is_said_beside_the_model_that_is_bound_to_it(
    project: Project, server: Server, snapshot: SnapshotAssertion
) -> None:
    configure(project, desk=server("only/desk", "shared/model"), box="http://127.0.0.1:9")
    project.write("greet.yaml", FLOW)
    assert str(project.run("check", "greet.yaml")) == snapshot


def test_a_token_that_is_not_set_is_a_warning(project: Project, server: Server, snapshot: SnapshotAssertion) -> None:
    url = server("only/desk")
    project.write("bridge.toml", f'[endpoints.desk]\nurl = "{url}"\ntoken_env = "DESK_TOKEN"\n')
    project.write("greet.yaml", "version: 1\nname: w\nsteps:\n  - {id: a, model: only/desk, task: Greet.}\n")
    assert str(project.run("check", "greet.yaml")) == snapshot
    assert project.run("check", "greet.yaml", "--strict").code == 3
    assert project.run("check", "greet.yaml", "--strict", env={"DESK_TOKEN": "t"}).code == 0


def test_the_token_of_a_server_is_masked_wherever_it_turns_up(project: Project, server: Server) -> None:
    url = server("only/desk", settings={"token": "tok-of-the-desk"})
    project.write("bridge.toml", f'[endpoints.desk]\nurl = "{url}"\ntoken_env = "DESK_TOKEN"\n')
    project.write(
        "greet.yaml",
        "version: 1\nname: w\nsteps:\n  - {id: a, model: only/desk, task: Greet.}\n"
        "  - {id: b, run: [echo, tok-of-the-desk]}\n",
    )
    ended = project.run("greet.yaml", "--output", "json", env={"DESK_TOKEN": "tok-of-the-desk"})
    assert ended.code == 0, ended.raw_err
    assert "tok-of-the-desk" not in ended.raw_out + ended.raw_err
    assert project.result()["steps"]["b"]["output"] == "[secret DESK_TOKEN]"
    assert project.run("greet.yaml", env={"LM_API_TOKEN": "tok-of-the-desk"}).code == 5


def test_a_configuration_with_faults(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("greet.yaml", FLOW)
    project.write("bridge.toml", '[endpoints.box]\nadress = "box"\nmemory = 24\ntoken = "sk-1234"\n')
    assert str(project.run("greet.yaml")) == snapshot
    assert str(project.run("check", "greet.yaml", "--config", "gone.toml")) == snapshot
    project.write("bridge.toml", "[endpoints.box]\nurl = box\n")
    assert str(project.run("check", "greet.yaml")) == snapshot
