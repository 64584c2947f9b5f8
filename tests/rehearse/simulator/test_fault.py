"""Every fault of the table on the wire, streamed and whole: what a client gets to see."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from kit.simulator import simulator

from runner.rehearse.simulator.fault import FAULTS, of_answers

CALL = {"tool": "files__read", "arguments": {"path": "a.py", "lines": 3}}
TWO = [CALL, {"tool": "files__list", "arguments": {"path": "."}}]
DATA = {"n": 7}
LASTING_SILENCE = ("silence", "stall")
SLOW = ("slow-first-byte",)


class Seen(NamedTuple):
    """What came of a request; ``calls`` are name and arguments, ``text`` is the raw body."""

    status: int
    content: str
    reasoning: str
    calls: list[tuple[str, str]]
    finish: str | None
    text: str


def script(name: str, turn: dict[str, Any]) -> dict[str, Any]:
    return {"faults": [{"name": name, "on": "every"}], "models": {"m": {"loaded": True, "turns": [turn]}}}


def asked(name: str, turn: dict[str, Any], *, stream: bool, **body: Any) -> Seen:
    with simulator(script(name, turn)) as url:
        return ask(url, stream=stream, **body)


def ask(url: str, *, stream: bool, **body: Any) -> Seen:
    request = {"model": "m", "messages": [{"role": "user", "content": "hello " * 20}], "stream": stream, **body}
    response = httpx.post(f"{url}/v1/chat/completions", json=request, timeout=10)
    return streamed(response) if "event-stream" in response.headers["content-type"] else whole(response)


def whole(response: httpx.Response) -> Seen:
    text = response.text
    choices = response.json().get("choices") if "json" in response.headers["content-type"] else None
    if not choices:
        return Seen(response.status_code, "", "", [], None, text)
    message = choices[0]["message"]
    calls = [(call["function"]["name"], call["function"]["arguments"]) for call in message["tool_calls"]]
    finish = choices[0]["finish_reason"]
    return Seen(response.status_code, message["content"], message["reasoning_content"], calls, finish, text)


def streamed(response: httpx.Response) -> Seen:
    said, thought, finish = "", "", None
    calls: dict[int, tuple[str, str]] = {}
    for line in response.text.splitlines():
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:]).get("choices", ()):
            delta = choice["delta"]
            said += delta.get("content", "")
            thought += delta.get("reasoning_content", "")
            finish = choice["finish_reason"] or finish
            for call in delta.get("tool_calls", ()):
                name, arguments = calls.get(call["index"], ("", ""))
                more = call["function"].get("arguments", "")
                more = more if isinstance(more, str) else json.dumps(more)
                calls[call["index"]] = (name + call["function"].get("name", ""), arguments + more)
    return Seen(response.status_code, said, thought, list(calls.values()), finish, response.text)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("crash", 400, "The model has crashed without additional information. (Exit code: 6)"),
        ("no-models-loaded", 400, "No models loaded. Please load a model in the developer page"),
        ("peer-lost", 400, "peer_keepalive_timeout"),
        ("overflow-pool", 400, 'returned an error: {\\"code\\":500,\\"message\\":\\"Context size has been exceeded.'),
        ("overflow-error", 400, "request (30 tokens) exceeds the available context size (15 tokens)"),
        ("no-token", 401, "An LM Studio API token is required to make requests to this server"),
        ("bad-token", 401, "Malformed LM Studio API token provided: sk-bogus-E**** Ensure you are using a valid"),
        ("status-404", 404, "Not Found"),
        ("status-429", 429, "Too Many Requests"),
        ("status-500", 500, "Internal Server Error"),
        ("status-503", 503, "Service Unavailable"),
        ("html-page", 502, "<center><h1>502 Bad Gateway</h1></center>"),
    ],
)
def test_refusals(name: str, status: int, text: str, stream: bool) -> None:
    seen = asked(name, {"say": "hello there"}, stream=stream)
    assert (seen.status, seen.content) == (status, "")
    assert text in seen.text


@pytest.mark.parametrize("name", ["grammar-error", "template-error"])
def test_a_form_that_was_refused_is_refused_again_and_another_is_not(name: str) -> None:
    tools = [{"type": "function", "function": {"name": "files__read"}}]
    once = {"faults": [name], "models": {"m": {"loaded": True, "turns": [{"say": "hi"}]}}}
    with simulator(once) as url:
        statuses = [ask(url, stream=True, tools=given).status for given in (tools, tools, [*tools, *tools], None)]
    assert statuses == [400, 400, 200, 200]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("error-first", "does not match the expected peg-native format"),
        ("error-midway", "does not match the expected peg-native format"),
        ("crash-midway", "The model has crashed without additional information. (Exit code: 6)"),
        ("unload-midway", "Model unloaded."),
        ("overflow-event", "The input has 30 tokens, but the context length only supports 15 tokens."),
    ],
)
def test_errors_in_the_answer(name: str, message: str) -> None:
    stream = asked(name, {"say": "one two three four", "chunk": 3}, stream=True)
    unstreamed = asked(name, {"say": "one two three four"}, stream=False)
    assert (stream.status, stream.finish, "[DONE]" in stream.text) == (200, None, False)
    assert stream.text.rstrip().splitlines()[-2] == "event: error"
    assert message in stream.text
    assert bool(stream.content) == name.endswith("midway")
    assert unstreamed.status == 400
    assert message in unstreamed.text


def test_streams_that_end_too_soon() -> None:
    turn = {"say": "one two three four"}
    no_done = asked("no-done", turn, stream=True)
    no_finish = asked("no-finish", turn, stream=True)
    assert (no_done.content, no_done.finish, "[DONE]" in no_done.text) == ("one two three four", "stop", False)
    assert (no_finish.content, no_finish.finish, "[DONE]" in no_finish.text) == ("one two three four", None, False)
    assert asked("no-finish", turn, stream=False).finish is None


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", ["cut-mid-line", "cut-after-finish"])
def test_connections_that_break(name: str, stream: bool) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        asked(name, {"say": "one two three four"}, stream=stream)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", LASTING_SILENCE)
def test_silence(name: str, stream: bool) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    with simulator(script(name, {"say": "one two three"})) as url, pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/v1/chat/completions", json=body, timeout=0.3)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", ["slow-first-byte", "slow-tokens", "jit-duplicate", "zero-usage", "wrong-model"])
def test_answers_that_come_all_the_same(name: str, stream: bool) -> None:
    seen = asked(name, {"say": "hello there"}, stream=stream, stream_options={"include_usage": True})
    assert (seen.content, seen.finish) == ("hello there", "stop")
    if name == "jit-duplicate":
        assert "m:2" in seen.text
    if name == "wrong-model":
        assert "another/model-1b" in seen.text
    if name == "zero-usage":
        assert '"total_tokens":0' in seen.text.replace(" ", "")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_answers_that_are_no_answers(stream: bool) -> None:
    turn = {"json": DATA}
    empty = asked("empty-answer", turn, stream=stream)
    thought = asked("json-in-reasoning", turn, stream=stream)
    fenced = asked("fenced-json", turn, stream=stream)
    endless = asked("repetition", turn, stream=stream, max_tokens=20)
    cut = asked("overflow-cut", turn, stream=stream)
    assert (empty.content, empty.reasoning, empty.finish) == ("", "", "stop")
    assert (thought.content, thought.reasoning) == ("", '{"n": 7}')
    assert fenced.content == 'Here is the result:\n\n```json\n{"n": 7}\n```\n'
    assert (endless.content, endless.finish) == (("I will now check the file again. " * 3)[:80], "length")
    assert cut.content == "What shall I do?"


TEXTS = {
    "markup-qwen-json": '<tool_call>\n{"name": "files__read", "arguments": {"path": "a.py", "lines": 3}}\n</tool_call>',
    "markup-qwen-xml": "<tool_call>\n<function=files__read>\n<parameter=path>\na.py\n</parameter>\n"
    "<parameter=lines>\n3\n</parameter>\n</function>\n</tool_call>",
    "markup-tools-tag": '<tools>\n{"name": "files__read", "arguments": {"path": "a.py", "lines": 3}}\n</tools>',
    "markup-harmony": "<|channel|>commentary to=functions.files__read <|constrain|>json<|message|>"
    '{"path": "a.py", "lines": 3}<|call|>',
    "markup-tool-code": "```tool_code\nfiles__read(path='a.py', lines=3)\n```",
    "markup-gemma4": '<|tool_call>call:files__read{path:<|"|>a.py<|"|>,lines:3}<tool_call|>',
    "markup-mistral": '[TOOL_CALLS]files__read[ARGS]{"path": "a.py", "lines": 3}',
    "markup-mistral-array": '[TOOL_CALLS][{"name": "files__read", "arguments": {"path": "a.py", "lines": 3}}]',
    "markup-tool-request": '[TOOL_REQUEST]\n{"name": "files__read", "arguments": {"path": "a.py", "lines": 3}}\n'
    "[END_TOOL_REQUEST]",
    "markup-granite": '<tool_call>{"name": "files__read", "arguments": {"path": "a.py", "lines": 3}}</tool_call>',
    "markup-glm": "<tool_call>files__read\n<arg_key>path</arg_key>\n<arg_value>a.py</arg_value>\n"
    "<arg_key>lines</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
    "markup-minimax": '<minimax:tool_call>\n<invoke name="files__read">\n<parameter name="path">a.py</parameter>\n'
    '<parameter name="lines">3</parameter>\n</invoke>\n</minimax:tool_call>',
    "markup-lfm": "<|tool_call_start|>[files__read(path='a.py', lines=3)]<|tool_call_end|>",
    "call-in-thought": '<think>\nI need a tool.\n<tool_call>\n{"name": "files__read", "arguments": {"path": "a.py", '
    '"lines": 3}}\n</tool_call>\n</think>\n\n',
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("name", "text"), TEXTS.items(), ids=TEXTS)
def test_calls_as_text(name: str, text: str, stream: bool) -> None:
    seen = asked(name, {"call": [CALL]}, stream=stream)
    assert (seen.content, seen.calls, seen.finish) == (text, [], "stop")


def test_every_form_of_markup_is_shown_above() -> None:
    assert {name for name in FAULTS if name.startswith("markup-")} == set(TEXTS) - {"call-in-thought"}


GOOD = ("files__read", '{"path": "a.py", "lines": 3}')
CALLS: dict[str, tuple[list[tuple[str, Any]], str]] = {
    "whole-arguments": ([GOOD], "tool_calls"),
    "partial-arguments": ([GOOD], "tool_calls"),
    "repeated-empty-name": ([GOOD], "tool_calls"),
    "empty-call-id": ([GOOD], "tool_calls"),
    "repeated-call-id": ([GOOD], "tool_calls"),
    "invalid-arguments": ([("files__read", '{"path": "a.py", "lines": 3,')], "tool_calls"),
    "truncated-arguments": ([("files__read", '{"path": "a.py')], "length"),
    "unknown-tool": ([("files__read_now", '{"path": "a.py", "lines": 3}')], "tool_calls"),
    "missing-calls": ([], "tool_calls"),
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("name", "expected"), CALLS.items(), ids=CALLS)
def test_calls_that_are_odd(name: str, expected: Any, stream: bool) -> None:
    seen = asked(name, {"call": [CALL]}, stream=stream)
    assert (seen.calls, seen.finish) == expected


def deltas(seen: Seen) -> list[dict[str, Any]]:
    """The deltas of calls, in the order of the stream."""
    chunks = [json.loads(line[6:]) for line in seen.text.splitlines() if line.startswith("data: {")]
    return [call for chunk in chunks for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", ())]


def test_how_calls_are_told() -> None:
    def told(name: str, calls: list[Any]) -> list[dict[str, Any]]:
        return deltas(asked(name, {"call": calls, "chunk": 100}, stream=True))

    assert [len(told(name, [CALL])) for name in ("whole-arguments", "partial-arguments")] == [1, 29]
    assert told("object-arguments", [CALL])[0]["function"]["arguments"] == CALL["arguments"]
    assert told("empty-call-id", [CALL])[0]["id"] == ""
    assert [call["function"]["name"] for call in told("repeated-empty-name", [CALL])] == ["files__read", ""]
    assert len({call["id"] for call in told("repeated-call-id", TWO) if "id" in call}) == 1
    assert [call["index"] for call in told("interleaved-calls", TWO)] == [0, 1, 0, 1]
    assert [call["index"] for call in told("one-index-calls", TWO)] == [0, 0, 0, 0]


def test_after_a_crash_nothing_is_loaded_until_it_is_loaded_again() -> None:
    once = {"faults": ["crash"], "models": {"m": {"loaded": True, "turns": [{"say": "hi"}]}}}
    with simulator(once) as url:
        seen = [ask(url, stream=True) for _ in range(3)]
    assert [one.status for one in seen] == [400, 400, 200]
    assert "No models loaded." in seen[1].text
    with simulator(once) as url:
        ask(url, stream=False)
        httpx.post(f"{url}/api/v1/models/load", json={"model": "m"})
        assert ask(url, stream=True).status == 200


@pytest.mark.parametrize(("name", "status"), [("load-failure", 500), ("load-memory", 500), ("slow-load", 200)])
def test_loads(name: str, status: int) -> None:
    with simulator({"faults": [name], "models": {"m": {"loaded": True, "turns": [{"say": "hi"}]}}}) as url:
        first, second = (httpx.post(f"{url}/api/v1/models/load", json={"model": "m"}, timeout=10) for _ in range(2))
    assert (first.status_code, second.status_code) == (status, 200)
    if name == "slow-load":
        assert first.json()["load_time_seconds"] >= 2
    else:
        assert first.json()["error"]["type"] == "model_load_failed"
    assert ("66.00 GB of memory" in first.text) == (name == "load-memory")


@pytest.mark.parametrize(("name", "there"), [("old-server", [True, False]), ("oldest-server", [False, False])])
def test_old_servers(name: str, there: list[bool]) -> None:
    with simulator(script(name, {"say": "hi"})) as url:
        lists = [httpx.get(f"{url}{path}").json() for path in ("/api/v0/models", "/api/v1/models")]
    assert ["error" not in found for found in lists] == there


def test_a_queue_has_one_slot() -> None:
    with simulator(script("queue", {"say": "hi"})) as url:
        [row] = httpx.get(f"{url}/api/v1/models").json()["models"]
        assert ask(url, stream=True).content == "hi"
    assert row["loaded_instances"][0]["config"]["parallel"] == 1


def test_no_fault_is_forgotten() -> None:
    """Every name of the table stands in a test of this file."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in FAULTS if f'"{name}"' not in text] == []
    assert len(FAULTS) > 60


def test_every_fault_of_an_answer_can_stand_in_a_turn(tmp_path: Path) -> None:
    names = [name for name, kind in FAULTS.items() if of_answers(kind) and name not in (*LASTING_SILENCE, *SLOW)]
    models = {name: {"loaded": True, "turns": [{"call": TWO, "say": "x", "fault": name}]} for name in names}
    log = tmp_path / "log"
    with simulator({"models": models}, log=log) as url:
        for name in names:
            body = {"model": name, "messages": [{"role": "user", "content": "hi"}], "stream": True}
            with contextlib.suppress(httpx.RemoteProtocolError):
                assert "has a bug" not in httpx.post(f"{url}/v1/chat/completions", json=body).text
    assert {json.loads(line)["fault"] for line in log.read_text().splitlines()} == set(names)
