"""One step's talk with its model: repairs, limits, circles, deaths, and a history that only ever grows."""

from __future__ import annotations

import asyncio
import json
import os
from itertools import pairwise
from pathlib import Path

import pytest
from kit.simulator import simulator
from kit.world import MODEL, PaintedBackend, PaintedBox

from runner.chat.messages import ChatAnswer, ToolCall, Usage
from runner.chat.toolbox import Blob, Tool, ToolResult
from runner.edges.model_server.lmstudio import HttpBackend
from runner.edges.model_server.wire import encode_chat
from runner.record.events import (
    AnswerRefused,
    CommandRan,
    ModelAnswered,
    ModelAsked,
    StepWarned,
    ToolCalled,
    ToolReturned,
)
from runner.words.errors import LLMConnectionError, LLMResponseError, ToolServerError

HEAD = "version: 1\nname: flow\n"
NUMBER = "    output: {type: object, required: [n], properties: {n: {type: integer}}}\n"
SERVER = "mcp_servers:\n  box: {command: painted}\n"
ASK = f"{HEAD}steps:\n  - id: a\n    task: Go.\n"
USE = f"{HEAD}{SERVER}steps:\n  - id: a\n    task: Go.\n    mcp_servers: [box]\n"
TOOLS = "The tools are: box__act, box__look."
SHAPE = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


COUNTED = Usage(10, 5)


def says(content="", *calls, finish="stop", usage=COUNTED, cut=False):
    """An answer; a call is ``(id, tool, arguments)``, arguments as data or as text."""
    made = tuple(
        ToolCall(call_id, f"box__{tool}", given if isinstance(given, str) else json.dumps(given))
        for call_id, tool, given in calls
    )
    return ChatAnswer(model=MODEL, content=content, tool_calls=made, usage=usage, finish_reason=finish, cut_call=cut)


class Talk:
    """Runs one task step on a painted model and a painted server; keeps what was asked and called."""

    def __init__(
        self,
        bench,
        text,
        answers,
        answer=lambda tool, arguments: "result",
        tools=None,
        on_restart=lambda: None,
        **parts,
    ):
        script = list(answers) if not callable(answers) else None

        def say(request):
            said = answers(request) if script is None else script.pop(0)
            if isinstance(said, Exception):
                raise said
            return said

        self.backend = PaintedBackend(say)
        tools = tools or (Tool(name="act", effect="none"), Tool(name="look", effect="none"))
        self.box = PaintedBox("box", tools, answer, on_restart)
        self.ran = bench(backend=self.backend, boxes={"box": self.box}, **parts).run(text)
        self.left = script
        self.step = self.ran.finished["a"]

    @property
    def error(self):
        return (self.step.error["kind"], self.step.error["message"]) if self.step.error else None

    @property
    def offered(self):
        return [bool(request.tools) for request in self.backend.asked]

    @property
    def told(self):
        """The words of the last request's last message."""
        return self.backend.asked[-1].messages[-1].content

    def grows(self):
        """Each request begins with the messages of the one before."""
        asked = [request.messages for request in self.backend.asked]
        return all(after[: len(before)] == before for before, after in pairwise(asked))


class TestRepair:
    def test_the_model_is_told_what_is_wrong_and_the_talk_goes_on(self, bench):
        talk = Talk(bench, ASK + NUMBER, [says("seven"), says('{"n": "x"}'), says('{"n": 7}')])
        assert talk.step.output == {"n": 7}
        words = [request.messages[-1].content for request in talk.backend.asked[1:]]
        assert words[1] == (
            "Your answer was not accepted: the answer does not fit the JSON Schema asked for:\n"
            "- n: expected a whole number, got the text `x`\n"
            "Answer again."
        )
        assert "the answer is not JSON" in words[0]
        assert [(e.kind, e.left) for e in talk.ran.events(AnswerRefused)] == [
            ("invalid_output", 1),
            ("invalid_output", 0),
        ]
        assert talk.grows()

    def test_one_budget_for_shape_and_expectation(self, bench):
        text = ASK + NUMBER + "    expect: [{that: output.n > 5, message: it must be large}]\n"
        talk = Talk(bench, text, [says("no"), says('{"n": 1}'), says('{"n": 2}'), says('{"n": 9}')])
        assert talk.error == ("expectation", "it must be large\nthis does not hold: output.n > 5")
        assert [(e.kind, e.left) for e in talk.ran.events(AnswerRefused)] == [("invalid_output", 1), ("expectation", 0)]
        assert len(talk.left) == 1

    def test_the_budget_is_the_steps(self, bench):
        talk = Talk(bench, ASK + NUMBER + "    repair: 0\n", [says("no"), says('{"n": 1}')])
        assert talk.error[0] == "invalid_output"
        assert talk.ran.events(AnswerRefused) == []

    def test_the_budget_may_be_larger(self, bench):
        talk = Talk(bench, ASK + NUMBER + "    repair: 5\n", [*[says("no")] * 5, says('{"n": 1}')])
        assert talk.step.output == {"n": 1}

    def test_a_command_judges_and_its_words_go_to_the_model(self, bench, tmp_path):
        script = f"test -e {tmp_path}/done || (touch {tmp_path}/done; echo 1 failed; echo why >&2; exit 5)"
        talk = Talk(bench, f"{ASK}    expect: [{{run: [sh, -c, '{script}']}}]\n", [says("fixed"), says("fixed now")])
        assert talk.step.output == "fixed now"
        assert talk.told == (
            f"Your work is not accepted yet: the command `sh -c {script}` ended with exit code 5:\n1 failed\nwhy"
        )
        assert [(e.exit_code, e.expectation) for e in talk.ran.events(CommandRan)] == [(5, True), (0, True)]

    def test_an_expectation_that_cannot_be_judged_is_missed(self, bench):
        text = ASK + "    output: {type: object}\n    repair: 0\n    expect: [{that: output.a.b}]\n"
        kind, message = Talk(bench, text, [says("{}")]).error
        assert kind == "expectation"
        assert message.startswith("this cannot be judged: output.a.b (")

    def test_a_command_that_cannot_be_started_fails_the_step(self, bench):
        talk = Talk(bench, f"{ASK}    expect: [{{run: [no-such-command]}}]\n", [says("done")])
        assert talk.error == ("command", "cannot start `no-such-command`: there is no such command (nor file)")

    @pytest.mark.parametrize(
        "text",
        [
            "[" * 200_000,
            '{"n": ' * 100_000,
            '{"n": ' * 600 + "1" + "}" * 600,
            "[" * 900 + "]" * 900,
            "see: " + "[" * 50_000 + "]",
        ],
    )
    def test_brackets_without_end_are_a_wrong_answer(self, bench, text):
        assert Talk(bench, ASK + NUMBER + "    repair: 0\n", [says(text)]).error[0] == "invalid_output"

    def test_an_answer_cut_by_the_limit_of_tokens_is_asked_for_shorter(self, bench):
        talk = Talk(bench, ASK + NUMBER, [says('{"n": 1', finish="length"), says('{"n": 1}')])
        assert talk.step.output == {"n": 1}
        assert talk.told.startswith("Your answer was cut off by the limit of tokens: ")
        assert talk.told.endswith("Answer again, much shorter.")

    def test_text_that_was_cut_is_used_with_a_warning(self, bench):
        talk = Talk(bench, ASK, [says("Once upon", finish="length")])
        assert talk.step.output == "Once upon"
        assert [e.message for e in talk.ran.events(StepWarned)] == [
            "the answer was cut off by max_tokens or the end of the context; it is used as far as it came"
        ]

    def test_calls_without_any_tools_are_refused_and_not_made(self, bench):
        talk = Talk(bench, ASK, [says("", ("c1", "act", {})), says("done")])
        assert (talk.step.output, talk.told) == ("done", "There are no tools to call. Answer now with what you know.")
        assert talk.ran.events(ToolCalled) == []


class TestStartingOver:
    RETRY = "    repair: 0\n    retry: {attempts: 2, wait: 1ms, on: [invalid_output, limit, tool_server]}\n"

    def roles(self, talk):
        return [[message.role for message in request.messages] for request in talk.backend.asked]

    def test_a_refused_answer_is_forgotten(self, bench):
        talk = Talk(
            bench, ASK + NUMBER + self.RETRY.replace("repair: 0", "repair: 1"), [*[says("no")] * 3, says('{"n": 1}')]
        )
        assert talk.step.output == {"n": 1}
        assert self.roles(talk) == [["user"], ["user", "assistant", "user"]] * 2
        assert [len(e.messages) for e in talk.ran.events(ModelAsked)] == [1, 2, 1, 2]

    @pytest.mark.parametrize(("effect", "roles"), [("none", ["user"]), ("unsafe", ["user", "assistant", "tool"])])
    def test_what_was_done_to_the_world_is_not_forgotten(self, bench, effect, roles):
        answers = [says("", ("c1", "act", {})), says("no"), says('{"n": 1}')]
        talk = Talk(bench, USE + NUMBER + self.RETRY, answers, tools=(Tool(name="act", effect=effect),))
        assert talk.step.output == {"n": 1}
        assert self.roles(talk)[-1] == roles

    def test_the_files_word_on_effects_counts(self, bench):
        answers = [says("", ("c1", "act", {})), says("no"), says('{"n": 1}')]
        talk = Talk(bench, USE + NUMBER + self.RETRY + "    effects: unsafe\n", answers)
        assert self.roles(talk)[-1] == ["user", "assistant", "tool"]

    def test_a_limit_of_rounds_counts_anew(self, bench):
        text = USE + NUMBER + self.RETRY + "    limits: {rounds: 2}\n"
        answers = [says("", ("c1", "act", {})), says("no"), says("", ("c1", "act", {})), says('{"n": 1}')]
        talk = Talk(bench, text, answers)
        assert (talk.step.output, talk.step.attempts) == ({"n": 1}, 2)
        assert [e.round for e in talk.ran.events(ModelAsked)] == [1, 2, 1, 2]

    def test_used_up_tokens_do_not_come_back(self, bench):
        talk = Talk(bench, ASK + self.RETRY + "    limits: {tokens: 10}\n", [says("long"), says("again")])
        assert talk.error == ("limit", "the step used 15 tokens, its limit is 10")
        assert talk.step.attempts == 1

    def test_an_answer_that_only_thought_up_to_the_limit(self, bench):
        answers = [LLMResponseError("only thought", kind="limit"), says('{"n": 1}')]
        assert Talk(bench, ASK + NUMBER + self.RETRY, answers).step.output == {"n": 1}


class TestLimits:
    def test_tokens_of_the_step(self, bench):
        text = USE + "    limits: {tokens: 40}\n"
        talk = Talk(bench, text, lambda request: says("", (f"c{len(request.messages)}", "act", {})))
        assert talk.error == ("limit", "the step used 45 tokens, its limit is 40")
        assert talk.step.usage == Usage(30, 15)

    def test_tokens_that_are_used_up_to_the_last_one_end_it_before_it_asks(self, bench):
        talk = Talk(bench, USE + "    limits: {tokens: 15}\n", [says("", ("c1", "act", {})), says("never asked")])
        assert talk.error == ("limit", "the step has used up its limit of 15 tokens")
        assert len(talk.left) == 1

    def test_tokens_of_the_run(self, bench):
        text = HEAD + "limits: {tokens: 20, parallel: 1}\nsteps:\n"
        text += "".join(f"  - {{id: {step}, task: Go.}}\n" for step in "bac")
        talk = Talk(bench, text, [says("one"), says("two"), says("never asked")])
        assert {step: end.status for step, end in talk.ran.finished.items()} == {
            "b": "succeeded",
            "a": "failed",
            "c": "failed",
        }
        assert talk.error == ("limit", "the run used 30 tokens, its limit is 20")
        assert talk.ran.finished["c"].error["message"] == "the run has used up its limit of 20 tokens"

    def test_a_server_that_counts_nothing_is_estimated(self, bench):
        talk = Talk(bench, ASK, [says("a" * 70, usage=Usage())])
        assert talk.step.usage == Usage(round(len("Go.") / 3.5), 20)
        [answered] = talk.ran.events(ModelAnswered)
        assert answered.usage == Usage()

    def test_the_last_round_has_no_tools_and_its_answer_counts(self, bench):
        answers = [says("", ("c1", "act", {})), says("", ("c2", "look", {})), says("all I know")]
        talk = Talk(bench, USE + "    limits: {rounds: 3}\n", answers)
        assert (talk.step.output, talk.offered) == ("all I know", [True, True, False])
        assert [e.message for e in talk.ran.events(StepWarned)] == [
            "it reached its limit of 3 rounds and answered without tools"
        ]
        assert talk.grows()

    def test_an_answer_of_the_last_round_that_does_not_fit(self, bench):
        talk = Talk(
            bench, USE + NUMBER + "    limits: {rounds: 2}\n", [says("", ("c1", "act", {})), says('{"n": "x"}')]
        )
        assert talk.error == (
            "limit",
            "it reached its limit of 2 rounds without an accepted answer: "
            "the answer does not fit the JSON Schema asked for:\n- n: expected a whole number, got the text `x`",
        )
        assert talk.backend.asked[-1].schema == SHAPE

    def test_calls_in_the_last_round_are_not_made(self, bench):
        answers = [says("", ("c1", "act", {})), says("", ("c2", "act", {}))]
        talk = Talk(bench, USE + "    limits: {rounds: 2}\n", answers)
        assert talk.error == (
            "limit",
            "it reached its limit of 2 rounds without an accepted answer: it called tools that were not offered",
        )  # fmt: skip
        assert len(talk.box.calls) == 1

    def test_rounds_bound_repairs_too(self, bench):
        talk = Talk(bench, ASK + NUMBER + "    repair: 9\n    limits: {rounds: 3}\n", lambda request: says("no"))
        assert talk.error[0] == "limit"
        assert talk.error[1].startswith(
            "it reached its limit of 3 rounds without an accepted answer: the answer is not"
        )
        assert len(talk.backend.asked) == 3

    def test_a_limit_of_calls_in_the_middle_of_an_answer(self, bench):
        calls = [(f"c{n}", "act", {"n": n}) for n in range(4)]
        talk = Talk(bench, USE + "    limits: {tool_calls: 2}\n", [says("", *calls), says("what I have")])
        assert (talk.step.output, talk.offered) == ("what I have", [True, False])
        told = [message.content for message in talk.backend.asked[-1].messages if message.role == "tool"]
        refused = "ERROR: the limit of tool calls is reached; answer with what you have."
        assert told == ["result", "result", refused, refused]
        assert len(talk.box.calls) == 2
        assert [e.message for e in talk.ran.events(StepWarned)] == [
            "it reached its limit of tool calls and answered without tools"
        ]

    def test_the_runs_limit_of_calls_holds_for_steps_side_by_side(self, bench):
        steps = "".join(f"  - {{id: {step}, task: Go., mcp_servers: [box]}}\n" for step in "abcd")
        text = f"{HEAD}limits: {{tool_calls: 5}}\n{SERVER}steps:\n{steps}"
        calls = [(f"c{n}", "act", {"n": n}) for n in range(3)]
        talk = Talk(bench, text, lambda request: says("", *calls) if request.tools else says("done"))
        assert len(talk.box.calls) == talk.ran.world.purse.tool_calls == 5
        assert {end.output for end in talk.ran.finished.values()} == {"done"}

    def test_a_tool_step_counts_against_the_run(self, bench):
        steps = "".join(f"  - {{id: {step}, tool: box.act}}\n" for step in "ba")
        talk = Talk(bench, f"{HEAD}limits: {{tool_calls: 1, parallel: 1}}\n{SERVER}steps:\n{steps}", [says("unused")])
        assert talk.ran.finished["b"].output == "result"
        assert talk.error == ("limit", "the run has made its limit of 1 tool calls")


class TestCircles:
    def again(self, request):
        return says("", (f"c{len(request.messages)}", "act", {"x": 1})) if request.tools else says("I give up")

    def test_the_same_call_is_made_three_times_and_refused_three_times(self, bench):
        talk = Talk(bench, USE, self.again)
        assert talk.step.output == "I give up"
        assert (len(talk.box.calls), talk.offered) == (3, [True] * 6 + [False])
        assert [e.message for e in talk.ran.events(StepWarned)] == [
            "it reached 6 identical calls in a row and answered without tools"
        ]

    def test_another_result_is_no_circle(self, bench):
        results = iter(range(100))
        talk = Talk(bench, USE + "    limits: {rounds: 9}\n", self.again, lambda tool, arguments: str(next(results)))
        assert len(talk.box.calls) == 8

    def test_something_else_between_is_no_circle(self, bench):
        def say(request):
            turn = len(request.messages)
            return says("", (f"c{turn}", "look" if turn % 4 == 1 else "act", {})) if request.tools else says("done")

        talk = Talk(bench, USE + "    limits: {rounds: 11}\n", say)
        assert [tool for tool, _ in talk.box.calls] == ["look", "act"] * 5

    def test_the_same_mistake_is_a_circle_too(self, bench):
        def say(request):
            return says("", (f"c{len(request.messages)}", "nothing", {})) if request.tools else says("I give up")

        talk = Talk(bench, USE, say)
        assert (talk.step.output, len(talk.backend.asked), talk.box.calls) == ("I give up", 7, [])

    def test_order_of_arguments_makes_no_difference(self, bench):
        forms = ['{"a": 1, "b": 2}', '{"b": 2, "a": 1}', '{ "a":1,"b":2 }', '{"a": 1.0, "b": 2}']

        def say(request):
            turn = len(request.messages) // 2
            return says("", (f"c{turn}", "act", forms[turn])) if turn < 4 else says("done")

        schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
        talk = Talk(bench, USE, say, tools=(Tool(name="act", input_schema=schema, effect="none"),))
        assert len(talk.box.calls) == 3


class TestCalls:
    def test_several_run_side_by_side_and_return_in_order(self, bench):
        gates = {n: asyncio.Event() for n in range(3)}

        async def answer(tool, arguments):
            n = arguments["n"]
            if n < 2:
                await gates[n + 1].wait()  # each waits for the one after it
            gates[n].set()
            return f"result {n}"

        talk = Talk(bench, USE, [says("", *((f"c{n}", "act", {"n": n}) for n in range(3))), says("done")], answer)
        messages = talk.backend.asked[-1].messages[2:]
        assert [(m.tool_call_id, m.content) for m in messages] == [(f"c{n}", f"result {n}") for n in range(3)]
        assert [e.call for e in talk.ran.events(ToolReturned)] == ["c2", "c1", "c0"]

    def test_a_failing_tool_is_data(self, bench):
        failed = ToolResult(text="no such file", is_error=True)
        talk = Talk(bench, USE, [says("", ("c1", "act", {})), says("done")], lambda tool, arguments: failed)
        assert (talk.step.output, talk.told) == ("done", "ERROR: no such file")

    def test_a_tool_that_fails_in_silence(self, bench):
        failed = ToolResult(text="", is_error=True)
        talk = Talk(bench, USE, [says("", ("c1", "act", {})), says("done")], lambda tool, arguments: failed)
        assert talk.told == "ERROR: the tool failed without saying why"

    @pytest.mark.parametrize(
        ("name", "arguments", "told"),
        [
            ("box__akt", "{}", f"ERROR: there is no tool named box__akt. Did you mean box__act? {TOOLS}"),
            ("zzz", "{}", f"ERROR: there is no tool named zzz. {TOOLS}"),
            ("box__act", "[1]", "ERROR: the arguments must be a JSON object, not list"),
            ("box__act", "[" * 100_000, None),
            ("box__act", '{"a": ', None),
        ],
    )  # fmt: skip
    def test_a_call_that_cannot_be_made_is_answered_in_words(self, bench, name, arguments, told):
        answer = ChatAnswer(model=MODEL, content="", tool_calls=(ToolCall("c1", name, arguments),))
        talk = Talk(bench, USE, [answer, says("done")])
        assert talk.step.output == "done"
        assert talk.told == told or (told is None and talk.told.startswith("ERROR: the arguments are not valid JSON: "))
        assert talk.box.calls == []
        [returned] = talk.ran.events(ToolReturned)
        assert (returned.text, returned.is_error) == (talk.told, True)

    @pytest.mark.parametrize("name", ["box.act", "Box__Act", "act", "box-act"])
    def test_a_name_that_is_almost_right_is_understood(self, bench, name):
        answer = ChatAnswer(model=MODEL, content="", tool_calls=(ToolCall("c1", name, "{}"),))
        talk = Talk(bench, USE, [answer, says("done")])
        assert talk.box.calls == [("act", {})]

    def test_a_cut_call_is_neither_made_nor_kept(self, bench):
        talk = Talk(bench, USE, [says("I will", finish="length", cut=True), says("done")])
        assert talk.step.output == "done"
        assert [m.role for m in talk.backend.asked[-1].messages] == ["user", "assistant", "user"]
        assert talk.told.startswith("Your last answer was cut off in the middle of a tool call, so nothing was called.")

    def test_a_call_that_is_cut_again_and_again_ends_the_step(self, bench):
        talk = Talk(bench, USE, lambda request: says("", finish="length", cut=True))
        assert talk.error == ("limit", "a tool call was cut off by the limit of tokens")
        assert len(talk.backend.asked) == 3

    def test_a_result_too_large_is_shortened_and_kept_whole(self, bench):
        whole = "".join(f"line {n}\n" for n in range(1000))
        text = USE + "    limits: {tool_result: 300}\n"
        talk = Talk(bench, text, [says("", ("c1", "act", {})), says("done")], lambda tool, arguments: whole)
        kept = talk.ran.folder / "artifacts/a/c1.txt"
        assert kept.read_text() == whole
        note = f"\n[… {len(whole) - 300} of {len(whole)} characters cut here; the whole result: artifacts/a/c1.txt …]\n"
        assert talk.told == whole[:200] + note + whole[-100:]
        [returned] = talk.ran.events(ToolReturned)
        assert (returned.characters, returned.artifact) == (len(whole), "artifacts/a/c1.txt")

    def test_what_is_no_text_is_kept_beside(self, bench):
        blobs = (Blob(mime_type="image/png", data=b"\x89PNG"), Blob(mime_type="no/such", data=b"?"))
        result = ToolResult(text="here: [blob 1: image/png, 4 B] and [blob 2: no/such, 1 B]", blobs=blobs)
        talk = Talk(bench, USE, [says("", ("c1", "act", {})), says("done")], lambda tool, arguments: result)
        assert talk.told == (
            "here: [blob 1: image/png, 4 B, kept as artifacts/a/c1-1.png] and "
            "[blob 2: no/such, 1 B, kept as artifacts/a/c1-2.bin]"
        )
        assert (talk.ran.folder / "artifacts/a/c1-1.png").read_bytes() == b"\x89PNG"

    def test_a_display_that_fails_costs_nothing(self, bench):
        shown = []

        def on_delta(step, delta):
            shown.append(delta.text)
            raise RuntimeError("the display is broken")

        talk = Talk(bench, USE, [says("I will", ("c1", "act", {})), says("done")], on_delta=on_delta)
        assert (talk.step.output, shown) == ("done", ["I will"])


class TestDeaths:
    def test_the_model_is_told_and_goes_on(self, bench):
        deaths = [ToolServerError("box", "it was killed")]

        def answer(tool, arguments):
            if deaths:
                raise deaths.pop()
            return "alive"

        talk = Talk(bench, USE, [says("", ("c1", "act", {})), says("", ("c2", "act", {})), says("done")], answer)
        told = [m.content for m in talk.backend.asked[-1].messages if m.role == "tool"]
        assert told == [
            "ERROR: the tool server `box` ended during this call (it was killed); it was started again. "
            "Whether the call had an effect is not known.",
            "alive",
        ]
        assert (talk.step.output, talk.box.restarts) == ("done", 1)

    def test_calls_of_one_answer_that_one_death_cut_off_are_all_told(self, bench):
        dead = True

        def rise():
            nonlocal dead
            dead = False

        async def answer(tool, arguments):
            dies = dead
            await asyncio.sleep(0.01)
            if dies:
                raise ToolServerError("box", "it was killed")
            return "alive"

        calls = [(f"c{n}", "act", {"n": n}) for n in range(3)]
        talk = Talk(bench, USE, [says("", *calls), says("done")], answer, on_restart=rise)
        told = [m.content for m in talk.backend.asked[-1].messages if m.role == "tool"]
        assert (talk.step.output, talk.box.restarts) == ("done", 1)
        assert [text.startswith("ERROR: the tool server `box` ended during this call") for text in told] == [True] * 3

    def test_the_second_death_ends_the_other_calls_too(self, bench):
        async def answer(tool, arguments):
            if arguments["n"] == 0:
                await asyncio.sleep(0.01)
                raise ToolServerError("box", "it was killed")
            await asyncio.sleep(60)

        def calls(request):
            return says("", *((f"c{len(request.messages)}{n}", "act", {"n": n}) for n in range(len(request.messages))))

        talk = Talk(bench, USE, calls, answer)
        assert talk.error == ("tool_server", "it was killed")
        assert (talk.step.attempts, talk.box.restarts, len(talk.box.calls)) == (1, 1, 4)


class TestHistory:
    def test_it_only_grows_whatever_happens(self, bench):
        answers = [
            says("let me see", ("c1", "act", {}), ("c2", "look", {"x": 1})),
            LLMConnectionError("broken"),
            says("", ("c3", "nothing", {})),
            says("", finish="length", cut=True),
            LLMConnectionError("broken"),
            says("no"),
            says('{"n": 1}'),
        ]
        text = USE + NUMBER + "    system: Be good.\n    retry: {attempts: 5, wait: 1ms}\n"
        talk = Talk(bench, text, answers)
        assert talk.step.output == {"n": 1}
        assert talk.grows()
        journalled = [message for e in talk.ran.events(ModelAsked) for message in e.messages]
        last = talk.backend.asked[-1].messages
        assert [(m["role"], m["content"]) for m in journalled] == [(m.role, m.content) for m in last]
        assert [m.get("tool_call_id") for m in journalled] == [m.tool_call_id for m in last]

    def test_bytes_on_the_wire(self, bench, tmp_path):
        """The same over HTTP, with the built-in files: the server finds every prompt in its cache."""
        log = tmp_path / "log.jsonl"
        place = tmp_path / "place"
        place.mkdir()
        (place / "notes.txt").write_text("buy milk\n")
        read = {"tool": "files__read", "arguments": {"path": "notes.txt"}}
        script = {
            "models": {
                "painted/model": {
                    "loaded": True,
                    "tool_use": True,
                    "turns": [
                        {"when": {"turn": 1}, "call": [{"tool": "files__list"}, read]},
                        {"when": {"turn": 2}, "fault": "cut", "say": "half of it", "times": 1},
                        {"when": {"turn": 2}, "call": [{"tool": "files__read", "arguments_text": "{broken"}]},
                        {"when": {"turn": 3}, "say": "It says: buy milk."},
                        {"when": {"user": "not accepted"}, "json": {"n": 1}},
                    ],
                }
            }
        }  # fmt: skip
        text = f"{HEAD}defaults: {{retry: {{wait: 1ms}}}}\nmcp_servers:\n  files: {{builtin: files, root: .}}\nsteps:\n"
        text += "  - id: a\n    task: What do the notes say?\n    mcp_servers: [files]\n" + NUMBER
        with simulator(script, log=log) as url:
            ran = bench(backend=HttpBackend(url)).run(text)
        assert ran.finished["a"].output == {"n": 1}, ran.finished["a"]
        requests = [json.loads(line) for line in log.read_text().splitlines()]
        chats = [r["request"] for r in requests if Path(r["path"]).name == "completions"]
        assert len(chats) == 5
        heads = [json.dumps(chat["messages"])[:-1] for chat in chats]
        assert all(after.startswith(before) for before, after in pairwise(heads))
        assert len({json.dumps(chat["tools"]) for chat in chats}) == 1


def test_secrets_never_reach_the_journal(bench, monkeypatch):
    secret = "correct-horse-battery"
    text = f"{HEAD}secrets: [TOKEN]\nsteps:\n"
    text += "  - {id: b, run: [sh, -c, 'echo \"$T\"; echo \"${TOKEN:-unset}\" >&2'], env: {T: '{{ secrets.TOKEN }}'}}\n"
    text += "  - {id: a, task: 'Repeat {{ steps.b.output }}'}\n"
    environment = {**os.environ, "TOKEN": secret}
    talk = Talk(bench, text, lambda request: says(request.messages[-1].content), environment=environment)
    assert talk.step.output == f"Repeat {secret}"
    assert talk.ran.finished["b"].extras["stderr"] == "unset\n"
    everything = "".join(path.read_text() for path in talk.ran.folder.rglob("*") if path.is_file())
    assert secret not in everything
    assert "[secret TOKEN]" in everything


class TestRequests:
    def test_the_shape_is_asked_for_natively_only_where_no_tools_are_offered(self, bench):
        """Servers that hold the model to a grammar let it call no tool; but who reads knows what to look for."""
        text = USE + NUMBER + "    limits: {rounds: 2}\n"
        talk = Talk(bench, text, [says("", ("1", "look", {})), says('{"n": 1}')])
        assert talk.step.output == {"n": 1}
        bodies = [json.loads(encode_chat(request)) for request in talk.backend.asked]
        assert [("tools" in body, "response_format" in body) for body in bodies] == [(True, False), (False, True)]
        assert [request.schema for request in talk.backend.asked] == [SHAPE, SHAPE]

    def test_of_several_calls_at_once_the_last_is_the_one_that_may_be_repeated(self, bench):
        """``look b`` is made three times in a row; ``look a`` before it does not count."""
        both = says("", ("1", "look", {"at": "a"}), ("2", "look", {"at": "b"}))
        again = [says("", (str(number), "look", {"at": "b"})) for number in (3, 4, 5)]
        talk = Talk(bench, USE, [both, *again, says("done")])
        assert [given["at"] for _, given in talk.box.calls] == ["a", "b", "b", "b"]
        assert talk.told == (
            "ERROR: you made this very call before and got the same answer; use that answer, or do something else."
        )

    def test_the_same_several_calls_over_and_over_are_a_circle_too(self, bench):
        both = [says("", (f"{n}a", "look", {"at": "a"}), (f"{n}b", "look", {"at": "b"})) for n in range(6)]
        talk = Talk(bench, USE, [*both, says("done")])
        assert talk.step.output == "done"
        assert [bool(request.tools) for request in talk.backend.asked] == [*[True] * 6, False]
        [warning] = talk.ran.events(StepWarned)
        assert warning.message == "it reached 6 identical calls in a row and answered without tools"

    def test_several_calls_that_differ_in_one_are_no_circle(self, bench):
        both = [says("", (f"{n}a", "look", {"at": "a"}), (f"{n}b", "look", {"at": str(n)})) for n in range(8)]
        talk = Talk(bench, USE, [*both, says("done")])
        assert [bool(request.tools) for request in talk.backend.asked] == [True] * 9

    def test_a_name_that_could_mean_two_tools_means_none(self, bench):
        tools = (Tool(name="act-it"), Tool(name="act_it"))
        talk = Talk(bench, USE, [says("", ("1", "actit", {})), says("done")], tools=tools)
        assert talk.box.calls == []
        assert talk.told.startswith("ERROR: there is no tool named box__actit.")
