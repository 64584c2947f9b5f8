"""Simpler forms of a request: which complaint leads to which, and what becomes of the request."""

from __future__ import annotations

import itertools

import pytest

from runner.chat.form import FULL, Form, describe, shaped, simpler
from runner.chat.messages import ChatRequest, Image, Message, ToolCall, ToolSpec
from runner.words.errors import LLMResponseError, LLMValidationError

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "pattern": "^[A-Z]", "description": "where"},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
        "unit": {"enum": ["c", "f"]},
        "kind": {"const": "now"},
        "tags": {"type": ["array", "null"], "items": {"type": "string", "maxLength": 9}},
        "any": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    },
    "required": ["city"],
    "additionalProperties": False,
}
MINIMAL = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "where (pattern ^[A-Z])"},
        "days": {"type": "integer"},
        "unit": {"enum": ["c", "f"]},
        "kind": {"enum": ["now"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "any": {},
    },
    "required": ["city"],
}
TOOL = ToolSpec("weather", "The weather.", SCHEMA)
TALK = (
    Message("system", "Be brief."),
    Message("user", "How is Paris?"),
    Message("assistant", "I look.", (ToolCall("1", "weather", '{"city":  "Paris"}'), ToolCall("2", "weather", "{"))),
    Message("tool", "sunny", tool_call_id="1"),
    Message("tool", "no city", tool_call_id="2"),
    Message("assistant", ""),
    Message("user", "Go on."),
)


def request(*messages, tools=(TOOL,), schema=None):
    return ChatRequest(model="m", messages=messages or TALK, tools=tools, schema=schema)


def refusal(text):
    return LLMValidationError(f"`m` on http://127.0.0.1:1234 refuses the request: {text}", kind="request")


def ladder(text, asked):
    """All forms that are tried, one after another, if the server never stops complaining."""
    form, tried = FULL, []
    while (form := simpler(form, refusal(text), asked)) is not None:
        tried.append(describe(form))
    return tried


WRITTEN = "with its tools described as text"
LADDERS = [
    ("Failed to initialize samplers: failed to parse grammar",
     ["with simpler schemas", f"with simpler schemas, {WRITTEN}"]),
    ('Error rendering prompt with jinja template: "Conversation roles must alternate user/assistant"',
     ["with merged roles", WRITTEN]),
    ("System message must be at the beginning", ["with merged roles", WRITTEN]),
    ("Error rendering prompt with jinja template: System role not supported",
     ["with merged roles, without a system message"]),
    ("registry.ollama.ai/library/gemma:2b does not support tools", [WRITTEN]),
    ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', [WRITTEN]),
    ("tools param requires --jinja flag", [WRITTEN]),
    ("Invalid 'content': 'content' objects must have a 'type' field", []),
    ("'response_format.type' must be 'json_schema' or 'text'", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "forms"), LADDERS)
def test_each_complaint_of_a_request_with_tools_has_its_ladder(text, forms):
    assert ladder(text, request(schema=SCHEMA)) == forms


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("failed to parse grammar", ["with simpler schemas", "with simpler schemas, without `response_format`"]),
        ("'response_format.type' must be 'text'", ["without `response_format`"]),
        (
            "Error rendering prompt with jinja template",
            ["with merged roles", "without `response_format`, with merged roles"],
        ),
        ("it does not support tools", []),
        ("model is bad", []),
    ],
)
def test_each_complaint_of_a_request_with_a_schema_has_its_ladder(text, forms):
    assert ladder(text, request(Message("user", "hi"), tools=(), schema=SCHEMA)) == forms


def test_a_plain_request_has_nothing_to_simplify_but_its_roles():
    assert ladder("failed to parse grammar", request(Message("user", "hi"), tools=())) == []


def test_a_history_with_calls_is_written_even_if_no_tools_are_offered_now():
    assert ladder("it does not support tools", request(tools=())) == [WRITTEN]


def test_other_failures_are_no_matter_of_form():
    crash = LLMResponseError("`m` crashed: jinja, failed to parse grammar", kind="crash")
    assert simpler(FULL, crash, request()) is None


def test_the_whole_form_changes_nothing():
    asked = request(schema=SCHEMA)
    assert shaped(asked, FULL) is asked
    assert describe(FULL) == "whole"


def test_minimal_schemas():
    asked = shaped(request(schema=SCHEMA), Form(minimal_schemas=True))
    assert asked.tools == (ToolSpec("weather", "The weather.", MINIMAL),)
    assert asked.schema == MINIMAL


def test_a_minimal_schema_of_an_answer_may_be_a_list_and_of_a_tool_is_always_an_object():
    schema = {"type": "array", "items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"type": "object", "minProperties": 1}}}
    asked = shaped(request(tools=(ToolSpec("f", "", {}),), schema=schema), Form(minimal_schemas=True))
    assert asked.schema == {"type": "array", "items": {"type": "object"}}
    assert asked.tools[0].parameters == {"type": "object", "properties": {}}


def test_without_response_format():
    assert shaped(request(schema=SCHEMA), Form(plain_schema=True)) == request()


class TestMergedRoles:
    def merge(self, *messages, **more):
        return shaped(request(*messages), Form(merged_roles=True, **more)).messages

    def test_results_are_followed_by_an_assistant_and_no_turn_is_empty(self):
        assert self.merge(*TALK) == (*TALK[:5], Message("assistant", "…"), TALK[6])

    def test_a_result_followed_by_a_user_gets_a_turn_between(self):
        assert self.merge(*TALK[:5], TALK[6]) == (*TALK[:5], Message("assistant", "…"), TALK[6])

    def test_system_messages_become_one_and_later_ones_words_of_the_user(self):
        image = Image(path="a", media_type="image/png", data="", size=0, sha256="")
        assert self.merge(
            Message("system", "a\n"), Message("system", "b"), Message("user", "c"), Message("system", "d"),
            Message("user", "e", images=(image,)), Message("assistant", "f"), Message("assistant", "g"),
        ) == (
            Message("system", "a\n\nb"), Message("user", "c\n\nd\n\ne", images=(image,)),
            Message("assistant", "f\n\ng"),
        )  # fmt: skip

    def test_the_user_speaks_first(self):
        assert self.merge(Message("assistant", "hi")) == (Message("user", "…"), Message("assistant", "hi"))

    def test_calls_are_kept_apart(self):
        calls = Message("assistant", "", (ToolCall("1", "f", "{}"),))
        assert self.merge(Message("user", "a"), calls, calls) == (
            Message("user", "a"), calls, Message("user", "…"), calls,
        )  # fmt: skip

    def test_without_a_system_message(self):
        assert self.merge(*TALK[:2], no_system=True) == (Message("user", "Be brief.\n\nHow is Paris?"),)


def test_tools_as_text(snapshot):
    asked = shaped(request(schema=SCHEMA), Form(text_tools=True, merged_roles=True, minimal_schemas=True))
    assert (asked.tools, asked.schema) == ((), None)
    assert asked.written_tools == (ToolSpec("weather", "The weather.", MINIMAL),)
    assert "\n\n".join(f"{m.role.upper()}: {m.content}" for m in asked.messages) == snapshot


def test_tools_as_text_without_a_system_message_of_the_user():
    asked = shaped(request(Message("user", "hi")), Form(text_tools=True, merged_roles=True))
    assert [m.role for m in asked.messages] == ["system", "user"]
    assert '{"name": "weather", "description": "The weather.", "parameters": {' in asked.messages[0].content


@pytest.mark.parametrize(
    "form", [FULL, *(simpler(FULL, refusal(text), request()) for text, forms in LADDERS if forms),
             Form(text_tools=True, merged_roles=True, no_system=True)],
)  # fmt: skip
def test_a_request_extends_the_one_before_in_every_form(form):
    asked = [shaped(request(*TALK[:end]), form).messages for end in (2, 5, 7)]
    for shorter, longer in itertools.pairwise(asked):
        assert longer[: len(shorter)] == shorter
