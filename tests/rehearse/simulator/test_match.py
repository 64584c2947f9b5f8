"""The first turn that fits is played, and may echo what its patterns found."""

from __future__ import annotations

import pytest

from runner.rehearse.simulator.answer import compose
from runner.rehearse.simulator.match import no_turn, pick, read_conversation
from runner.rehearse.simulator.pattern import echo
from runner.rehearse.simulator.reading import parse_script
from runner.rehearse.simulator.script import ScriptedModel


def model(turns: str) -> ScriptedModel:
    return parse_script("models:\n  m:\n    turns:\n" + turns, "script.yaml").models["m"]


def asked(*messages: tuple[str, str], **more: object):
    return read_conversation({"messages": [{"role": role, "content": text} for role, text in messages], **more})


def tool(name: str) -> dict[str, object]:
    return {"type": "function", "function": {"name": name}}


SCRIPT = model(
    """
    - {when: {system: be (?P<how>\\w+), turn: 2}, say: "second, {{ match.how }}"}
    - {when: {tool_result: "exit code (\\\\d)"}, say: "code {{ match[1] }}"}
    - {when: {offered: "git__*"}, say: git}
    - {when: {schema: true}, json: {path: "{{ match.nothing }}"}}
    """.replace("{{ match.nothing }}", "x")
    + """
    - {when: {user: hello, schema: false}, say: hi, times: 2}
    - {when: {anywhere: needle}, say: found}
    """
)


@pytest.mark.parametrize(
    ("conversation", "index"),
    [
        (asked(("system", "be brief"), ("user", "a"), ("assistant", "b"), ("user", "c")), 0),
        (asked(("user", "a"), ("assistant", ""), ("tool", "exit code 3")), 1),
        (asked(("user", "a"), ("tool", "exit code 3"), ("tool", "fine")), None),
        (asked(("user", "a"), tools=[tool("files__read"), tool("git__log")]), 2),
        (asked(("user", "a"), tools=[tool("git__log")], tool_choice="none"), None),
        (asked(("user", "a"), response_format={"type": "json_schema"}), 3),
        (asked(("user", "say hello")), 4),
        (asked(("user", "hello"), ("assistant", "x"), ("user", "bye")), None),
        (asked(("assistant", "a needle"), ("user", "?")), 5),
    ],
)
def test_conditions(conversation, index) -> None:
    picked = pick(SCRIPT, conversation, {})
    assert (picked.index if picked else None) == index


def test_a_turn_is_used_up() -> None:
    hello = asked(("user", "hello"))
    assert pick(SCRIPT, hello, {4: 1}) is not None
    assert pick(SCRIPT, hello, {4: 2}) is None
    assert no_turn(SCRIPT, hello) == (
        "the script has no turn of `m` for this conversation (turn 1)\n"
        "  last message: user: hello\n"
        "  turns[0] wants turn 2, this is turn 1\n"
        "  turns[1] found no /exit code (\\d)/ in `tool_result`\n"
        "  turns[2] wants the tool `git__*` on offer, offered: none\n"
        "  turns[3] wants a request with a schema\n"
        "  turns[4] is used up (2 of 2 times)\n"
        "  turns[5] found no /needle/ in `anywhere`\n"
        "  add a turn that fits, or a `default`"
    )


def test_groups_are_counted_through_all_patterns() -> None:
    made = model(
        '    - {when: {user: "(a)(?P<b>b)", system: "(s)(x)?"}, say: "{{match[1]}}{{match[2]}}{{match[3]}}{{match.b}}"}'
    )
    picked = pick(made, asked(("system", "s"), ("user", "ab")), {})
    assert picked is not None
    answer = compose(picked, model="m", serial="0" * 24, prompt_tokens=0)
    assert answer.content == "sab"


def test_parts_of_a_message_are_its_text() -> None:
    parts = [{"type": "text", "text": "say"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "hello"}]
    conversation = read_conversation({"messages": [{"role": "user", "content": parts}]})
    assert conversation.user == "say\n\nhello"


def test_what_was_matched_is_never_expanded() -> None:
    groups = {"1": "{{ match.secret }}", "secret": "no"}
    assert echo({"a": ["{{ match[1] }}", 3]}, groups) == {"a": ["{{ match.secret }}", 3]}
