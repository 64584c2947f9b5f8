"""Tool calls that stand as text: every family of markup, what is no call, and hostile texts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.chat.markup import recover
from runner.chat.messages import ToolSpec

WEATHER = ToolSpec(
    "get_weather",
    "",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "tags": {"type": "array"}},
    },
)
READ = ToolSpec("read", "", {"type": "object", "properties": {"path": {"type": "string"}}})
TOOLS = (WEATHER, READ)
PARIS = '{"name": "get_weather", "arguments": {"city": "Paris"}}'
CALL = f"<tool_call>{PARIS}</tool_call>"

ONE = [("get_weather", {"city": "Paris"})]
TYPED = [("get_weather", {"city": "Paris", "days": 3})]


def found(text, reasoning="", **more):
    """Family, calls, what remains, whether the last was cut."""
    recovered = recover(text, reasoning, TOOLS, **more)
    if recovered is None:
        return None
    calls = [(call.name, dict(call.arguments)) for call in recovered.calls]
    return recovered.family, calls, recovered.content, recovered.cut


FAMILIES = [
    ("tool_request", f"[TOOL_REQUEST]{PARIS}[END_TOOL_REQUEST]", ONE),
    ("tool_call", f"<tool_call>\n{PARIS}\n</tool_call>", ONE),
    ("tool_call", f"<function_call>{PARIS}</function_call>", ONE),
    ("tool_call", f"<tool_call>\n```json\n{PARIS}\n```\n</tool_call>", ONE),
    ("tool_call", f"<tool_call>[{PARIS}, {PARIS}]</tool_call>", ONE * 2),
    ("tool_call", '<tool_call>{"function": {"name": "read", "arguments": "{\\"path\\": \\"a\\"}"}}</tool_call>',
     [("read", {"path": "a"})]),
    ("tools", f"<tools>\n{PARIS}\n{PARIS}\n</tools>", ONE * 2),
    ("special_tool_call", f"<|tool_call|>[{PARIS}]<|/tool_call|>", ONE),
    ("function", "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=days>\n3\n"
     "</parameter>\n</function>\n</tool_call>", TYPED),
    ("function", '<function=get_weather>{"city": "Paris", "days": 3}</function>', TYPED),
    ("function", "<function=read>\n</function>", [("read", {})]),
    ("llama", '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Paris"}}<|eom_id|>', ONE),
    ("json", '{"name": "get_weather", "parameters": {"city": "Paris"}}', ONE),
    ("harmony", '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city":"Paris"}<|call|>',
     ONE),
    ("harmony", '<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{"city":"Paris"}',
     ONE),
    ("harmony", 'commentary to=functions.get_weather json{"city": "Paris"}', ONE),
    ("tool_code", '```tool_code\nget_weather(city="Paris", days=3)\n```', TYPED),
    ("tool_code", '```tool_code\nprint(default_api.get_weather("Paris"))\nx = read(path="a\\d")\n```',
     [*ONE, ("read", {"path": "a\\d"})]),
    ("gemma", '<|tool_call>call:get_weather{city:<|"|>Paris<|"|>,days:3}<tool_call|>', TYPED),
    ("mistral", '[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}', ONE),
    ("mistral", '[TOOL_CALLS]get_weather{"city": "Paris"}[TOOL_CALLS]read[CALL_ID]123456789[ARGS]{"path": "a"}',
     [*ONE, ("read", {"path": "a"})]),
    ("mistral_list", f"[TOOL_CALLS] [{PARIS}, {PARIS}]", ONE * 2),
    ("glm", "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n<arg_key>days</arg_key>"
     "<arg_value>3</arg_value>\n</tool_call>", TYPED),
    ("invoke", '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Paris</parameter>\n'
     '<parameter name="days">3</parameter>\n</invoke>\n</minimax:tool_call>', TYPED),
    ("invoke", '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" '
     'string="true">Paris</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>', ONE),
    ("deepseek", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
     '{"city": "Paris"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>', ONE),
    ("deepseek", '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Paris"}'
     "<｜tool▁call▁end｜><｜tool▁calls▁end｜>", ONE),
    ("kimi", "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
     '{"city":"Paris"}<|tool_call_end|><|tool_calls_section_end|>', ONE),
    ("lfm", '<|tool_call_start|>[get_weather(city="Paris", days=3)]<|tool_call_end|>', TYPED),
    ("lfm", f"<|tool_call_start|>[{PARIS}]<|tool_call_end|>", ONE),
    ("command", '<|START_ACTION|>[{"tool_name": "get_weather", "parameters": {"city": "Paris"}}]<|END_ACTION|>', ONE),
]  # fmt: skip


@pytest.mark.parametrize(("family", "text", "calls"), FAMILIES)
def test_every_family(family, text, calls):
    assert found(text) == (family, calls, "", False)


@pytest.mark.parametrize(("family", "text", "calls"), [f for f in FAMILIES if f[0] != "json"])
def test_every_family_among_words_and_twice(family, text, calls):
    assert found(f"I look.\n{text}\nNow wait.\n{text}\nDone.") == (
        family, calls * 2, "I look.\n\nNow wait.\n\nDone.", False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>{'name': 'read', 'arguments': {'path': 'it\\'s',}}</tool_call>",
        '<tool_call>{"name": "read", "arguments": {"path": "it\'s"}</tool_call>',
        '<tool_call>{"name": "read", "arguments": {"path": "it\'s"}',
        '<tool_call>{"name": "read", "arguments": {"path": "it\'s"}}}</tool_call>',
        '<tool_call>{"name": "READ", "arguments": {"path": "it\'s"}}',
        '<tool_call>{"name": "read<|channel|>commentary", "arguments": {"path": "it\'s"}}',
        '<tool_call>{"name": "functions.read", "arguments": {"path": "it\'s"}}',
        '```xml\n<tool_call>{"name": "read", "arguments": {"path": "it\'s"}}</tool_call>\n```',
        "<function=read><parameter=path>it's</function>",
        "<function=read><parameter=path>it's",
    ],
)
def test_what_is_slightly_broken_is_read_as_it_was_meant(text):
    assert found(text)[1] == [("read", {"path": "it's"})]


def test_a_text_over_several_lines_with_an_unknown_escape():
    assert found('<tool_call>{"name": "read", "arguments": {"path": "a\nb\\d\\n\\u00e9"}}')[1] == [
        ("read", {"path": "a\nb\\d\né"})
    ]


def test_a_closing_mark_within_a_text_closes_nothing():
    text = '<tool_call>{"name": "read", "arguments": {"path": "</tool_call>"}}</tool_call>'
    assert found(text)[1:3] == ([("read", {"path": "</tool_call>"})], "")


def test_parameters_are_typed_by_the_schema_of_the_tool():
    text = "<function=get_weather><parameter=city>\n3\n</parameter><parameter=days>x</parameter>"
    assert found(text + "<parameter=tags>[1]</parameter></function>")[1] == [
        ("get_weather", {"city": "3", "days": "x", "tags": [1]})
    ]


def test_names_as_lm_studio_writes_them():
    tools = (ToolSpec("Git-Log", "", {}), ToolSpec("fs.read", "", {}), ToolSpec("fs-read", "", {}))
    recovered = recover('<tool_call>{"name": "git_log"}</tool_call>', "", tools)
    assert recovered.calls[0].name == "Git-Log"
    assert recover('<tool_call>{"name": "fs_read"}</tool_call>', "", tools) is None  # two might be meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Use the <tool_call> tag, or [TOOL_REQUEST], or [TOOL_CALLS] and wait.",
        f"Write `{CALL}` to call.",
        f"An example:\n\n```\n{CALL}\n```\n\nThat is all.",
        f"```json\n{PARIS}\n```",
        f"The call is {PARIS}.",
        f"Sure. <think>{CALL}</think> No, I know it.",
        '<tool_call>{"name": "rm", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "read", "arguments": [1]}</tool_call>',
        '<tool_call>{"name": "read", "arguments": {"path": NaN}}</tool_call>',
        '<tool_call>{"name": "read", "arguments": {"path": "a',
        "<tool_call>[]</tool_call>",
        "<tool_call>[1]</tool_call>",
        "[TOOL_CALLS]rm[ARGS]{}",
        "<function=rm></function>",
        "<function=read>some words</function>",
        "<|tool_call_start|>[rm()]<|tool_call_end|>",
        "<|tool_call_start|>[read(path=open('x'))]<|tool_call_end|>",
        "<|tool_call_start|>[read(1, 2)]<|tool_call_end|>",
        "<|tool_call_start|>[read(**{})]<|tool_call_end|>",
        "<|tool_call_start|>[read(path={1, 2})]<|tool_call_end|>",
        "<|tool_call_start|>import os<|tool_call_end|>",
        "<|tool_call_start|>1<|tool_call_end|>",
        "<|tool_call_start|>(((<|tool_call_end|>",
        "```tool_code\n```",
        '{"name": "read", "path": "a"}',
        '{"name": "read", "arguments": {}, "more": 1}',
        '{"name": "rm", "arguments": {}}',
        "{not json}",
    ],
)
def test_what_is_no_call_stays_text(text):
    assert found(text) is None


def test_a_call_in_thinking_counts_only_if_nothing_was_answered():
    assert found("I know it.", CALL) is None
    assert found(" \n", f"I should look. {CALL}") == ("tool_call", ONE, "", False)
    assert found("", CALL, cut=True) is None
    assert found("", "I think about { and <.") is None


def test_a_call_after_a_code_block_and_one_whose_block_never_ends():
    assert found(f"```\ncode\n```\n{CALL}")[2] == "```\ncode\n```"
    assert found(f"```\n{CALL}")[1] == ONE


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "read", "arguments": {"path": "a',
        '<tool_call>{"name": "read", "arg',
        "<tool_call>",
        "[TOOL_CALLS]rea",
        '[TOOL_CALLS]read[ARGS]{"pa',
        "<function=re",
        "<function=read>\n<parameter=path>\na.txt",
        "<function=read>\n<parameter=path>a</parameter>",
        '<|tool_call_start|>[read(path="a',
        "to=functions.read<|message|>",
    ],
)
def test_a_call_that_was_cut_by_a_limit_is_left_out(text):
    assert found(f"{CALL}\nand {text}", cut=True) == ("tool_call", ONE, "and", True)
    assert found(f"First {text}", cut=True)[1:] == ([], "First", True)


def test_an_answer_that_was_cut_in_its_words_has_no_cut_call():
    assert found("See the <tool_call> tag, whi", cut=True) is None


SIGNS = st.sampled_from(
    ["<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "[TOOL_REQUEST]", "<function=read>", "<parameter=path>",
     "</parameter>", "</function>", "<arg_key>", "<arg_value>", "</arg_value>", "<|tool_call_start|>", "[", "]", "{",
     "}", "<|tool_call_end|>", "```tool_code\n", "```\n", "<think>", "</think>", "<invoke name=\"read\">", "</invoke>",
     "read", "<|tool_call>call:read", "<|\"|>", '"', "'", "\\", ":", ",", '{"name": "read", "arguments": {', "path",
     "(", ")", "=", "<|channel|>commentary to=functions.read <|message|>", "\n", " ", "1e999", "null", "\\ud83d", "-"]
)  # fmt: skip


@given(st.lists(SIGNS, max_size=40).map("".join), st.booleans())
def test_no_text_raises_or_invents_a_name(text, cut):
    recovered = recover(text, text, TOOLS, cut=cut)
    for call in recovered.calls if recovered else ():
        assert call.name in ("get_weather", "read")
        json.dumps(call.arguments, allow_nan=False)


@given(st.dictionaries(st.text(max_size=5), st.text(), max_size=3))
def test_any_texts_come_back_as_they_were(arguments):
    written = json.dumps({"name": "read", "arguments": arguments})
    assert found(f"<tool_call>{written}</tool_call>")[1] == [("read", arguments)]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(
    "flood",
    ["<tool_call>", "[TOOL_CALLS]", "[TOOL_CALLS]a", '<tool_call>{"a":', '<tool_call>{"', "<tool_call>[", "```\n", " ",
     "{", "<think>", "<function=read>", "<function=read><parameter=path>", "to=functions.read ", '<invoke name="read">',
     "a", "<|tool_call_start|>", "<|tool_call_start|>(", "```tool_code\n-", "[TOOL_CALLS] ", "<|tool_call>call:read",
     CALL, "<tool_call>read<arg_key>a</arg_key><arg_value>", "<tool_call>{'a':'", "[TOOL_CALLS]read[ARGS]{",
     "<tool_call>\n", "<|start|>assistant<|channel|>commentary to=functions.read ", "<tool_call>{\"a\\",
     "<｜tool▁call▁begin｜>read "],
)  # fmt: skip
def test_a_flood_of_marks_takes_no_long_time(flood, cut):
    recovered = recover(flood * (100_000 // len(flood)), "", TOOLS, cut=cut)
    calls = recovered.calls if recovered else ()
    assert len(calls) == 100_000 // len(flood) if flood == CALL else len(calls) <= 1


@pytest.mark.parametrize(
    "deep", ["-", "a.", "not ", "1+", "lambda:", "f(", "[", "f()(", "x[", "a=", "'a' ", "a and ", "a<"]
)
def test_deep_code_is_no_call(deep):
    assert found(f"<|tool_call_start|>{deep * (90_000 // len(deep))}1<|tool_call_end|>") is None
