"""Model servers as a story needs them: simulators beside a project, with what was asked of each and what is loaded."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kit.project import Ended, Project
from kit.simulator import simulator

CODER = "qwen/qwen3-coder-30b"
THINKER = "mistralai/magistral-small-2509"
HEAD = "version: 1\nname: ask\ndefaults: {retry: {attempts: 3, wait: 1ms, max_wait: 2ms}}\n"
CHAT = "/v1/chat/completions"
LOAD = "/api/v1/models/load"
UNLOAD = "/api/v1/models/unload"


def model(says: str = "Hello.", **facts: Any) -> dict[str, Any]:
    """A downloaded model of 20 GB, not loaded, that says this to everybody."""
    return {"size": "20GB", "max_context_length": 32768, "turns": [{"say": says}], **facts}


def flow(*steps: str, head: str = "") -> str:
    """A workflow of steps in YAML's flow style: ``{id: a, task: Hi.}``."""
    return HEAD + head + "steps:\n" + "".join(f"  - {step}\n" for step in steps)


@dataclass(frozen=True, slots=True)
class Served:
    """A running simulator."""

    url: str
    log: Path

    def requests(self, path: str) -> list[dict[str, Any]]:
        """The bodies of the finished requests to ``path``, in the order in which they were finished."""
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        return [entry["request"] for line in lines if (entry := json.loads(line))["path"] == path]

    def loaded(self) -> dict[str, int]:
        """The ids of what is loaded, each with its context in tokens."""
        with urllib.request.urlopen(f"{self.url}/api/v1/models", timeout=10) as answer:
            models = json.load(answer)["models"]
        return {one["id"]: one["config"]["context_length"] for each in models for one in each["loaded_instances"]}


class Stage:
    """``with Stage(project) as stage: stage.serve({CODER: model()})``."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._stack = ExitStack()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def serve(self, models: Mapping[str, Any], **settings: Any) -> Served:
        """Start a simulator with these models; the last one started is the project's endpoint."""
        self._count += 1
        log = self._project.folder / f".server-{self._count}.log"
        url = self._stack.enter_context(simulator({"models": models, "settings": settings}, log=log))
        self._project.environment["BRIDGE_RUN_ENDPOINT"] = url
        return Served(url, log)

    def configure(self, *tables: str) -> None:
        """Write ``bridge.toml`` with these tables, and let nothing in the environment name a server."""
        self._project.write("bridge.toml", "\n".join(tables))
        self._project.environment.pop("BRIDGE_RUN_ENDPOINT", None)


def endpoint(name: str, url: str, **more: str) -> str:
    """The table of one endpoint for ``bridge.toml``."""
    return "\n".join([f"[endpoints.{name}]", *(f'{key} = "{value}"' for key, value in {"url": url, **more}.items())])


def happened(project: Project, kind: str) -> bool:
    """Whether the journal of the newest run has an entry of this type yet."""
    journals = [run / "journal.jsonl" for run in project.runs()]
    text = journals[-1].read_text("utf-8") if journals and journals[-1].exists() else ""
    return f'"type":"{kind}"' in text.replace(" ", "")


def of_the_run(ended: Ended) -> str:
    """The lines that speak of the run as a whole; those of steps at once come in any order."""
    return "\n".join(line.partition("run ")[2].strip() for line in ended.err.splitlines() if "  run  " in line)
