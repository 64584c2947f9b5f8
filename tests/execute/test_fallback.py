"""The next model goes on where one failed for good: after which errors, and with the whole talk."""

from __future__ import annotations

import json

import pytest
from kit.painted_server import PaintedModel, PaintedServer
from kit.world import PaintedBox

from runner.chat.messages import ChatAnswer, ToolCall, Usage
from runner.chat.toolbox import Tool
from runner.record.events import ModelFellBack, StepRetried
from runner.words.errors import (
    ContextError,
    LLMAuthenticationError,
    LLMConnectionError,
    LLMRateLimitError,
    LLMResponseError,
    LLMTimeoutError,
    LLMValidationError,
    ModelMemoryError,
    ModelNotFoundError,
)

HEAD = "version: 1\nname: flow\nmcp_servers: {box: {command: painted}}\nmodels: {m: {id: a, fallback: [b, c]}}\n"
STEP = "steps:\n  - id: s\n    model: m\n    task: Go.\n"
RETRY = "    retry: {attempts: 2, wait: 1ms}\n"


class Talk:
    """A step on a server that holds all three models; ``say(request, model)`` answers or raises."""

    def __init__(self, timeless, text, say, *, effect="none"):
        self.server = PaintedServer(
            {name: PaintedModel(load=1) for name in "abc"}, lambda request: self.said(say, request)
        )
        self.box = PaintedBox("box", (Tool(name="look", effect=effect),), lambda tool, given: f"result {given['n']}")
        self.ran = timeless(backend=self.server, boxes={"box": self.box}).run(text)
        self.step = self.ran.finished["s"]
        self.asked = [request.model for request in self.server.asked]
        self.falls = self.ran.events(ModelFellBack)

    def said(self, say, request):
        said = say(request)
        if isinstance(said, Exception):
            raise said
        return said


def only(model, error):
    """All models but this one fail."""
    return lambda request: "done" if request.model == model else error


AGAIN = {"connection", "timeout", "server", "rate_limit", "overloaded"}


class TestAfterWhat:
    @pytest.mark.parametrize(
        "error",
        [
            LLMConnectionError("broken"),
            LLMTimeoutError("late"),
            LLMResponseError("odd"),
            LLMRateLimitError("wait", retry_after=0.1),
            LLMResponseError("nothing", kind="empty"),
            LLMResponseError("crashed", kind="crash"),
        ],
        ids=lambda error: error.kind,
    )
    def test_when_retries_are_used_up(self, timeless, error):
        talk = Talk(timeless, HEAD + STEP + RETRY, only("b", error))
        assert talk.step.output == "done"
        assert talk.asked == ["a", "a", "b"]
        assert [(e.attempt, e.model, e.to_model, e.kind, e.message) for e in talk.falls] == [
            (2, "a", "b", error.kind, error.message)
        ]

    @pytest.mark.parametrize(
        "error",
        [
            LLMValidationError("no"),
            ContextError("too long"),
            ModelMemoryError("no room"),
        ],
        ids=lambda error: error.kind,
    )
    def test_at_once_where_a_retry_is_of_no_use(self, timeless, error):
        talk = Talk(timeless, HEAD + STEP + RETRY, only("b", error))
        assert talk.step.output == "done"
        assert talk.asked == ["a", "b"]
        assert talk.ran.events(StepRetried) == []

    @pytest.mark.parametrize(
        "error",
        [ModelNotFoundError("a", ()), LLMResponseError("another answered", kind="wrong_model")],
        ids=lambda error: error.kind,
    )
    def test_a_model_that_is_gone_is_looked_for_once(self, timeless, error):
        talk = Talk(timeless, HEAD + STEP + RETRY, only("b", error))
        assert talk.step.output == "done"
        assert talk.asked == ["a", "a", "b"]
        assert talk.server.listed >= 3
        assert [e.kind for e in talk.falls] == [error.kind]

    def test_down_the_whole_chain(self, timeless):
        talk = Talk(timeless, HEAD + STEP + RETRY, only("c", LLMValidationError("no")))
        assert (talk.step.output, talk.step.model, talk.asked) == ("done", "c", ["a", "b", "c"])
        assert talk.ran.result["steps"]["s"]["model"] == "c"
        assert talk.ran.result["steps"]["s"]["attempts"] == 3

    def test_the_last_error_is_the_steps(self, timeless):
        talk = Talk(timeless, HEAD + STEP + RETRY, lambda request: LLMValidationError(f"no from {request.model}"))
        assert talk.step.error["message"] == "no from c"

    @pytest.mark.parametrize("error", [LLMAuthenticationError("who are you?")], ids=lambda error: error.kind)
    def test_not_after_what_a_person_must_mend(self, timeless, error):
        talk = Talk(timeless, HEAD + STEP + RETRY, only("b", error))
        assert (talk.step.error["kind"], talk.asked, talk.falls) == (error.kind, ["a"], [])

    def test_nor_when_the_tokens_are_used_up(self, timeless):
        def say(request):
            return ChatAnswer(model=request.model, content="done", usage=Usage(900, 200))

        talk = Talk(timeless, HEAD + STEP + RETRY + "    limits: {tokens: 1000}\n", say)
        assert (talk.step.error["kind"], talk.asked, talk.falls) == ("limit", ["a"], [])

    SHAPE = "    repair: 0\n    output: {type: object, required: [n], properties: {n: {type: integer}}}\n"

    def shaped(self, request):
        return '{"n": 1}' if request.model == "b" else "no"

    def test_a_wrong_answer_is_the_end(self, timeless):
        talk = Talk(timeless, HEAD + STEP + RETRY + self.SHAPE, self.shaped)
        assert (talk.step.error["kind"], talk.falls) == ("invalid_output", [])

    def test_unless_the_file_says_so(self, timeless):
        retry = "    retry: {attempts: 2, wait: 1ms, on: [invalid_output]}\n"
        talk = Talk(timeless, HEAD + STEP + retry + self.SHAPE, self.shaped)
        assert (talk.step.output, talk.asked) == ({"n": 1}, ["a", "a", "b"])
        assert [len(request.messages) for request in talk.server.asked] == [1, 1, 1]

    def test_each_model_has_all_its_attempts(self, timeless):
        talk = Talk(timeless, HEAD + STEP + RETRY, lambda request: LLMConnectionError("broken"))
        assert talk.asked == ["a", "a", "b", "b", "c", "c"]
        assert talk.step.attempts == 6
        assert [e.attempt for e in talk.ran.events(StepRetried)] == [1, 3, 5]

    def test_the_time_is_the_steps_own(self, timeless):
        slow = "    timeout: 3s\n    retry: {attempts: 9, wait: 2s, max_wait: 2s}\n"
        talk = Talk(timeless, HEAD + STEP + slow, lambda request: LLMConnectionError("broken"))
        assert talk.step.status == "failed"
        assert talk.step.seconds < 3 + 3  # and a second for each load


class TestTheTalkGoesOn:
    def say(self, request):
        made = sum(len(message.tool_calls) for message in request.messages)
        if request.model == "a" and made == 2:
            return LLMValidationError("enough")
        if made < 3:
            call = ToolCall(f"c{made}", "box__look", json.dumps({"n": made}))
            return ChatAnswer(model=request.model, content="", tool_calls=(call,), usage=Usage(10, 5))
        return ChatAnswer(model=request.model, content="done", usage=Usage(10, 5))

    @pytest.mark.parametrize("effect", ["none", "unsafe"])
    def test_no_tool_is_called_twice(self, timeless, effect):
        talk = Talk(timeless, HEAD + STEP + RETRY + "    mcp_servers: [box]\n", self.say, effect=effect)
        assert talk.step.output == "done"
        assert [given["n"] for _, given in talk.box.calls] == [0, 1, 2]
        assert talk.asked == ["a", "a", "a", "b", "b"]

    def test_the_next_model_hears_all_that_was_said(self, timeless):
        talk = Talk(timeless, HEAD + STEP + RETRY + "    mcp_servers: [box]\n", self.say)
        last_of_a, first_of_b = talk.server.asked[2], talk.server.asked[3]
        assert first_of_b.messages == last_of_a.messages
        assert first_of_b.tools == last_of_a.tools

    def test_with_its_own_sampling(self, timeless):
        head = HEAD.replace("fallback: [b, c]", "fallback: [n]").replace(
            "models: {", "models: {n: {id: b, sampling: {temperature: 0.9}}, "
        )
        talk = Talk(timeless, head + STEP + RETRY, only("b", LLMValidationError("no")))
        assert talk.step.output == "done"
        assert [request.sampling.get("temperature") for request in talk.server.asked] == [None, 0.9]

    def test_what_was_used_is_added_up(self, timeless):
        talk = Talk(timeless, HEAD + STEP + RETRY + "    mcp_servers: [box]\n", self.say)
        assert talk.step.usage.total == 4 * 15
