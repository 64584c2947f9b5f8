"""Every fault of the simulator against a workflow with tools and data: what becomes of it, told by its journal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.simulator import simulator

from runner.cli.main import exit_code_of
from runner.rehearse.simulator.fault import FAULTS
from runner.words.noun import noun

pytestmark = [pytest.mark.timeout(60)]

FLOW = """version: 1
name: mix
defaults: {model: qwen/qwen3-8b, retry: {attempts: 3, wait: 1ms, max_wait: 5ms}}
mcp_servers:
  files: {builtin: files, root: .}
steps:
  - id: look
    mcp_servers: [files]
    task: Read both notes and say what they are about.
    output: {type: object, required: [about], properties: {about: {type: string}}}
  - id: count
    task: "How many words? {{ steps.look.output.about }}"
    output: {type: object, required: [n], properties: {n: {type: integer}}}
"""
READ = [{"tool": "files__read", "arguments": {"path": name}} for name in ("a.txt", "b.txt")]
SCRIPT: dict[str, Any] = {
    "models": {
        "qwen/qwen3-8b": {
            "loaded": {"context_length": 32768},
            "tool_use": True,
            "max_context_length": 131072,
            "turns": [
                {"when": {"user": "How many words"}, "json": {"n": 3}},
                {"when": {"anywhere": "call Ada"}, "json": {"about": "milk and Ada"}},
                {"when": {"user": "Read both"}, "call": READ},
            ],
        }
    }
}
OUTPUTS = {"count": {"n": 3}}
PATIENCE = '[endpoints.here]\nurl = "URL"\nfirst_byte_timeout = "2500ms"\nidle_timeout = "200ms"\n'
"""More than the slow faults take."""


@noun
class Became:
    """How a run ended: exit code, outputs, the kind of its error, what the journal tells of in between, questions."""

    code: int
    outputs: dict[str, Any]
    kind: str | None
    message: str | None
    happened: tuple[str, ...]
    asked: int
    loaded: int


def run(folder: Path, script: dict[str, Any]) -> Became:
    for name, text in (("flow.yaml", FLOW), ("a.txt", "buy milk\n"), ("b.txt", "call Ada\n")):
        (folder / name).write_text(text, encoding="utf-8")
    log = folder.parent / f"{folder.name}.log"
    with simulator(script, log=log) as url:
        (folder / "bridge.toml").write_text(PATIENCE.replace("URL", url), encoding="utf-8")
        code = exit_code_of(["flow.yaml", "--quiet", "--config", "bridge.toml"])
    [place] = (folder / ".bridge/runs").iterdir()
    result = json.loads((place / "result.json").read_text("utf-8"))
    errors = [step["error"] for step in result["steps"].values() if step["error"]]
    paths = [json.loads(line)["path"] for line in log.read_text("utf-8").splitlines()]
    return Became(
        code=code,
        outputs=result["outputs"],
        kind=errors[0]["kind"] if errors else None,
        message=errors[0]["message"].replace(url, "URL") if errors else None,
        happened=tuple(dict.fromkeys(_told(place / "journal.jsonl"))),
        asked=paths.count("/v1/chat/completions"),
        loaded=paths.count("/api/v1/models/load"),
    )


def _told(journal: Path) -> Iterator[str]:
    for line in journal.read_text("utf-8").splitlines():
        entry = json.loads(line)
        match entry["type"]:
            case "step_retried":
                yield f"again after {entry['kind']}"
            case "model_loaded" if not entry.get("reused"):
                yield "loaded"
            case "model_load_failed":
                yield f"no load: {entry['kind']}"
            case "answer_refused":
                yield f"refused: {entry['kind']}"
            case "request_degraded":
                yield entry["form"]
            case "model_answered" if entry.get("recovered"):
                yield f"recovered {entry['recovered']}"
            case "model_answered" if entry.get("looped"):
                yield "stopped"


def once(*happened: str, asked: int = 3, loaded: int = 0) -> Became:
    """It was survived. Without a fault it takes three questions: the calls, and an answer of each step."""
    return Became(code=0, outputs=OUTPUTS, kind=None, message=None, happened=happened, asked=asked, loaded=loaded)


def failed(kind: str, message: str, *happened: str, asked: int, loaded: int = 0) -> Became:
    """It was not, and is told so."""
    return Became(
        code=1, outputs={"count": None}, kind=kind, message=message, happened=happened, asked=asked, loaded=loaded
    )


def again(kind: str) -> Became:
    """Asked once more after a failure of that kind."""
    return once(f"again after {kind}", asked=4)


def markup(family: str) -> Became:
    return once(f"recovered {family}")


WHO = "`qwen/qwen3-8b` on URL"
ROOM = f"{WHO} has no room for the prompt: "
TOKEN = (
    "URL refuses the token: An LM Studio API token is required to make requests to this server, but none was provided "
    "using the Authorization header using the 'Bearer' scheme (i.e., 'Authorization: Bearer $LM_API_TOKEN'). "
    "Learn more at: https://lmstudio.ai/docs/developer/core/authentication."
)
BAD_TOKEN = (
    "URL refuses the token: Malformed LM Studio API token provided: sk-bogus-E**** Ensure you are using a valid token."
)
RELOADED = once("again after crash", "loaded", asked=4, loaded=1)
TOO_LONG = "request (61 tokens) exceeds the available context size (30 tokens), try increasing it"
TOO_LONG_MLX = (
    "Input does not fit in context length. The input has 61 tokens, but the context length only supports 30 tokens."
)
ONCE = {
    "slow-first-byte": once(),
    "slow-tokens": once(),
    "silence": again("timeout"),
    "stall": again("timeout"),
    "cut-mid-line": again("connection"),
    "cut-after-finish": once(),
    "no-done": once(),
    "no-finish": again("connection"),
    "error-first": again("server"),
    "error-midway": again("server"),
    "crash": RELOADED,
    "crash-midway": RELOADED,
    "unload-midway": RELOADED,
    "no-models-loaded": once("again after server", "loaded", asked=4, loaded=1),
    "jit-duplicate": once(),
    "wrong-model": once(asked=4),  # looked for, within the same attempt
    "peer-lost": again("connection"),
    "overflow-cut": once("refused: invalid_output", asked=4),
    "overflow-error": failed("context", ROOM + TOO_LONG, asked=1),  # a prompt without anything to shorten
    "overflow-pool": once(asked=4),  # alone
    "overflow-event": failed("context", ROOM + TOO_LONG_MLX, asked=1),
    "empty-answer": again("empty"),
    "zero-usage": once(),
    "repetition": once("stopped", "refused: invalid_output", asked=4),
    "json-in-reasoning": once(),
    "fenced-json": once(),
    "whole-arguments": once(),
    "repeated-empty-name": once(),
    "object-arguments": once(),
    "interleaved-calls": once(),
    "one-index-calls": once(),
    "partial-arguments": once(),
    "empty-call-id": once(),
    "repeated-call-id": once(),
    "invalid-arguments": once(asked=4),
    "truncated-arguments": once(asked=4),
    "unknown-tool": once(asked=4),
    "missing-calls": again("empty"),
    "call-in-thought": markup("tool_call"),
    "markup-qwen-json": markup("tool_call"),
    "markup-qwen-xml": markup("function"),
    "markup-tools-tag": markup("tools"),
    "markup-harmony": markup("harmony"),
    "markup-tool-code": markup("tool_code"),
    "markup-gemma4": markup("gemma"),
    "markup-mistral": markup("mistral"),
    "markup-mistral-array": markup("mistral_list"),
    "markup-tool-request": markup("tool_request"),
    "markup-granite": markup("tool_call"),
    "markup-glm": markup("glm"),
    "markup-minimax": markup("invoke"),
    "markup-lfm": markup("lfm"),
    "no-token": failed("auth", TOKEN, asked=1),
    "bad-token": failed("auth", BAD_TOKEN, asked=1),
    "status-404": failed("request", "URL does not know this request: Not Found", asked=1),
    "status-429": again("rate_limit"),
    "status-500": again("server"),
    "status-503": again("server"),
    "html-page": again("server"),
    "grammar-error": once("with simpler schemas", asked=4),
    "template-error": once("with merged roles", "with its tools described as text", asked=5),
    "load-failure": once("no load: server", "again after server", "loaded", loaded=2),
    "load-memory": once("no load: overloaded", "loaded", loaded=2),
    "slow-load": once("loaded", loaded=1),
    "old-server": once(),
    "oldest-server": once(),
    "queue": once(),
}
"""What becomes of each fault as it strikes unless told otherwise: once, or all the time where it means that."""

BROKE = "the answer of `qwen/qwen3-8b` on URL broke off in a tool call"
PEG = (
    f"{WHO} wrote a tool call that its server cannot read: The model produced output that does not match the expected "
    "peg-native format"
)
CRASHED = f"{WHO} crashed: The model has crashed without additional information. (Exit code: 6)"
NO_MODELS = "No models loaded. Please load a model in the developer page or use the 'lms load' command."
CIRCLE = "it reached 6 identical calls in a row without an accepted answer: "


def crashed(message: str) -> Became:
    return failed("crash", message, "again after crash", "loaded", asked=3, loaded=2)


def thrice(kind: str, message: str) -> Became:
    return failed(kind, message, f"again after {kind}", asked=3)


ALWAYS = {
    "stall": thrice("timeout", f"{WHO} fell silent in its answer for 0.2 s"),
    "cut-mid-line": thrice("connection", BROKE),
    "no-finish": thrice("connection", BROKE),
    "error-first": thrice("server", PEG),
    "error-midway": thrice("server", PEG),
    "crash": crashed(CRASHED),
    "crash-midway": crashed(CRASHED),
    "unload-midway": crashed(f"{WHO} was unloaded while it worked: Model unloaded."),
    "no-models-loaded": failed(
        "server", f"{WHO} is not loaded: {NO_MODELS}", "again after server", "loaded", asked=3, loaded=2
    ),
    "jit-duplicate": once(),
    "wrong-model": failed("wrong_model", "`qwen/qwen3-8b` was asked, but `another/model-1b` answered on URL", asked=2),
    "peer-lost": thrice("connection", f"{WHO} is on a linked machine that was lost: peer_keepalive_timeout"),
    "overflow-pool": failed("context", ROOM + "Context size has been exceeded.", asked=2),
    "empty-answer": thrice("empty", f"{WHO} answered nothing"),
    "repetition": failed(
        "invalid_output",
        "the answer repeated itself without end and was stopped",
        "stopped",
        "refused: invalid_output",
        asked=3,
    ),
    "json-in-reasoning": once(),
    "fenced-json": once(),
    "invalid-arguments": failed("limit", CIRCLE + "it called tools that were not offered", asked=7),
    "truncated-arguments": failed("limit", CIRCLE + "a tool call was cut off by the limit of tokens", asked=7),
    "unknown-tool": failed("limit", CIRCLE + "it called tools that were not offered", asked=7),
    "missing-calls": thrice("empty", f"{WHO} answered nothing"),
    "call-in-thought": markup("tool_call"),
    "status-404": failed("request", "URL does not know this request: Not Found", asked=1),
    "status-429": thrice("rate_limit", f"{WHO} asks to wait: Too Many Requests"),
    "status-500": thrice("server", f"{WHO} failed: Internal Server Error"),
    "status-503": thrice("server", f"{WHO} failed: Service Unavailable"),
    "html-page": thrice("server", f"{WHO} failed: a web page titled “502 Bad Gateway”"),
    "grammar-error": once(
        "with simpler schemas",
        "with simpler schemas, with its tools described as text",
        "with simpler schemas, without `response_format`",
        asked=7,
    ),
    "template-error": once(
        "with merged roles",
        "with its tools described as text",
        "without `response_format`, with merged roles",
        asked=7,
    ),
}
"""What becomes of those that strike once when they strike all the time."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    for name in ("BRIDGE_RUN_ENDPOINT", "LMSTUDIO_HOST", "LMSTUDIO_PORT", "LM_API_TOKEN", "LMSTUDIO_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_without_any(project: Path):
    assert run(project, SCRIPT) == once()


@pytest.mark.parametrize("name", FAULTS)
def test_as_it_strikes(project: Path, name: str):
    assert run(project, {**SCRIPT, "faults": [name]}) == ONCE[name]


@pytest.mark.parametrize("name", ALWAYS)
def test_without_an_end(project: Path, name: str):
    assert run(project, {**SCRIPT, "faults": [{"name": name, "on": "every"}]}) == ALWAYS[name]
