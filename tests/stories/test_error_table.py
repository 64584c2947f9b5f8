"""The whole command against every complaint and every broken stream: once, and again and again.

What strikes once is survived where its class says so; what strikes always is told right: its kind, the exit code, how
often it was asked, how often the model was loaded anew, and the whole message.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.bad_day import BadDay, bad_day, every, once, said
from kit.complaints import POOL, ROWS, script
from kit.raw_server import CUT, DONE, PAUSE, STALL, STREAM_END, STREAM_HEAD, delta, event, piece, reply, stream, usage

from runner.cli.main import exit_code_of
from runner.words.noun import noun

pytestmark = [pytest.mark.timeout(30)]

FLOW = """version: 1
name: ask
defaults: {retry: {attempts: 3, wait: 1ms, max_wait: 2ms}}
steps:
  - {id: answer, model: qwen3, task: Say something.}
"""
IMPATIENT = '[endpoints.here]\nurl = "URL"\nfirst_byte_timeout = "150ms"\nidle_timeout = "150ms"\n'
FINE = said("fine")


@noun
class Told:
    """What a person gets: the exit code, the step of the result, and what stands on stderr."""

    code: int
    step: dict[str, Any]
    complained: str


Run = Callable[[BadDay], Told]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the flow against a server, as the command does, in this process: there are two hundred runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    for name in ("BRIDGE_RUN_ENDPOINT", "LMSTUDIO_HOST", "LMSTUDIO_PORT", "LM_API_TOKEN", "LMSTUDIO_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")

    def command(day: BadDay) -> Told:
        (tmp_path / "bridge.toml").write_text(IMPATIENT.replace("URL", day.url), encoding="utf-8")
        code = exit_code_of(["flow.yaml", "--quiet", "--output", "json", "--config", "bridge.toml"])
        out, err = capsys.readouterr()
        return Told(code=code, step=json.loads(out.replace(day.url, "URL"))["steps"]["answer"], complained=err)

    return command


@noun
class Follows:
    """What follows a complaint. ``asked`` and ``loads``: how often, if it never ends; the first load included."""

    survived: bool
    asked: int
    loads: int = 1


STOPS = Follows(survived=False, asked=1)
REPEATED = Follows(survived=True, asked=3)
BY_KIND = {
    "auth": STOPS,  # a person must act
    "request": STOPS,  # the same again would be refused again
    "context": STOPS,  # there is nothing to shorten in one short question
    "model_not_found": Follows(survived=True, asked=2),  # it may have been unloaded: looked for once
    "overloaded": Follows(survived=True, asked=2, loads=2),  # with half of the context, and no less than that
    "crash": Follows(survived=True, asked=3, loads=3),  # loaded anew, twice at most
    "connection": REPEATED,
    "timeout": REPEATED,
    "rate_limit": REPEATED,
    "server": REPEATED,
}
SIMPLER = Follows(survived=True, asked=2)
"""A template that refuses a conversation is given it with merged roles."""
ALONE = Follows(survived=True, asked=2)
"""Others may have filled the context that all share."""


def follows(kind: str, message: str) -> Follows:
    if kind == "request" and ("prompt template" in message or "Invalid 'messages'" in message):
        return SIMPLER
    return ALONE if message.endswith(POOL) else BY_KIND[kind]


@pytest.mark.parametrize(("how", "status", "body", "made", "kind", "retried", "message"), ROWS)
def test_a_complaint(run: Run, how, status, body, made, kind, retried, message):
    after = follows(kind, message)

    def complain(day: BadDay, *_: object) -> Any:
        if kind == "crash":
            day.crash()
        return script(how, status, body)

    def then_fine(day: BadDay, *_: object) -> Any:
        return complain(day) if len(day.asked) == 1 else FINE

    with bad_day(then_fine, contexts={}) as day:
        told = run(day)
        assert (told.code == 0, told.step["output"]) == ((True, "fine") if after.survived else (False, None))
        assert len(day.asked) == (2 if after.survived else 1)
    with bad_day(complain, contexts={}) as day:
        told = run(day)
        assert (told.code, told.complained) == (1, "")
        assert (told.step["error"]["kind"], told.step["error"]["message"]) == (kind, message)
        assert (len(day.asked), len(day.loads)) == (after.asked, after.loads)


WHO = "`qwen3` on URL"
HALF = delta(role="assistant", content="The answer is for")
TAIL = (delta(finish="stop"), usage(10, 3), DONE)
BROKE = "the answer of `qwen3` on URL broke off "
GONE = ("connection", BROKE + "after 17 characters")
MUTE = ("connection", BROKE + "before a word was said")
EMPTY = ("empty", f"{WHO} answered nothing")


def chunked(*parts: object) -> tuple[object, ...]:
    """A stream of which every byte is written here."""
    return (STREAM_HEAD, *(part if part in (PAUSE, CUT) else piece(part) for part in parts), STREAM_END)


def whole(**message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "qwen3", "choices": [choice], "usage": {}}


ACCEPTED = {
    "no [DONE] after the finish": (stream(HALF, delta(finish="stop")), "The answer is for"),
    "cut after the finish": (stream(HALF, delta(finish="stop"), CUT, end=False), "The answer is for"),
    "cut in the middle of the counts": (stream(HALF, delta(finish="stop"), 'data: {"usa', CUT, end=False),
                                        "The answer is for"),
    "silent after the finish, kept open": (stream(HALF, delta(finish="stop"), STALL, end=False), "The answer is for"),
    "no counts": (stream(HALF, delta(finish="stop"), DONE), "The answer is for"),
    "counts of zero": (stream(HALF, delta(finish="stop"), usage(0, 0), DONE), "The answer is for"),
    "lines that end with CRLF": (stream(event(HALF).replace(b"\n", b"\r\n"), *TAIL), "The answer is for"),
    "no space after the colon": (stream(event(HALF).replace(b"data: ", b"data:"), *TAIL), "The answer is for"),
    "comments to keep alive": (stream(": ping\n\n", HALF, ": ping\n\n", *TAIL), "The answer is for"),
    "a byte order mark": (stream(b"\xef\xbb\xbf" + event(HALF), *TAIL), "The answer is for"),
    "events in one read": (stream(event(HALF) + event(delta(content="ty")) + event(delta(finish="stop")), DONE),
                           "The answer is forty"),
    "an event in two reads": (chunked(event(HALF)[:40], PAUSE, event(HALF)[40:], *map(event, TAIL[:2]), DONE),
                              "The answer is for"),
    "a letter in two reads": (chunked(b'data: {"model":"qwen3","choices":[{"delta":{"content":"\xc3', PAUSE,
                                      b'\xa9"}}]}\n\n', event(delta(finish="stop")), DONE), "é"),
    "a role on every piece": (stream(HALF, delta(role="assistant", content="ty"), *TAIL), "The answer is forty"),
    "pieces without choices, without a delta, with null": (
        stream({"model": "qwen3", "choices": []}, {"choices": [{"index": 0}]}, HALF,
               {"choices": [{"index": 0, "delta": {"content": None, "tool_calls": None}}]}, *TAIL),
        "The answer is for"),
    "empty tool calls": (stream(delta(content="yes", tool_calls=[]), *TAIL), "yes"),
    "a finish of calls without any": (stream(HALF, delta(finish="tool_calls"), DONE), "The answer is for"),
    "thinking in `reasoning_content`": (stream(delta(reasoning_content="Hm."), HALF, *TAIL), "The answer is for"),
    "thinking in `reasoning`": (stream(delta(reasoning="Hm."), HALF, *TAIL), "The answer is for"),
    "thinking in the text": (stream(delta(content="<think>Hm.</think>"), HALF, *TAIL), "The answer is for"),
    "another spelling of the model": (said("yes", model="Qwen3@q4_k_m"), "yes"),
    "a copy of the model": (said("yes", model="qwen3:2"), "yes"),
    "a plain body in the place of a stream": (reply(whole(content="yes")), "yes"),
    "a plain body with empty lists": (reply(whole(content="yes", tool_calls=[], reasoning_content="")), "yes"),
    "half of it, because of a limit": (stream(HALF, delta(finish="length"), DONE), "The answer is for"),
    "unknown keys everywhere": (stream({**HALF, "stats": {}, "x": [1]}, {"event": "ping"}, *TAIL), "The answer is for"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "output"), ACCEPTED.values(), ids=ACCEPTED)
def test_an_odd_answer_is_an_answer(run: Run, answer, output):
    with bad_day(every(answer)) as day:
        told = run(day)
        assert (told.code, told.step["output"], len(day.asked)) == (0, output, 1)


BROKEN = {
    "cut in the middle of a line": (stream(HALF, event(HALF)[:30], CUT, end=False), GONE),
    "cut between two events": (stream(HALF, CUT, end=False), GONE),
    "an end without a finish": (stream(HALF), GONE),
    "[DONE] without a finish": (stream(HALF, DONE), GONE),
    "cut before the first event": ((STREAM_HEAD, CUT), ("connection",
                                      "the connection to URL broke (peer closed connection without sending complete "
                                      "message body (incomplete chunked read))")),
    "an empty stream": (stream(), MUTE),
    "[DONE] and nothing else": (stream(DONE), MUTE),
    "nothing said": (stream(delta(role="assistant", content=""), delta(finish="stop"), DONE), EMPTY),
    "only a finish": (stream(delta(finish="stop"), DONE), EMPTY),
    "only spaces": (stream(delta(content=" \n"), delta(finish="stop"), DONE), EMPTY),
    "a finish of calls, and nothing": (stream(delta(finish="tool_calls"), DONE), EMPTY),
    "a plain body that says nothing": (reply(whole(content=None)), EMPTY),
    "only thinking": (stream(delta(reasoning_content="Hm."), delta(finish="stop"), DONE),
                      ("empty", f"{WHO} only thought and did not answer")),
    "what is no JSON": (stream(HALF, "data: {oops\n\n", *TAIL), ("server", f"{WHO} streams what is no JSON: {{oops")),
    "an error as text": (stream(HALF, {"error": "boom"}), ("server", f"{WHO} failed: boom")),
    "an error event that is no JSON": (stream(HALF, "event: error\ndata: boom\n\n"), ("server", f"{WHO} failed: boom")),
    "an error after the finish": (stream(HALF, delta(finish="stop"), {"error": "boom"}),
                                  ("server", f"{WHO} failed: boom")),
    "a web page with status 200": (reply("<html><title>Log in</title></html>", kind="text/html"),
                                   ("server", f"{WHO} failed: a web page titled “Log in”")),
    "an empty body": (reply("", kind="text/plain"), MUTE),
    "silence before the first byte": ((STALL,), ("timeout", f"{WHO} sent nothing for 0.15 s")),
    "silence after the head": ((STREAM_HEAD, STALL), ("timeout", f"{WHO} sent nothing for 0.15 s")),
    "silence in the middle": (stream(HALF, STALL, end=False),
                              ("timeout", f"{WHO} fell silent in its answer for 0.15 s")),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "told_as"), BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_asked_for_again(run: Run, answer, told_as):
    with bad_day(once(answer, FINE)) as day:
        told = run(day)
        assert (told.code, told.step["output"], told.step["attempts"], len(day.asked)) == (0, "fine", 2, 2)
    with bad_day(every(answer)) as day:
        told = run(day)
        assert (told.code, told.step["output"], told.complained) == (1, None, "")
        assert (told.step["error"]["kind"], told.step["error"]["message"]) == told_as
        assert (told.step["attempts"], len(day.asked)) == (3, 3)


STALE = {
    "cut in the head": ((b"HTTP/1.1 200 OK\r\nContent-", CUT), "connection",
                        "the connection to URL broke (Server disconnected without sending a response.)"),
    "cut before the head": ((CUT,), "connection",
                            "the connection to URL broke (Server disconnected without sending a response.)"),
    "something that is no HTTP": ((b"SSH-2.0-OpenSSH_9.6\r\n\r\n", CUT), "server",
                                  "what answers at URL does not speak HTTP "
                                  "(illegal status line: “SSH-2.0-OpenSSH_9.6”)"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "kind", "message"), STALE.values(), ids=STALE)
def test_a_kept_connection_that_brings_nothing_is_no_failed_attempt(run: Run, answer, kind, message):
    """Servers close what was idle for five seconds: the first question after that may find out."""
    with bad_day(once(answer, FINE)) as day:
        told = run(day)
        assert (told.code, told.step["output"], told.step["attempts"], len(day.asked)) == (0, "fine", 1, 2)
    with bad_day(every(answer)) as day:
        told = run(day)
        assert (told.step["error"]["kind"], told.step["error"]["message"]) == (kind, message)
        assert (told.code, told.step["attempts"]) == (1, 3)
        assert 3 < len(day.asked) <= 6


LAST = {
    "another model": (said("yes", model="other/model"), 2, "wrong_model",
                      "`qwen3` was asked, but `other/model` answered on URL"),
    "a limit while it thought": (stream(delta(reasoning_content="Hm"), delta(finish="length"), DONE), 1, "limit",
                                 f"{WHO} reached its limit of tokens while thinking"),
    "a limit before a word": (stream(delta(finish="length"), DONE), 1, "limit",
                              f"{WHO} reached its limit of tokens before it said a word"),
    "a prompt that was cut": (stream(HALF, delta(finish="stop"), usage(8192, 3), DONE), 1, "context",
                              "the server cut the prompt without a word: it counts 8,192 tokens, and it fills the "
                              "whole context of 8,192 tokens"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "asked", "kind", "message"), LAST.values(), ids=LAST)
def test_an_answer_that_is_none_and_would_be_none_again(run: Run, answer, asked, kind, message):
    with bad_day(every(answer)) as day:
        told = run(day)
        assert (told.code, told.step["output"], len(day.asked)) == (1, None, asked)
        assert (told.step["error"]["kind"], told.step["error"]["message"]) == (kind, message)


def test_a_server_that_ends_in_the_middle_of_an_answer(run: Run):
    def leave(day: BadDay, *_: object) -> Any:
        day.leave()
        return stream(HALF, STALL, end=False)

    with bad_day(leave) as day:
        told = run(day)
    assert (told.code, told.step["output"], told.step["attempts"], len(day.asked)) == (1, None, 3, 1)
    assert (told.step["error"]["kind"], told.step["error"]["message"]) == (
        "connection",
        "no connection to URL: refused, nothing listens there",
    )


def test_all_rows():
    assert len(ROWS) + len(ACCEPTED) + len(BROKEN) + len(STALE) + len(LAST) > 130
