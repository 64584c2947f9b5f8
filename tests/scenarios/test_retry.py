"""Scenarios of retry: what passes is asked again, what does not is told at once, and no effect happens twice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from kit.scene import Scene, loaded, servers

from runner.words.errors import LLMAuthenticationError, LLMError, LLMRateLimitError, LLMValidationError


@pytest.mark.parametrize(
    "fault", ["status-429", "status-500", "status-503", "cut-mid-line", "html-page", "empty-answer"]
)
def test_what_passes_is_asked_again(scene: Scene, fault: str) -> None:
    scene.studio({"small/one": loaded()}, faults=[fault])
    assert scene.do().text == "Hi."
    assert len(scene.heard()) == 2


def test_what_fails_three_times_is_told_as_it_failed(scene: Scene) -> None:
    scene.studio({"small/one": loaded()}, faults=[{"name": "status-500", "on": "every"}])
    with pytest.raises(LLMError) as failed:
        scene.do()
    assert failed.value.kind == "server"
    assert failed.value.retryable
    assert len(scene.heard()) == 3


def test_a_server_that_stays_busy_is_told_as_such(scene: Scene) -> None:
    scene.studio({"small/one": loaded()}, faults=[{"name": "status-429", "on": "every"}])
    with pytest.raises(LLMError) as busy:
        scene.do()
    assert (busy.value.kind, busy.value.retryable) == ("rate_limit", True)
    assert isinstance(busy.value, LLMRateLimitError)
    assert len(scene.heard()) == 3


@pytest.mark.parametrize(
    ("status", "error"), [(400, LLMValidationError), (401, LLMAuthenticationError), (403, LLMAuthenticationError)]
)
def test_what_will_not_pass_is_asked_once(scene: Scene, status: int, error: type[LLMError]) -> None:
    scene.studio({"small/one": loaded({"fault": {"error": {"status": status, "body": "no"}}})})
    with pytest.raises(error) as failed:
        scene.do()
    assert not failed.value.retryable
    assert len(scene.heard()) == 1


def test_a_call_that_may_have_changed_something_is_not_made_twice(scene: Scene) -> None:
    """The conversation goes on where it was: the model is asked again, the tool is not called again."""
    scene.studio(
        {
            "small/one": loaded(
                {"when": {"turn": 1}, "call": [{"tool": "odd__echo", "arguments": {}}]},
                {"fault": {"error": {"status": 500, "body": "oops"}}, "times": 1},
                {"say": "Once."},
            )
        }
    )
    given = servers(odd={"command": sys.executable, "args": [str(_tallying()), "tally"]})
    end = scene.do(servers=given)
    assert (end.text, end.tool_calls) == ("Once.", 1)
    assert Path("tally").read_text("utf-8") == "called\n"


def _tallying() -> Path:
    """An MCP server whose one tool writes a line each time it is called."""
    path = Path("tallying.py").absolute()
    path.write_text(
        """
import json, sys
from pathlib import Path
TOOL = {"name": "echo", "description": "Changes something.", "inputSchema": {"type": "object", "properties": {}}}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    method, reply = asked["method"], {"jsonrpc": "2.0", "id": asked["id"]}
    if method == "initialize":
        reply["result"] = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                           "serverInfo": {"name": "tally", "version": "1"}}
    elif method == "tools/list":
        reply["result"] = {"tools": [TOOL]}
    elif method == "tools/call":
        with Path(sys.argv[1]).open("a") as file:
            file.write("called\\n")
        reply["result"] = {"content": [{"type": "text", "text": "done"}]}
    else:
        reply["error"] = {"code": -32601, "message": "no such method"}
    print(json.dumps(reply), flush=True)
""",
        encoding="utf-8",
    )
    return path
