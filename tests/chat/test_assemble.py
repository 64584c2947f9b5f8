"""From the chunks of a stream to one answer, in every dialect."""

from __future__ import annotations

import pytest

from runner.chat.assemble import AnswerAssembler, bare_name
from runner.chat.messages import ChatRequest, Delta, Message, ToolCall, ToolSpec, Usage
from runner.words.errors import LLMResponseError

WHERE = "http://127.0.0.1:1234"


def chunk(finish=None, model="qwen3", **delta):
    return {"model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(index=0, id=None, name=None, arguments=None):
    function = {k: v for k, v in (("name", name), ("arguments", arguments)) if v is not None}
    piece = {"index": index, "id": id, "function": function}
    return {k: v for k, v in piece.items() if v is not None}


def assemble(*chunks, model="qwen3", answers_as=(), schema=None, messages=(), also=(), on_delta=None, whole=False):
    request = ChatRequest(model=model, messages=messages, answers_as=frozenset(answers_as), schema=schema)
    assembler = AnswerAssembler(request, where=WHERE, also=also, on_delta=on_delta)
    for one in chunks:
        assembler.feed(one, whole=whole)
    return assembler.answer()


def test_text_thinking_and_usage_are_put_together_in_order():
    heard = []
    answer = assemble(
        chunk(role="assistant", reasoning_content="Okay"),
        chunk(reasoning_content=", so"),
        chunk(role="assistant", content="It"),
        chunk(content=" is"),
        chunk("stop"),
        {"choices": [], "usage": {"prompt_tokens": 15, "completion_tokens": 3,
                                  "completion_tokens_details": {"reasoning_tokens": 2}}},
        on_delta=heard.append,
    )  # fmt: skip
    assert (answer.content, answer.reasoning, answer.finish_reason) == ("It is", "Okay, so", "stop")
    assert answer.usage == Usage(15, 3, 2)
    assert heard == [
        Delta("reasoning", "Okay"), Delta("reasoning", ", so"), Delta("content", "It"), Delta("content", " is"),
    ]  # fmt: skip


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None}, {"prompt_tokens": "7"}, "many", [1]])
def test_a_usage_that_says_nothing_counts_as_zero(usage):
    assert assemble({**chunk("stop", content="hi"), "usage": usage}).usage == Usage()


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": "no"},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": None, "tool_calls": None}}]},
        {"choices": [{"delta": {"tool_calls": []}}]},
        {"choices": [{"delta": {"tool_calls": [None, 3, {"function": None}]}}]},
        {"choices": [{"index": 1, "delta": {"content": "another choice"}, "finish_reason": "length"}]},
        {"model": ""},
    ],
)
def test_odd_chunks_change_nothing(odd):
    answer = assemble(odd, chunk(content="hi"), odd, chunk("stop"), odd)
    assert (answer.content, answer.tool_calls, answer.finish_reason) == ("hi", (), "stop")


def test_content_in_parts_is_text():
    assert assemble(chunk("stop", content=[{"type": "text", "text": "a"}, {"type": "x"}, 3])).content == "a"


def test_reasoning_under_its_older_name():
    assert assemble(chunk(reasoning="hm"), chunk("stop", content="yes")).reasoning == "hm"


def test_a_plain_body_needs_no_finish():
    body = {"model": "qwen3", "choices": [{"message": {"content": "hi", "tool_calls": []}}]}
    assert assemble(body, whole=True).content == "hi"


class TestToolCalls:
    def test_partial_arguments(self):
        heard = []
        answer = assemble(
            chunk(content="I look."),
            chunk(tool_calls=[call(id="519801730", name="weather", arguments="")]),
            chunk(tool_calls=[call(arguments='{"city":')]),
            chunk(tool_calls=[call(arguments='"Paris"}')]),
            chunk("tool_calls"),
            on_delta=heard.append,
        )
        assert answer.tool_calls == (ToolCall("519801730", "weather", '{"city":"Paris"}'),)
        assert (answer.content, answer.finish_reason) == ("I look.", "tool_calls")
        assert [d.text for d in heard if d.kind == "tool"] == ["weather", '{"city":', '"Paris"}']

    @pytest.mark.parametrize(
        "later", [{"id": "", "name": ""}, {"id": "7", "name": "f"}, {"id": "7"}, {"name": "f"}, {}]
    )
    def test_what_is_repeated_or_empty_on_later_pieces_does_no_harm(self, later):
        first = call(id="7", name="f", arguments='{"a"')
        answer = assemble(chunk(tool_calls=[first]), chunk(tool_calls=[call(arguments=":1}", **later)]), chunk("stop"))
        assert answer.tool_calls == (ToolCall("7", "f", '{"a":1}'),)
        assert answer.finish_reason == "tool_calls"

    def test_parallel_calls_interleaved_by_index(self):
        answer = assemble(
            chunk(tool_calls=[call(0, "1", "f", "{"), call(1, "2", "g", "{")]),
            chunk(tool_calls=[call(1, arguments='"b":2}')]),
            chunk(tool_calls=[call(0, arguments='"a":1}')]),
            chunk("tool_calls"),
        )
        assert answer.tool_calls == (ToolCall("1", "f", '{"a":1}'), ToolCall("2", "g", '{"b":2}'))

    def test_one_index_for_all_but_another_id_begins_another_call(self):
        answer = assemble(
            chunk(tool_calls=[call(0, "call_a", "f", '{"n":1}')]),
            chunk(tool_calls=[call(0, "call_b", "f", '{"n":2}')]),
            chunk("stop"),
        )
        assert answer.tool_calls == (ToolCall("call_a", "f", '{"n":1}'), ToolCall("call_b", "f", '{"n":2}'))

    def test_one_index_for_all_and_no_ids_a_whole_call_is_followed_by_another(self):
        answer = assemble(
            chunk(tool_calls=[call(0, name="f", arguments='{"n":1}')]),
            chunk(tool_calls=[call(0, name="f", arguments='{"n":2}')]),
            chunk("stop"),
        )
        assert [c.arguments for c in answer.tool_calls] == ['{"n":1}', '{"n":2}']

    def test_pieces_without_an_index_belong_to_the_last_call(self):
        first, second = {"id": "1", "function": {"name": "f", "arguments": "{"}}, {"function": {"arguments": "}"}}
        answer = assemble(chunk(tool_calls=[first]), chunk(tool_calls=[second]), chunk("tool_calls"))
        assert answer.tool_calls == (ToolCall("1", "f", "{}"),)

    def test_arguments_as_an_object(self):
        answer = assemble(chunk("stop", tool_calls=[call(id="1", name="f", arguments={"a": [1]})]))
        assert answer.tool_calls == (ToolCall("1", "f", '{"a": [1]}'),)

    def test_no_arguments_are_an_empty_object(self):
        assert assemble(chunk("stop", tool_calls=[call(id="1", name="f")])).tool_calls[0].arguments == "{}"

    def test_broken_arguments_are_kept_for_the_tool_to_complain_of(self):
        answer = assemble(chunk("tool_calls", tool_calls=[call(id="1", name="f", arguments='{"a": oops')]))
        assert answer.tool_calls == (ToolCall("1", "f", '{"a": oops'),)

    def test_ids_that_are_empty_repeated_or_taken_are_replaced(self):
        history = (Message("assistant", "", (ToolCall("9", "f", "{}"),)),)
        calls = [call(0, "", "a", "{}"), call(1, "5", "b", "{}"), call(2, "5", "c", "{}"), call(3, "9", "d", "{}")]
        answer = assemble(chunk("tool_calls", tool_calls=calls), messages=history)
        assert [c.id for c in answer.tool_calls] == ["100000002", "5", "100000003", "100000004"]

    def test_control_words_in_a_name_are_cut_off(self):
        answer = assemble(chunk("stop", tool_calls=[call(id="1", name="read<|channel|>commentary", arguments="{}")]))
        assert answer.tool_calls[0].name == "read"

    def test_a_call_without_a_name_is_no_call(self):
        with pytest.raises(LLMResponseError, match="answered nothing"):
            assemble(chunk("tool_calls", tool_calls=[call(id="1", arguments="{}")]))

    def test_a_call_cut_by_the_limit_is_left_out_and_the_answer_says_so(self):
        answer = assemble(
            chunk(tool_calls=[call(0, "1", "f", '{"a":1}')]),
            chunk(tool_calls=[call(1, "2", "f", '{"a":')]),
            chunk("length"),
        )
        assert answer.tool_calls == (ToolCall("1", "f", '{"a":1}'),)
        assert (answer.finish_reason, answer.cut_call) == ("length", True)

    def test_the_only_call_cut_before_its_arguments(self):
        answer = assemble(chunk("length", tool_calls=[call(0, "1", "f", "")]))
        assert (answer.tool_calls, answer.finish_reason, answer.cut_call) == ((), "length", True)

    def test_a_whole_call_at_the_limit_stays(self):
        answer = assemble(chunk("length", tool_calls=[call(0, "1", "f", "{}")]))
        assert (len(answer.tool_calls), answer.finish_reason, answer.cut_call) == (1, "length", False)

    def test_a_finish_that_promises_calls_without_any_is_a_stop(self):
        assert assemble(chunk("tool_calls", content="done", tool_calls=[])).finish_reason == "stop"


class TestThinkingInContent:
    @pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
    @pytest.mark.parametrize(("opening", "closing"), [("<think>", "</think>"), ("[THINK]", "[/THINK]")])
    def test_tags_are_found_however_they_are_cut(self, size, opening, closing):
        text = f"\n{opening}one < two{closing}\n\nThe answer < all"
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        heard = []
        answer = assemble(*(chunk(content=p) for p in pieces), chunk("stop"), on_delta=heard.append)
        assert (answer.reasoning, answer.content) == ("one < two", "The answer < all")
        assert "".join(d.text for d in heard if d.kind == "reasoning") == "one < two"

    @pytest.mark.parametrize("text", ["<thin ice", "a <think>b</think>", "<", "the tag `</think>` ends it", "\n x"])
    def test_other_text_is_left_alone(self, text):
        answer = assemble(chunk(content=text), chunk("stop"))
        assert (answer.reasoning, answer.content) == ("", text)

    def test_only_the_closing_tag_on_its_own_line(self):
        answer = assemble(chunk(content="Let me see.\n</think>\n\nYes."), chunk("stop"))
        assert (answer.reasoning, answer.content) == ("Let me see.", "Yes.")

    def test_thinking_that_never_ends_is_no_answer(self):
        with pytest.raises(LLMResponseError) as caught:
            assemble(chunk(content="<think>round and round"), chunk("stop"))
        assert str(caught.value) == f"`qwen3` on {WHERE} only thought and did not answer"
        assert caught.value.kind == "empty"

    def test_json_that_landed_in_the_thinking_is_the_answer_if_json_was_asked(self):
        answer = assemble(chunk(reasoning_content='{"a": 1}'), chunk("stop"), schema={"type": "object"})
        assert (answer.content, answer.reasoning) == ('{"a": 1}', "")

    def test_prose_in_the_thinking_is_none(self):
        with pytest.raises(LLMResponseError, match="only thought"):
            assemble(chunk(reasoning_content="hm"), chunk("stop"), schema={"type": "object"})


class TestFailures:
    def test_a_stream_without_a_finish_broke_off(self):
        with pytest.raises(LLMResponseError) as caught:
            assemble(chunk(content="half an answ"))
        assert str(caught.value) == f"the answer of `qwen3` on {WHERE} broke off after 12 characters"
        assert (caught.value.kind, caught.value.retryable) == ("connection", True)

    def test_a_stream_without_anything_broke_off(self):
        with pytest.raises(LLMResponseError, match="broke off before a word was said"):
            assemble()

    @pytest.mark.parametrize("content", ["", None, " \n"])
    def test_an_empty_answer(self, content):
        with pytest.raises(LLMResponseError) as caught:
            assemble(chunk("stop", content=content))
        assert (str(caught.value), caught.value.kind) == (f"`qwen3` on {WHERE} answered nothing", "empty")

    def test_the_limit_reached_while_thinking(self):
        with pytest.raises(LLMResponseError) as caught:
            assemble(chunk(reasoning_content="well"), chunk("length"))
        assert str(caught.value) == f"`qwen3` on {WHERE} reached its limit of tokens while thinking"
        assert caught.value.kind == "limit"
        assert caught.value.hint == "raise `sampling.max_tokens` or the context length, or lower `reasoning`"

    def test_text_cut_by_the_limit_is_an_answer_that_says_so(self):
        assert assemble(chunk("length", content="half")).finish_reason == "length"


class TestAnsweringModel:
    @pytest.mark.parametrize(
        ("asked", "answered"),
        [
            ("qwen/qwen3-8b", "qwen/qwen3-8b"),
            ("qwen/qwen3-8b", "Qwen/Qwen3-8B"),
            ("qwen/qwen3-8b", "qwen/qwen3-8b:2"),
            ("qwen/qwen3-8b@q4_k_m", "qwen/qwen3-8b"),
            ("qwen/qwen3-8b", "qwen/qwen3-8b@q4_k_m:3"),
            ("llama3", "llama3:latest"),
            ("qwen/qwen3-8b", ""),
        ],
    )
    def test_the_same_model_under_another_of_its_names(self, asked, answered):
        assert assemble(chunk("stop", model=answered, content="hi"), model=asked).content == "hi"

    def test_an_instance_named_by_a_person(self):
        assert assemble(chunk("stop", model="My-Qwen", content="hi"), answers_as={"my-qwen"}).model == "My-Qwen"

    def test_a_name_that_the_catalogue_gave(self):
        assert assemble(chunk("stop", model="alias", content="hi"), also=("alias",)).model == "alias"

    def test_another_model_is_an_error_at_its_first_chunk(self):
        assembler = AnswerAssembler(ChatRequest(model="qwen/qwen3-8b", messages=()), where=WHERE)
        with pytest.raises(LLMResponseError) as caught:
            assembler.feed(chunk(content="Hi", model="google/gemma-3-1b"))
        assert str(caught.value) == f"`qwen/qwen3-8b` was asked, but `google/gemma-3-1b` answered on {WHERE}"
        assert (caught.value.kind, caught.value.retryable) == ("wrong_model", False)

    def test_a_size_is_no_copy(self):
        assert bare_name("llama3:8b") == "llama3:8b"


READ = ToolSpec("read", "", {"type": "object", "properties": {"path": {"type": "string"}}})
WRITTEN = '<tool_call>{"name": "READ", "arguments": {"path": "é"}}</tool_call>'


def assemble_tools(*chunks, written=False, messages=(), on_delta=None):
    kind = "written_tools" if written else "tools"
    request = ChatRequest(model="qwen3", messages=messages, **{kind: (READ,)})
    assembler = AnswerAssembler(request, where=WHERE, on_delta=on_delta)
    for one in chunks:
        assembler.feed(one)
    return assembler.answer()


class TestCallsInTheText:
    @pytest.mark.parametrize("written", [False, True])
    def test_they_become_calls_with_free_ids(self, written):
        before = Message("assistant", "", (ToolCall("100000001", "read", "{}"),))
        answer = assemble_tools(
            chunk(content="I look.\n" + WRITTEN[:20]), chunk(content=WRITTEN[20:]), chunk("stop"),
            written=written, messages=(before,),
        )  # fmt: skip
        assert answer.tool_calls == (ToolCall("100000002", "read", '{"path": "é"}'),)
        assert (answer.content, answer.finish_reason, answer.recovered) == ("I look.", "tool_calls", "tool_call")

    def test_in_thinking_they_count_if_nothing_else_was_said(self):
        answer = assemble_tools(chunk(content="<think>So: " + WRITTEN + "</think>\n"), chunk("stop"))
        assert (answer.tool_calls[0].name, answer.content, answer.recovered) == ("read", "", "tool_call")
        assert answer.reasoning == "So: " + WRITTEN
        said = assemble_tools(chunk(reasoning_content=WRITTEN), chunk("stop", content="No."))
        assert (said.tool_calls, said.content, said.recovered) == ((), "No.", None)

    def test_beside_real_calls_they_stay_text(self):
        answer = assemble_tools(chunk("stop", content=WRITTEN, tool_calls=[call(id="7", name="read", arguments="{}")]))
        assert (answer.tool_calls, answer.content, answer.recovered) == ((ToolCall("7", "read", "{}"),), WRITTEN, None)

    def test_without_tools_they_stay_text(self):
        answer = assemble(chunk("stop", content=WRITTEN))
        assert (answer.tool_calls, answer.content, answer.recovered) == ((), WRITTEN, None)

    def test_one_that_was_cut_is_left_out(self):
        answer = assemble_tools(chunk("length", content=f"{WRITTEN}\n{WRITTEN[:40]}"))
        assert (len(answer.tool_calls), answer.content, answer.cut_call, answer.finish_reason) == (
            1,
            "",
            True,
            "length",
        )
        alone = assemble_tools(chunk("length", content=WRITTEN[:40]))
        assert (alone.tool_calls, alone.content, alone.cut_call, alone.recovered) == ((), "", True, None)

    def test_half_a_character_is_spelt_out(self):
        text = '<tool_call>{"name": "read", "arguments": {"path": "\\ud83d"}}</tool_call>'
        assert assemble_tools(chunk("stop", content=text)).tool_calls[0].arguments == '{"path": "\\ud83d"}'

    def test_harmony_with_thinking_before_the_call(self):
        text = (
            "<|channel|>analysis<|message|>I might call to=functions.read {}<|end|><|start|>assistant"
            '<|channel|>commentary to=functions.read <|constrain|>json<|message|>{"path":"a"}<|call|>'
        )
        answer = assemble_tools(chunk("stop", content=text))
        assert answer.tool_calls == (ToolCall("100000001", "read", '{"path": "a"}'),)
        assert (answer.content, answer.reasoning) == ("", "I might call to=functions.read {}")

    def test_harmony_with_nothing_but_one_call(self):
        text = '<|channel|>commentary to=functions.read <|constrain|>json<|message|>{"path":"a"}<|call|>'
        answer = assemble_tools(chunk("stop", content=text))
        assert answer.tool_calls == (ToolCall("100000001", "read", '{"path": "a"}'),)
        assert (answer.content, answer.recovered) == ("", "harmony")


class TestControlWords:
    @pytest.mark.parametrize(
        ("text", "content", "reasoning"),
        [
            ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>",
             "Yes.", "hm"),
            ("<|channel|>final <|constrain|>json<|message|>{}", "{}", ""),
            ("Wait.<|end|><|start|>assistant<|channel|>final<|message|>Yes.", "Wait.\nYes.", ""),
            ("<|channel>thought\nhm\n<channel|>Yes.", "Yes.", "hm"),
            ("Yes.<|im_end|>\n", "Yes.", ""),
            ("Yes.<end_of_turn>", "Yes.", ""),
            ("The word `<|channel|>` begins a channel, a < b, <|im_end|> ends.", None, ""),
            ("It is `<|channel|>final<|message|>` in full.", None, ""),
        ],
    )  # fmt: skip
    def test_what_leaked_into_the_text_is_taken_out(self, text, content, reasoning):
        answer = assemble(chunk("stop", content=text))
        assert (answer.content, answer.reasoning) == (text if content is None else content, reasoning)

    def test_nothing_but_thinking_is_no_answer(self):
        with pytest.raises(LLMResponseError, match="only thought") as caught:
            assemble(chunk("stop", content="<|channel|>analysis<|message|>hm<|end|>"))
        assert caught.value.kind == "empty"


NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


class TestJsonAmongTheThinking:
    @pytest.mark.parametrize(
        "thought", ['{"n": 1}', 'So {"m": 2} is wrong.\n```json\n{"n": 1}\n```', 'The answer is {"n": 1}.']
    )
    def test_it_is_the_answer_if_it_fits(self, thought):
        answer = assemble(chunk(reasoning_content=thought), chunk("stop"), schema=NUMBER)
        assert answer.content == '{"n": 1}'

    @pytest.mark.parametrize(("thought", "finish"), [('A draft: {"m": 1}.', "stop"), ('A draft: {"n": 1}.', "length")])
    def test_a_draft_is_none(self, thought, finish):
        with pytest.raises(LLMResponseError):
            assemble(chunk(reasoning_content=thought), chunk(finish), schema=NUMBER)

    def test_nobody_asked(self):
        with pytest.raises(LLMResponseError, match="only thought"):
            assemble(chunk(reasoning_content='{"n": 1}'), chunk("stop"))


class TestEndlessRepetition:
    LOOP = "I will try again. " * 20

    def loop(self, **delta):
        return [chunk(**delta) for _ in range(40)]

    def test_of_the_answer(self):
        heard = []
        answer = assemble(chunk(content="Well."), *self.loop(content=self.LOOP), on_delta=heard.append)
        assert (answer.looped, answer.finish_reason) == (True, "length")
        assert answer.content == "Well." + "I will try again. " * 2
        assert 3_000 < sum(len(delta.text) for delta in heard) < 4_000

    def test_of_the_thinking(self):
        answer = assemble(*self.loop(reasoning_content=self.LOOP))
        assert (answer.looped, answer.content, answer.reasoning) == (True, "", "I will try again. " * 2)

    def test_of_a_tool_call(self):
        first = call(id="1", name="read", arguments='{"path": "')
        answer = assemble_tools(chunk(tool_calls=[first]), *self.loop(tool_calls=[call(arguments=self.LOOP)]))
        assert (answer.looped, answer.cut_call, answer.tool_calls) == (True, True, ())

    def test_it_is_said_while_the_stream_goes_on(self):
        assembler = AnswerAssembler(ChatRequest(model="qwen3", messages=()), where=WHERE)
        said = []
        for one in self.loop(content=self.LOOP):
            assembler.feed(one)
            said.append(assembler.looped)
        assert said[0] is None
        assert said[-1] == "content"


class TestCachedTokens:
    @pytest.mark.parametrize(
        ("chunk_", "usage"),
        [
            ({"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 7}}},
             Usage(9, 2, 0, 7)),
            ({"usage": {"prompt_tokens": 9, "completion_tokens": 2}, "timings": {"cache_n": 7, "prompt_n": 2}},
             Usage(9, 2, 0, 7)),
            ({"timings": {"cache_n": 7, "prompt_n": 2, "predicted_n": 3}}, Usage(9, 3, 0, 7)),
            ({"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": None}, "timings": []},
             Usage(9, 2)),
        ],
    )  # fmt: skip
    def test_from_usage_or_timings(self, chunk_, usage):
        assert assemble(chunk("stop", content="hi"), chunk_).usage == usage

    def test_zeros_take_nothing_back(self):
        counted = {"usage": {"prompt_tokens": 9, "completion_tokens": 2}}
        zeros = {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}
        assert assemble(chunk("stop", content="hi"), counted, zeros).usage == Usage(9, 2)


def test_another_name_at_the_same_index_begins_another_call():
    answer = assemble(
        chunk(tool_calls=[call(0, name="f", arguments="")]),
        chunk(tool_calls=[call(0, name="g", arguments={"n": 2})]),
        chunk("tool_calls"),
    )
    assert [(c.name, c.arguments) for c in answer.tool_calls] == [("f", "{}"), ("g", '{"n": 2}')]


def test_tool_calls_announced_and_none_made_is_text():
    answer = assemble(chunk("tool_calls", content="hi", tool_calls=[]))
    assert (answer.content, answer.tool_calls, answer.finish_reason) == ("hi", (), "stop")
