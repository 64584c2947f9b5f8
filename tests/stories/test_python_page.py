"""The page on Python: every program on it is run, and prints what the page says."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.project import Project
from kit.servers import python_server
from kit.simulator import simulator

import runner
from runner.app.api.api import start

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
TEXT = PAGE.read_text("utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
(HELLO,) = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
CALL = {"tool": "clock__get_current_time", "arguments": {"timezone": "Asia/Tokyo"}}
SCRIPT = {
    "models": {
        "qwen/qwen3-8b": {
            "loaded": {"context_length": 16384},
            "turns": [
                {"when": {"user": "The hour"}, "json": {"hour": 12}},
                {"when": {"turn": 1, "user": "Tokyo"}, "call": [CALL]},
                {"when": {"user": "Tokyo"}, "say": "It is late in Tokyo."},
                {"when": {"user": r"Greet (?P<who>\w+) in"}, "say": "Hello, {{ match.who }}!"},
                {"say": "I am a model."},
            ],
        }
    }
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    made.write("workflows/hello.yaml", HELLO)
    clock = {"command": python_server("mcp-server-time"), "args": ["--local-timezone", "UTC"]}
    servers = {"clock": clock, "git": {"command": python_server("mcp-server-git")}}
    made.write("mcp.json", json.dumps({"mcpServers": servers}))
    with simulator(SCRIPT) as url:
        made.environment["BRIDGE_RUN_ENDPOINT"] = url
        yield made


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_programs_of_the_page_print_what_it_says(number: int, project: Project) -> None:
    program, wanted = PROGRAMS[number]
    path = project.write("program.py", program)
    done = subprocess.run(
        [sys.executable, path],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (wanted, "", 0)


def test_every_program_of_the_page_is_run() -> None:
    assert len(PROGRAMS) == len(re.findall(r"^```python", TEXT, re.MULTILINE)) == 6


def test_the_page_names_every_option_and_field() -> None:
    def rows(header: str) -> set[str]:
        table = TEXT.split(f"\n| {header} |", 1)[1].split("\n\n", 1)[0]
        firsts = (line.split("|")[1] for line in table.splitlines()[2:])
        return {name for first in firsts for name in re.findall(r"`(\w+)`", first)}

    options = set(inspect.signature(runner.run).parameters)
    assert rows("option") == options - {"file", "inputs"}
    assert set(inspect.signature(start).parameters) == options - {"on_event"}
    assert inspect.signature(runner.run_sync).parameters.keys() == options
    arguments = set(inspect.signature(runner.Bridge.autonomous_discover_and_execute).parameters)
    assert rows("argument") == arguments - {"self", "task"}
    assert rows("`Run` |") == set(runner.Run.__dataclass_fields__) - {"workflow", "file", "changes"} | {"ok"}
    fields = runner.TaskEnd.__dataclass_fields__
    told = TEXT.split("A `TaskEnd` has", 1)[1].split("\n\n", 1)[0]
    assert set(fields) <= set(re.findall(r"`(\w+)`", told))


def test_every_public_name_is_on_the_page() -> None:
    models = (PAGE.parent / "models.md").read_text("utf-8")
    missing = [name for name in runner.__all__ if f"`{name}`" not in TEXT + models]
    assert missing == ["__version__"]
