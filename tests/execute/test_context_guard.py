"""The sizes of a conversation: counted where the server counts, estimated where it does not, and cuts are noticed."""

from __future__ import annotations

import pytest

from runner.chat.messages import ChatAnswer, Message, ToolSpec, Usage
from runner.chat.trim import estimate
from runner.execute.context_guard import ContextGuard
from runner.words.errors import ContextError

TOOLS = (ToolSpec("look", "Look at something.", {"type": "object", "properties": {}}),)


def talk(*sizes):
    """Messages with so many characters."""
    return [Message("user" if n % 2 == 0 else "assistant", "x" * size) for n, size in enumerate(sizes)]


def counted(tokens):
    return ChatAnswer(model="m", content="", usage=Usage(tokens, 1))


class TestReserve:
    @pytest.mark.parametrize(
        ("asked", "context", "kept"),
        [
            (None, None, 2048),
            (None, 65536, 2048),
            (None, 4096, 1024),
            (None, 512, 256),
            (700, 4096, 700),
            (-1, 4096, 1024),
        ],
    )
    def test_as_the_file_says_or_a_quarter(self, asked, context, kept):
        assert ContextGuard(asked).reserve(context) == kept


class TestTokens:
    def test_estimated_at_first(self):
        history = talk(3500)
        assert ContextGuard(None).tokens(history, TOOLS) == estimate(history, TOOLS)

    def test_as_the_server_counted_and_the_rest_in_its_measure(self):
        guard, history = ContextGuard(None), talk(3500)
        guard.answered(history, (), counted(2 * estimate(history)), 8192)
        longer = history + talk(350)
        assert guard.tokens(longer, ()) == 2 * estimate(history) + 2 * estimate(talk(350))

    def test_other_tools_are_another_request(self):
        guard, history = ContextGuard(None), talk(3500)
        guard.answered(history, TOOLS, counted(estimate(history, TOOLS)), 8192)
        assert guard.tokens(history, ()) == estimate(history)

    def test_a_server_that_counts_nothing_teaches_nothing(self):
        guard, history = ContextGuard(None), talk(3500)
        guard.answered(history, (), counted(0), 8192)
        assert guard.tokens(history, ()) == estimate(history)

    @pytest.mark.parametrize("forget", [lambda guard: guard.forget(), lambda guard: guard.trimmed(tool_talk(), 10)])
    def test_what_was_counted_is_forgotten_but_not_the_measure(self, forget):
        guard, history = ContextGuard(None), talk(3500)
        guard.answered(history, (), counted(2 * estimate(history)), 8192)
        forget(guard)
        assert guard.tokens(history, ()) == pytest.approx(2 * estimate(history), abs=2)


def tool_talk():
    return [Message("user", "go"), *(Message("tool", "x" * 9000, tool_call_id=str(n)) for n in range(4))]


class TestOver:
    def test_no_bound(self):
        assert ContextGuard(None).over(talk(10**6), (), None) == 0

    def test_a_tenth_is_doubted_in_an_estimate(self):
        guard = ContextGuard(1000)
        fits = talk(int((9000 / 1.1 - 7) * 3.5))
        assert guard.over(fits, (), 10_000) == 0
        assert guard.over(fits + talk(100), (), 10_000) > 0

    def test_nothing_is_doubted_in_a_count(self):
        guard, history = ContextGuard(1000), talk(31_000)
        guard.answered(history, (), counted(9000), 10_000)
        assert guard.over(history, (), 10_000) == 0

    def test_so_much_that_the_next_trim_is_far(self):
        guard, history = ContextGuard(1000), talk(31_000)
        guard.answered(history, (), counted(9001), 10_000)
        assert guard.over(history, (), 10_000) == 9001 - 6300


class TestCuts:
    def refused(self, guard, history, tokens, context=8192):
        with pytest.raises(ContextError) as caught:
            guard.answered(history, (), counted(tokens), context)
        return caught.value

    def test_a_prompt_that_fills_the_whole_context(self):
        error = self.refused(ContextGuard(None), talk(10), 8192)
        assert str(error) == (
            "the server cut the prompt without a word: it counts 8,192 tokens, and it fills the whole context of"
            " 8,192 tokens"
        )
        assert (error.n_prompt_tokens, error.n_ctx, error.pool) == (8192, 8192, False)

    def test_a_prompt_that_grew_and_is_counted_at_less(self):
        guard, history = ContextGuard(None), talk(9000)
        guard.answered(history, (), counted(4000), 8192)
        error = self.refused(guard, history + talk(9000), 3500)
        assert "it counts 3,500 tokens, and it had 4,000 tokens one turn earlier" in str(error)

    def test_templates_may_drop_a_little(self):
        """Some leave out the thoughts of earlier turns."""
        guard, history = ContextGuard(None), talk(9000)
        guard.answered(history, (), counted(4000), 8192)
        guard.answered(history + talk(10), (), counted(3700), 8192)

    def test_after_a_trim_less_is_right(self):
        guard, history = ContextGuard(None), tool_talk()
        guard.answered(history, (), counted(8000), None)
        cut = guard.trimmed(history, 4000)
        guard.answered(cut.history, (), counted(3000), None)
        assert guard.tokens(cut.history, ()) == 3000

    def test_a_text_that_no_vocabulary_makes_so_few_tokens_of(self):
        prose = [Message("user", "the quick brown fox jumps over lazy dogs " * 150)]
        error = self.refused(ContextGuard(None), prose, 750, 32768)
        assert "it counts 750 tokens, and it has 6,150 characters" in str(error)
        ContextGuard(None).answered(prose, (), counted(1400), 32768)

    def test_what_came_anew_is_judged_by_itself(self):
        guard, history = ContextGuard(None), [Message("user", "a short beginning of some words")]
        guard.answered(history, (), counted(10), 32768)
        longer = [*history, Message("assistant", ""), Message("tool", "line after line of a log\n" * 200)]
        assert "characters that are new" in str(self.refused(guard, longer, 300, 32768))

    def test_runs_of_one_character_are_few_tokens_in_truth(self):
        ContextGuard(None).answered([Message("user", " " * 9000 + "-" * 9000)], (), counted(300), 32768)

    def test_a_server_that_counts_only_what_is_new_is_not_blamed(self):
        """Some do; only LM Studio is known to cut and to count all."""
        guard, history = ContextGuard(None), talk(9000)
        guard.answered(history, (), counted(2600), 8192, may_cut=False)
        guard.answered(history + talk(10), (), counted(12), 8192, may_cut=False)
        assert guard.tokens(history + talk(10), ()) > 2000
