"""Estimates of tokens, and which tool results are shortened when a conversation grows too long."""

from __future__ import annotations

import pytest

from runner.chat.messages import Image, Message, ToolCall, ToolSpec
from runner.chat.trim import Estimator, calibrated, calibration, estimate, trim

SAID = "you may look"


def talk(*results):
    history = [Message("system", "s" * 9_000), Message("user", "u" * 9_000)]
    for number, text in enumerate(results):
        call = ToolCall(str(number), "read", '{"path": "' + "p" * 900 + '"}')
        history += [Message("assistant", SAID, (call,)), Message("tool", text, tool_call_id=str(number))]
    return tuple(history)


def results(history):
    return [message.content for message in history if message.role == "tool"]


class TestEstimate:
    @pytest.mark.parametrize(
        ("text", "tokens"),
        [("", 6), ("a" * 350, 106), ("漢字" * 50, 106), ("привет" * 50, 156), ("ab漢ж" * 20, 48), ("😀" * 10, 16)],
    )
    def test_by_kind_of_character(self, text, tokens):
        assert estimate([Message("user", text)]) == tokens

    def test_images_calls_and_tools_count(self):
        image = Image(path="a.png", media_type="image/png", data="A" * 90_000, size=67_500, sha256="0")
        assert estimate([Message("user", "", images=(image, image))]) == 1_606
        assert estimate([Message("assistant", "", (ToolCall("1", "f" * 7, "{}" * 7),))]) == 6 + 12 + 2 + 4
        assert estimate([], [ToolSpec("f" * 7, "d" * 35, {"type": "object"})]) == 16 + 2 + 10 + 6

    @pytest.mark.parametrize(
        ("estimated", "counted", "ratio"),
        [(1000, 1500, 1.5), (1000, 800, 0.8), (1000, 0, 1.0), (0, 7, 1.0), (10, 10_000, 3.0), (10_000, 10, 0.5)],
    )
    def test_the_ratio_is_learned_within_reason(self, estimated, counted, ratio):
        assert calibration(estimated, counted) == ratio

    def test_a_calibrated_estimate_is_rounded_up(self):
        assert calibrated(101, 1.5) == 152


class TestTrim:
    def test_the_oldest_goes_first_to_head_and_tail_with_a_note(self):
        history = talk("a" * 3_000 + "z" * 3_000, "b" * 6_000, "c" * 6_000, "d" * 6_000)
        trimmed = trim(history, tokens_over=1_000)
        first, *others = results(trimmed.history)
        assert first == (
            "a" * 400
            + "\n[… 5,400 characters of this result were left out to save room;"
            + " call the tool again if you need them …]\n"
            + "z" * 200
        )
        assert others == results(history)[1:]
        assert (trimmed.results, trimmed.characters) == (1, 6_000 - len(first))
        assert trimmed.tokens >= 1_000

    def test_everything_but_results_stays(self):
        history = talk(*["x" * 9_000] * 5)
        trimmed = trim(history, tokens_over=10**6)
        assert [m for m in trimmed.history if m.role != "tool"] == [m for m in history if m.role != "tool"]
        assert [m.tool_call_id for m in trimmed.history] == [m.tool_call_id for m in history]

    def test_the_last_two_are_touched_only_if_nothing_else_is_left_and_no_more_than_needed(self):
        history = talk("a" * 5_000, "b" * 90_000, "c" * 90_000)
        trimmed = trim(history, tokens_over=11_000)
        a, b, c = results(trimmed.history)
        assert len(a) < 800
        assert 40_000 < len(b) < 90_000
        assert c == "c" * 90_000
        assert 11_000 <= trimmed.tokens < 11_200

    def test_results_that_are_short_are_left_alone(self):
        assert trim(talk(*["short"] * 9), tokens_over=1_000) is None

    def test_no_results_and_nothing_over(self):
        assert trim(talk(), tokens_over=1_000) is None
        assert trim(talk("a" * 9_000), tokens_over=0) is None

    @pytest.mark.parametrize("keep_last", [-1, 0, 1, 7])
    def test_any_number_may_be_kept(self, keep_last):
        history = talk("a" * 9_000, "b" * 9_000)
        kept = trim(history, tokens_over=1, keep_last=keep_last)
        assert kept.results == 1
        assert results(kept.history)[1] == "b" * 9_000

    def test_it_comes_to_an_end_and_never_grows(self):
        history = talk(*["ab漢 " * 5_000] * 4)
        sizes = [estimate(history)]
        while (trimmed := trim(history, tokens_over=700)) is not None:
            history = trimmed.history
            sizes.append(estimate(history))
        assert sizes == sorted(set(sizes), reverse=True)
        assert all(len(text) < 1_600 for text in results(history))
        assert all(text.count("were left out") == 1 for text in results(history))

    def test_a_second_trim_adds_to_the_first_note(self):
        once = trim(talk("a" * 50_000), tokens_over=2_000).history
        twice = trim((*once, *talk("", "")[2:]), tokens_over=90_000, keep_last=2).history
        shortest = results(twice)[0]
        assert "[… 49,400 characters of this result" in shortest
        assert shortest.startswith("a" * 400 + "\n[")
        assert shortest.endswith("]\n" + "a" * 200)

    def test_what_is_trimmed_stays_so_while_the_talk_goes_on(self):
        trimmed = trim(talk("a" * 9_000, "b" * 9_000, "c" * 9_000), tokens_over=2_000).history
        longer = (*trimmed, Message("assistant", "more"), Message("tool", "d" * 9_000, tool_call_id="9"))
        again = trim(longer, tokens_over=2_000)
        assert results(again.history)[0] == results(trimmed)[0]
        assert results(again.history)[1] != "b" * 9_000

    def test_a_ratio_counts_in_the_tokens_of_the_server(self):
        history = talk("a" * 90_000)
        assert 4_000 <= trim(history, tokens_over=4_000, ratio=2.0).tokens < 4_300
        assert trim(history, tokens_over=4_000, ratio=2.0).characters < trim(history, tokens_over=4_000).characters

    def test_a_result_that_speaks_of_notes_does_no_harm(self):
        fake = (
            "\n[… ,,, characters of this result were left out to save room; call the tool again if you need them …]\n"
        )
        assert trim(talk("a" * 5_000 + fake + "b" * 5_000), tokens_over=9_000).results == 1


class TestEstimator:
    TOOLS = (ToolSpec("f", "does", {"type": "object"}),)

    def test_it_says_what_estimate_says_however_a_talk_changes(self):
        estimator = Estimator()
        history = [Message("user", "größer " * 20), Message("assistant", "x" * 99)]
        for change in (
            lambda: history.append(Message("tool", "狐 " * 50, tool_call_id="1")),
            lambda: history.__setitem__(1, Message("assistant", "shorter")),
            lambda: history.__delitem__(slice(1, None)),
            lambda: history.append(Message("user", "again")),
        ):
            change()
            for tools in ((), self.TOOLS, (*self.TOOLS, ToolSpec("g", "more", {}))):
                assert estimator.estimate(history, tools) == estimate(history, tools)
            assert estimator.estimate(history, start=1) == estimate(history[1:])

    def test_it_measures_a_message_once(self):
        looks = []

        class Seen(str):
            __slots__ = ()

            def isascii(self):
                looks.append(str(self))
                return super().isascii()

        estimator = Estimator()
        history = [Message("user", Seen("one")), Message("assistant", Seen("two"))]
        estimator.estimate(history)
        history.append(Message("user", Seen("three")))
        estimator.estimate(history)
        estimator.estimate(history, start=2)
        assert looks == ["one", "two", "three"]
