"""What is repeated, after which waits, and until when; and what is never made twice."""

from __future__ import annotations

import asyncio

import pytest
from kit.world import PaintedBackend, PaintedBox, VirtualClock

from runner.chat.messages import ChatAnswer, ToolCall
from runner.chat.toolbox import Tool, ToolResult
from runner.execute.retry import Attempts
from runner.record.events import CommandRan, StepRetried
from runner.words.errors import FAILURE_KINDS, LLMConnectionError, LLMRateLimitError, StepError, ToolServerError
from runner.workflow.model import Retry

HEAD = "version: 1\nname: flow\n"
TRANSIENT = {"connection", "timeout", "rate_limit", "server", "crash", "overloaded", "empty", "tool_server"}


class Trial:
    """Attempts with scripted failures; ``waits`` and ``told`` are what came of them."""

    def __init__(self, *failures, chance=0.5, deadline=1e9, repeatable=True, **policy):
        self.clock = VirtualClock()
        self.failures = list(failures)
        self.tried = []
        self.told = []
        end = self.clock.monotonic() + deadline
        self.attempts = Attempts(
            policy=Retry(**policy),
            clock=self.clock,
            deadline=lambda: end,
            random=lambda: chance,
            repeatable=lambda error: repeatable,
            on_retry=lambda number, error, wait: self.told.append((number, error.kind, wait)),
        )

    async def work(self, number):
        self.tried.append(number)
        if self.failures:
            raise self.failures.pop(0)
        return "done"

    def run(self):
        return asyncio.run(self.attempts.run(self.work))

    def fails(self):
        with pytest.raises((StepError, LLMConnectionError, LLMRateLimitError)) as caught:
            self.run()
        return caught.value


def failure(kind="server", number=1):
    return StepError(kind, f"failure {number}")


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_which_kinds_are_repeated_by_default(kind):
    trial = Trial(failure(kind))
    if kind in TRANSIENT:
        assert trial.run() == "done"
        assert (trial.tried, trial.told) == ([1, 2], [(1, kind, 0.75)])
    else:
        assert trial.fails().kind == kind
        assert (trial.tried, trial.told) == ([1], [])


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_on_names_exactly_what_is_repeated(kind):
    trial = Trial(failure(kind), on=frozenset(("tool", "expectation")))
    if kind in ("tool", "expectation"):
        assert trial.run() == "done"
    else:
        assert trial.fails().kind == kind
    assert len(trial.tried) == (2 if kind in ("tool", "expectation") else 1)


def test_attempts_count_the_first_and_the_last_failure_is_the_one_told():
    trial = Trial(*(failure(number=n) for n in range(1, 9)), attempts=4)
    assert trial.fails().message == "failure 4"
    assert trial.tried == [1, 2, 3, 4]


def test_one_attempt_is_no_retry():
    trial = Trial(failure(), attempts=1)
    assert trial.fails().message == "failure 1"
    assert trial.clock.waits == []


def test_the_second_failure_may_be_of_another_kind():
    trial = Trial(failure(), failure("auth", 2), attempts=5)
    assert trial.fails().message == "failure 2"
    assert trial.tried == [1, 2]


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 0.5), (0.5, 0.75), (0.999, 0.9995)])
def test_waits_double_up_to_a_bound_and_half_of_each_is_chance(chance, factor):
    trial = Trial(*(failure() for _ in range(7)), attempts=7, wait=1.0, max_wait=10.0, chance=chance)
    trial.fails()
    assert trial.clock.waits == pytest.approx([full * factor for full in (1, 2, 4, 8, 10, 10)])
    assert [wait for _, _, wait in trial.told] == trial.clock.waits


def test_any_number_of_attempts_can_be_counted():
    trial = Trial(*(failure() for _ in range(1500)), attempts=1200, wait=0.001, max_wait=0.002)
    trial.fails()
    assert len(trial.tried) == 1200


def test_retry_after_beats_the_longest_wait():
    trial = Trial(LLMRateLimitError("slow down", retry_after=120.0), max_wait=30.0)
    assert trial.run() == "done"
    assert trial.clock.waits == [120.0]


def test_retry_after_never_beats_the_deadline():
    trial = Trial(LLMRateLimitError("slow down", retry_after=120.0), deadline=100.0)
    assert trial.fails().message == "slow down"
    assert (trial.clock.waits, trial.told) == ([], [])


def test_a_rate_limit_that_names_no_time_waits_like_all_others():
    trial = Trial(LLMRateLimitError("slow down"))
    assert trial.run() == "done"
    assert trial.clock.waits == [0.75]


def test_nothing_is_tried_that_would_begin_after_the_deadline():
    trial = Trial(*(failure() for _ in range(9)), attempts=9, wait=1.0, max_wait=60.0, deadline=6.0)
    trial.fails()
    assert trial.clock.waits == [0.75, 1.5, 3.0]


def test_what_can_do_harm_is_not_repeated():
    trial = Trial(failure(), repeatable=False)
    assert trial.fails().message == "failure 1"


def test_what_is_no_failure_of_ours_passes_through():
    async def broken(number):
        raise KeyError(number)

    with pytest.raises(KeyError):
        asyncio.run(Trial().attempts.run(broken))


def test_a_bug_in_the_second_attempt_passes_through():
    async def broken(number):
        if number == 1:
            raise failure()
        raise KeyError(number)

    with pytest.raises(KeyError):
        asyncio.run(Trial().attempts.run(broken))


# --- repeating steps ----------------------------------------------------------------------------------------------

ALL = "retry: {attempts: 3, wait: 1ms, max_wait: 2ms, on: [command, tool, tool_server, expectation, limit, request]}"
SERVER = "mcp_servers:\n  box: {command: painted}\n"


def effect_lines(effects):
    return f"    effects: {effects}\n" if effects else ""


class TestRun:
    @pytest.mark.parametrize(("effects", "times"), [(None, 3), ("none", 3), ("idempotent", 3), ("unsafe", 1)])
    def test_a_command_is_repeated_where_its_author_says_so(self, bench, effects, times):
        ran = bench().run(f"{HEAD}steps:\n  - id: a\n    run: ['false']\n    {ALL}\n{effect_lines(effects)}")
        assert len(ran.events(CommandRan)) == ran.finished["a"].attempts == times

    def test_never_by_default(self, bench):
        ran = bench().run(f"{HEAD}steps:\n  - {{id: a, run: ['false']}}\n")
        assert ran.finished["a"].attempts == 1

    def test_one_that_could_not_be_started_changed_nothing(self, bench):
        ran = bench().run(f"{HEAD}steps:\n  - id: a\n    run: [no-such-command]\n    {ALL}\n    effects: unsafe\n")
        assert ran.finished["a"].attempts == 3

    def test_one_that_wrote_too_much_was_started(self, bench):
        ran = bench().run(f"{HEAD}steps:\n  - id: a\n    run: ['yes']\n    {ALL}\n    effects: unsafe\n")
        assert (ran.finished["a"].attempts, ran.finished["a"].error["kind"]) == (1, "limit")

    def test_an_attempt_that_succeeds_ends_it(self, bench, tmp_path):
        script = f"echo x >> {tmp_path}/log; test $(wc -l < {tmp_path}/log) -ge 2 && echo yes"
        ran = bench().run(f"{HEAD}steps:\n  - id: a\n    shell: true\n    run: '{script}'\n    {ALL}\n")
        assert (ran.finished["a"].output, ran.finished["a"].attempts) == ("yes", 2)
        [retried] = ran.events(StepRetried)
        assert (retried.attempt, retried.kind) == (1, "command")


class TestTool:
    def run(self, bench, answer, *, annotated="unsafe", effects=None, more="", on_restart=lambda: None):
        self.box = PaintedBox("box", (Tool(name="act", effect=annotated),), answer, on_restart)
        text = f"{HEAD}{SERVER}steps:\n  - id: a\n    tool: box.act\n    {more or ALL}\n{effect_lines(effects)}"
        return bench(boxes={"box": self.box}).run(text)

    @pytest.mark.parametrize(
        ("annotated", "effects", "times"),
        [
            ("unsafe", None, 1),
            ("idempotent", None, 3),
            ("none", None, 3),
            ("unsafe", "none", 3),
            ("unsafe", "idempotent", 3),
            ("none", "unsafe", 1),
        ],
    )
    def test_the_files_word_on_effects_beats_the_tools(self, bench, annotated, effects, times):
        failed = ToolResult(text="no", is_error=True)
        ran = self.run(bench, lambda tool, arguments: failed, annotated=annotated, effects=effects)
        assert len(self.box.calls) == ran.finished["a"].attempts == times
        assert ran.finished["a"].error == {"kind": "tool", "message": "box.act failed: no"}

    def test_arguments_that_do_not_fit_were_never_sent(self, bench):
        schema = {"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}}
        box = PaintedBox("box", (Tool(name="act", input_schema=schema),), lambda tool, arguments: "done")
        text = f"{HEAD}{SERVER}steps:\n  - id: a\n    tool: box.act\n    arguments: {{path: 3}}\n    {ALL}\n"
        ran = bench(boxes={"box": box}).run(text)
        assert (box.calls, ran.finished["a"].attempts) == ([], 3)
        assert ran.finished["a"].error["message"] == (
            "the arguments do not fit box.act: path: expected a text, got the number 3"
        )

    def test_a_server_that_dies_once_is_asked_again_if_nothing_can_have_happened(self, bench):
        deaths = [ToolServerError("box", "it died")]

        def answer(tool, arguments):
            if deaths:
                raise deaths.pop()
            return "alive"

        ran = self.run(bench, answer, annotated="none", more="retry: {wait: 1ms}")
        assert (ran.finished["a"].output, ran.finished["a"].attempts, self.box.restarts) == ("alive", 2, 1)

    def test_a_server_that_dies_after_an_effect_is_not_asked_again(self, bench):
        def answer(tool, arguments):
            raise ToolServerError("box", "it died")

        ran = self.run(bench, answer, more="retry: {wait: 1ms}")
        assert (ran.finished["a"].error["kind"], len(self.box.calls)) == ("tool_server", 1)

    def test_a_server_that_is_dead_for_good_is_not_asked_a_third_time(self, bench):
        def answer(tool, arguments):
            raise ToolServerError("box", "it died")

        ran = self.run(bench, answer, annotated="none", more="retry: {attempts: 9, wait: 1ms}")
        assert (ran.finished["a"].error["kind"], len(self.box.calls), self.box.restarts) == ("tool_server", 2, 1)


class TestTask:
    def run(self, bench, say, *, answer=lambda tool, arguments: "read", annotated="none", effects=None, more=ALL):
        self.backend = PaintedBackend(say)
        self.box = PaintedBox("box", (Tool(name="act", effect=annotated),), answer)
        step = f"  - id: a\n    task: Go.\n    mcp_servers: [box]\n    {more}\n{effect_lines(effects)}"
        text = f"{HEAD}{SERVER}steps:\n{step}"
        return bench(backend=self.backend, boxes={"box": self.box}).run(text)

    @staticmethod
    def call(number=1):
        return ChatAnswer(model="painted/model", content="", tool_calls=(ToolCall(f"c{number}", "box__act", "{}"),))

    def test_the_talk_goes_on_after_a_broken_request(self, bench):
        script = [self.call(), LLMConnectionError("broken"), LLMConnectionError("broken"), "done"]

        def say(request):
            said = script.pop(0)
            if isinstance(said, Exception):
                raise said
            return said

        ran = self.run(bench, say, annotated="unsafe", more="retry: {wait: 1ms}")
        assert (ran.finished["a"].output, ran.finished["a"].attempts, len(self.box.calls)) == ("done", 3, 1)
        roles = [[message.role for message in request.messages] for request in self.backend.asked]
        assert roles == [["user"], *[["user", "assistant", "tool"]] * 3]

    @pytest.mark.parametrize(
        ("annotated", "effects", "calls"),
        [("none", None, 2), ("idempotent", None, 2), ("unsafe", None, 2), ("none", "unsafe", 2)],
    )
    def test_a_server_dead_for_good_ends_it_whatever_the_effects(self, bench, annotated, effects, calls):
        def die(tool, arguments):
            raise ToolServerError("box", "it died")

        ran = self.run(bench, lambda request: self.call(len(request.messages)), answer=die, annotated=annotated,
                       effects=effects, more="retry: {wait: 1ms}")  # fmt: skip
        assert ran.finished["a"].error == {"kind": "tool_server", "message": "it died"}
        assert (len(self.box.calls), ran.finished["a"].attempts) == (calls, 1)
