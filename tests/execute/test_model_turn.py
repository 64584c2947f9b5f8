"""One turn of a conversation: room is made, forms are simplified, and history only ever grows."""

from __future__ import annotations

import json

import pytest
from kit.painted_server import PaintedModel, PaintedServer
from kit.world import PaintedBox

from runner.chat.messages import ChatAnswer, ToolCall, Usage
from runner.chat.toolbox import Tool
from runner.chat.trim import estimate
from runner.record.events import HistoryTrimmed, ModelAsked, RequestDegraded, StepRetried
from runner.words.errors import ContextError, LLMValidationError

HEAD = "version: 1\nname: flow\n"
SERVER = "mcp_servers: {box: {command: painted}}\n"


def text(*more, context=8192, sampling="", tools=True):
    lines = [
        f"{HEAD}{SERVER if tools else ''}models: {{m: {{id: a, load: {{context_length: {context}}}{sampling}}}}}\n"
    ]
    lines.append("steps:\n  - id: s\n    model: m\n    task: Go.\n" + ("    mcp_servers: [box]\n" if tools else ""))
    lines += [f"    {line}\n" for line in ("retry: {attempts: 1}", *more)]
    return "".join(lines)


LOOK = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0}}}


class Talk:
    """A step whose model calls ``look`` so often; ``judge(request, tokens)`` may refuse what it is asked."""

    def __init__(
        self,
        bench,
        file,
        *,
        calls=3,
        size=3000,
        judge=lambda request, tokens: None,
        count=lambda tokens: tokens,
        words="",
    ):
        self.words = words
        self.calls, self.judge, self.count = calls, judge, count
        self.server = PaintedServer({"a": PaintedModel()}, self.say)
        self.box = PaintedBox(
            "box",
            (Tool(name="look", effect="none", input_schema=LOOK),),
            lambda tool, given: f"{given['n']} " + "x" * size,
        )
        self.ran = bench(backend=self.server, boxes={"box": self.box}).run(file)
        self.step = self.ran.finished["s"]
        self.asked = self.server.asked

    def say(self, request):
        tokens = estimate(request.messages, request.tools)
        if request.messages[-1].content == "Write.":
            return self.words
        refusal = self.judge(request, tokens)
        if isinstance(refusal, Exception):
            raise refusal
        if refusal is not None:
            return refusal
        made = sum(len(message.tool_calls) for message in request.messages)
        usage = Usage(self.count(tokens), 5)
        if request.tools and made < self.calls:
            call = ToolCall(f"c{made}", "box__look", json.dumps({"n": made}))
            return ChatAnswer(model=request.model, content="", tool_calls=(call,), usage=usage)
        return ChatAnswer(model=request.model, content="done", usage=usage)

    @property
    def trims(self):
        return self.ran.events(HistoryTrimmed)

    @property
    def forms(self):
        return [event.form for event in self.ran.events(RequestDegraded)]


def given(file):
    """The file with a task of which a plan knows nothing before it runs: another step wrote it."""
    first = "steps:\n  - id: w\n    model: m\n    task: Write.\n"
    return file.replace("steps:\n", first, 1).replace("task: Go.", 'task: "{{ steps.w.output }}"')


class TestRoom:
    def test_a_short_talk_is_left_alone(self, timeless):
        talk = Talk(timeless, text())
        assert (talk.step.output, talk.trims) == ("done", [])

    def test_the_oldest_results_are_shortened_first_and_the_model_is_told(self, timeless):
        talk = Talk(timeless, text(), calls=9, size=4000)
        assert talk.step.output == "done"
        results = [m.content for m in talk.asked[-1].messages if m.role == "tool"]
        assert "characters of this result were left out to save room; call the tool again" in results[0]
        assert results[-1] == "8 " + "x" * 4000
        assert talk.trims[0].context_length == 8192
        assert all(estimate(r.messages, r.tools) + 2048 <= 8192 for r in talk.asked)
        assert len(talk.box.calls) == 9

    def test_seldom(self, timeless):
        """Each trim costs the server's cache of the whole prompt."""
        talk = Talk(timeless, text(), calls=18, size=2000)
        assert talk.step.output == "done"
        assert 1 <= len(talk.trims) <= 5

    def test_a_step_may_forbid_it(self, timeless):
        talk = Talk(timeless, text("context: fail"), calls=9, size=4000)
        kind, message = talk.step.error["kind"], talk.step.error["message"]
        assert kind == "context"
        assert message.endswith("`a` has a context of 8,192, and `context: fail` forbids to shorten it")
        assert talk.trims == []

    def test_a_prompt_that_never_fits_is_not_sent(self, timeless):
        talk = Talk(timeless, given(text(tools=False)), words="word " * 9000)
        assert talk.step.error["kind"] == "context"
        assert talk.step.error["message"].endswith("and 2,048 for the answer, and `a` has a context of 8,192")
        assert "(`load: {context_length: …}`)" in talk.step.error["hint"]
        assert [request.messages[-1].content for request in talk.asked] == ["Write."]

    def test_what_is_in_doubt_is_left_to_the_server(self, timeless):
        assert Talk(timeless, given(text(tools=False)), words="x" * int(5900 * 3.5)).step.output == "done"

    def test_the_files_own_reserve(self, timeless):
        file = given(text(tools=False, sampling=", sampling: {max_tokens: 6000}"))
        assert "and 6,000 for the answer" in Talk(timeless, file, words="x" * 9000).step.error["message"]

    def test_the_servers_count_is_believed(self, timeless):
        """Its tokens are twice as many as ours: trimmed as they are counted, not as we thought."""
        talk = Talk(timeless, text(), calls=9, size=2000, count=lambda tokens: tokens * 2)
        assert talk.step.output == "done"
        assert talk.trims != []
        assert all(estimate(r.messages, r.tools) * 2 + 2048 <= 8192 for r in talk.asked)


def overflow(tokens, context=8192):
    return ContextError("`a` has no room for the prompt", n_prompt_tokens=tokens, n_ctx=context)


class TestOverflow:
    def test_what_the_server_refuses_is_shortened_and_asked_again(self, timeless):
        def judge(request, tokens):
            return overflow(tokens, 5000) if tokens > 4000 else None

        talk = Talk(timeless, text(), calls=4, size=5000, judge=judge)
        assert talk.step.output == "done"
        assert talk.ran.events(StepRetried) == []
        assert talk.trims[0].context_length == 5000

    def test_a_context_that_was_learned_is_kept_to(self, timeless):
        refused = []

        def judge(request, tokens):
            if tokens > 4000:
                refused.append(tokens)
                return overflow(tokens, 6000)
            return None

        talk = Talk(timeless, text(), calls=12, size=3000, judge=judge)
        assert talk.step.output == "done"
        assert len(refused) == 1

    def test_not_without_end(self, timeless):
        talk = Talk(
            timeless, text(), judge=lambda request, tokens: overflow(tokens) if len(request.messages) > 1 else None
        )
        assert talk.step.error["kind"] == "context"
        assert len(talk.asked) <= 5

    def test_nor_where_it_is_forbidden(self, timeless):
        judge = lambda request, tokens: overflow(tokens) if len(request.messages) > 1 else None  # noqa: E731 - short
        talk = Talk(timeless, text("context: fail"), judge=judge)
        assert (talk.step.error["kind"], len(talk.asked)) == ("context", 2)

    def test_a_prompt_that_was_cut_silently_is_shortened_instead(self, timeless):
        """The server drops the middle of what is over 4,000 tokens and counts the rest."""
        talk = Talk(timeless, text(), calls=5, size=5000, count=lambda tokens: tokens if tokens <= 4000 else 2500)
        assert talk.step.output == "done"
        assert talk.trims != []
        full = [m.content for m in talk.asked[-1].messages if m.role == "tool"]
        assert full[-1].startswith("4 x")

    def test_a_full_pool_is_asked_once_more_alone(self, timeless):
        refused = []

        def judge(request, tokens):
            if len(refused) < 1:
                refused.append(talk_busy())
                return ContextError("Context size has been exceeded.", pool=True)
            return None

        def talk_busy():
            return len(refused)

        talk = Talk(timeless, text(), judge=judge)
        assert (talk.step.output, talk.trims, talk.ran.events(StepRetried)) == ("done", [], [])

    def test_and_then_shortened(self, timeless):
        def judge(request, tokens):
            results = [m for m in request.messages if m.role == "tool"]
            return ContextError("exceeded", pool=True) if any(len(m.content) > 2500 for m in results) else None

        talk = Talk(timeless, text(), calls=1, judge=judge)
        assert talk.step.output == "done"
        assert [trim.results for trim in talk.trims] == [1]


def messages_of(request):
    """What a server reads, as the words of it."""
    return [(m.role, m.content, m.tool_calls, m.tool_call_id) for m in request.messages]


class TestForms:
    @pytest.mark.parametrize(
        ("complaint", "forms"),
        [
            ("failed to parse grammar", ["with simpler schemas", "with its tools described as text"]),
            (
                "Error rendering prompt with jinja template",
                ["with merged roles", "with its tools described as text"],
            ),
            ("this model does not support tools", ["with its tools described as text"]),
        ],
    )
    def test_down_the_ladder_until_it_is_taken(self, timeless, complaint, forms):
        def judge(request, tokens):
            return LLMValidationError(f"`a` refuses the request: {complaint}") if request.tools else None

        talk = Talk(timeless, text(), calls=0, judge=judge)
        words = [form.rpartition(", ")[2] for form in talk.forms]
        assert (talk.step.output, words) == ("done", forms)
        assert talk.ran.events(StepRetried) == []
        assert "box__look" in talk.asked[-1].messages[0].content

    def test_it_stays_with_what_was_taken(self, timeless):
        def judge(request, tokens):
            refuses = any("minimum" in json.dumps(tool.parameters) for tool in request.tools)
            return LLMValidationError("failed to parse grammar") if refuses else None

        talk = Talk(timeless, text(), calls=4, judge=judge)
        assert (talk.step.output, talk.forms, len(talk.box.calls)) == ("done", ["with simpler schemas"], 4)

    def test_an_answer_with_a_schema(self, timeless):
        output = "output: {type: object, required: [n], properties: {n: {type: integer, minimum: 1}}}"

        def judge(request, tokens):
            if request.schema is not None:
                return LLMValidationError("failed to parse grammar")
            return ChatAnswer(model="a", content='{"n": 3}', usage=Usage(10, 5))

        talk = Talk(timeless, text(output, tools=False), judge=judge)
        assert talk.step.output == {"n": 3}
        assert [form.rpartition(", ")[2] for form in talk.forms] == [
            "with simpler schemas",
            "without `response_format`",
        ]

    def test_a_complaint_of_another_kind_is_not_answered_so(self, timeless):
        talk = Talk(timeless, text(), judge=lambda request, tokens: LLMValidationError("you have no right to do this"))
        assert (talk.step.error["kind"], talk.forms, len(talk.asked)) == ("request", [], 1)

    def test_the_end_of_the_ladder_is_an_error(self, timeless):
        talk = Talk(timeless, text(), judge=lambda request, tokens: LLMValidationError("jinja template broken"))
        assert talk.step.error["kind"] == "request"
        assert len(talk.asked) == 3


class TestJournal:
    def test_it_keeps_what_was_said_whole_although_it_was_shortened(self, timeless):
        talk = Talk(timeless, text(), calls=9, size=4000)
        said = [m for event in talk.ran.events(ModelAsked) for m in event.messages if m["role"] == "tool"]
        assert [m["content"] for m in said] == [f"{n} " + "x" * 4000 for n in range(9)]
