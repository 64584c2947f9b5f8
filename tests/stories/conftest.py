"""Fixtures of the stories: a fresh project, and a simulator beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kit.project import Project
from kit.simulator import simulator
from kit.stage import Stage

CODER = "qwen/qwen3-coder-30b"
Turns = list[dict[str, Any]]


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest, measurement: Mapping[str, str]) -> Iterator[Project]:
    """An empty project; no server is reachable from it unless ``serve`` is used.

    Its commands count for the coverage, unless the test is marked ``unmeasured``: coverage writes a file at the end.
    """
    project = Project(tmp_path)
    if request.node.get_closest_marker("unmeasured") is None:
        project.environment.update(measurement)
    yield project
    project.close()


@pytest.fixture
def serve(project: Project) -> Iterator[Callable[..., str]]:
    """``serve(turns)`` starts a simulator with one loaded model that says these turns; gives its address."""
    with ExitStack() as stack:

        def start(turns: Turns | None = None, **model: Any) -> str:
            script: Mapping[str, Any] = {
                "models": {CODER: {"loaded": True, "tool_use": True, "max_context_length": 32768, **model}}
            }
            if turns is not None:
                script["models"][CODER]["turns"] = turns
            url = stack.enter_context(simulator(script))
            project.environment["BRIDGE_RUN_ENDPOINT"] = url
            return url

        yield start


@pytest.fixture
def stage(project: Project) -> Iterator[Stage]:
    """Simulators beside the project, as many as the story needs."""
    with Stage(project) as stage:
        yield stage
