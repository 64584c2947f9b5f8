"""What has changed since a lock was written: item by item, key by key, word by word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.chat.catalogue import ModelEntry
from runner.chat.toolbox import Tool
from runner.plan.lock.drift import drift_between, tool_changes
from runner.plan.lock.lock import Lock, LockedEndpoint, LockedModel, LockedServer, LockedTool
from runner.plan.lock.tool import locked_tool
from runner.plan.lock.words import Change, changes_between, word_difference, words_of
from runner.show.lock_view import contents, drift_json, drift_text

MODEL = LockedModel(names=("qwen/coder",), entry=ModelEntry(key="qwen/coder", quantization="Q4_K_M", tool_use=True))
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
READ = Tool(name="read", description="Reads one whole text file.", input_schema=SCHEMA)
SERVER = LockedServer(
    names=("git", "repo"),
    start={"command": ["mcp-server-git"]},
    said={"name": "git", "version": "1"},
    tools=(locked_tool(READ),),
)
LOCK = Lock(
    file="bridge.lock",
    endpoints=(LockedEndpoint(flavour="lmstudio-v1", name="gpu", manages=True, models=(MODEL,)),),
    servers=(SERVER,),
)


def told(now: Lock, before: Lock = LOCK) -> str:
    return drift_text(drift_between(before, now))


def with_server(**fields: Any) -> Lock:
    return replace(LOCK, servers=(replace(SERVER, **fields),))


def with_tool(**fields: Any) -> Lock:
    return with_server(tools=(locked_tool(replace(READ, **fields)),))


def with_endpoint(**fields: Any) -> Lock:
    return replace(LOCK, endpoints=(replace(LOCK.endpoints[0], **fields),))


def test_nothing_has_changed() -> None:
    assert drift_between(LOCK, LOCK) == ()


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (
            with_endpoint(models=(replace(MODEL, entry=replace(MODEL.entry, quantization="Q8_0", tool_use=None)),)),
            "changed  model `qwen/coder (gpu)`\n"
            "           quantization: Q4_K_M → Q8_0\n"
            "           capabilities: gone, was {\"tool_use\": true}",
        ),
        (replace(LOCK, endpoints=()), "gone     model `qwen/coder (gpu)`"),
        (
            with_endpoint(flavour="vllm", load_settings=("ttl",)),
            "changed  model server `gpu`\n"
            "           flavour: lmstudio-v1 → vllm\n"
            '           load_settings: new, ["ttl"]',
        ),
        (replace(LOCK, default_model="x"), "new      model `default`\n           default_model: new, x"),
        (replace(LOCK, servers=()), "gone     tool server `git, repo`"),
        (with_server(tools=None), "gone     tool server `git, repo`"),
        (
            with_server(start={"command": ["bin/mcp-server-git"]}, said={"name": "git", "version": "2"}),
            "changed  tool server `git, repo`\n"
            '           start.command: ["mcp-server-git"] → ["bin/mcp-server-git"]\n'
            "           version: 1 → 2",
        ),
        (with_server(tools=()), "gone     tool `git, repo.read`"),
        (
            with_server(tools=(*(SERVER.tools or ()), LockedTool(name="write", sha256="0" * 64))),
            "new      tool `git, repo.write`",
        ),
        (
            with_tool(description="Reads one whole file, and sends it away."),
            "changed  tool `git, repo.read`\n"
            "           description: Reads one whole [-text file.-] {+file, and sends it away.+}",
        ),
        (
            with_tool(input_schema={**SCHEMA, "properties": {"path": {"type": "integer"}, "end": {"type": "integer"}}}),
            "changed  tool `git, repo.read`\n"
            '           input_schema.properties.end: new, {"type": "integer"}\n'
            "           input_schema.properties.path.type: string → integer",
        ),
    ],
)  # fmt: skip
def test_each_item_that_differs_is_told(now: Lock, text: str) -> None:
    assert sorted(told(now).splitlines()) == sorted(text.splitlines())
    assert told(now).splitlines()[0] == text.splitlines()[0]


def test_what_came_is_told_as_new() -> None:
    empty = Lock(file="bridge.lock")
    assert told(LOCK, empty) == "new      model `qwen/coder (gpu)`\nnew      tool server `git, repo`"
    assert told(LOCK, with_server(tools=None)) == "new      tool server `git, repo`"
    nameless = replace(LOCK, endpoints=(replace(LOCK.endpoints[0], name=None),), servers=())
    assert told(nameless, empty) == "new      model `qwen/coder`"
    other = replace(nameless, endpoints=(replace(nameless.endpoints[0], manages=False),))
    assert told(other, nameless) == "changed  model server `the model server`\n           manages: true → false"


def test_servers_that_are_started_alike_are_compared_in_their_order() -> None:
    two = replace(LOCK, servers=(SERVER, replace(SERVER, names=("other",), tools=())))
    assert drift_between(two, two) == ()
    assert told(LOCK, two) == "gone     tool server `other`"


def test_of_a_definition_that_was_not_kept_only_the_fingerprint_is_known() -> None:
    one, two = (LockedTool(name="t", sha256=digit * 64) for digit in "ab")
    assert tool_changes(one, two) == (Change(path="sha256", before="a" * 64, after="b" * 64),)
    assert tool_changes(one, one) == ()


def test_lists_of_one_length_are_compared_item_by_item_where_they_hold_more() -> None:
    before, after = ({"anyOf": [{"type": kind}, {"type": "null"}], "required": ["a"]} for kind in ("string", "number"))
    assert list(changes_between(before, after)) == [Change(path="anyOf.0.type", before="string", after="number")]
    assert list(changes_between({"a": ["x"]}, {"a": ["y"]})) == [Change(path="a", before=["x"], after=["y"])]
    assert list(changes_between({"a": [{}]}, {"a": [{}, {}]})) == [Change(path="a", before=[{}], after=[{}, {}])]
    assert list(changes_between({"a": 1}, {"a": True})) == [Change(path="a", before=1, after=True)]


def test_of_long_texts_only_what_changed_is_shown_with_words_around_it() -> None:
    words = [f"w{number}" for number in range(30)]
    later = [*words[:15], "NEW", *words[15:20], *words[21:]]
    assert word_difference(" ".join(words), " ".join(later)) == (
        "… w11 w12 w13 w14 {+NEW+} w15 w16 w17 w18 w19 [-w20-] w21 w22 w23 w24 …"
    )


def test_other_differences_of_texts() -> None:
    assert word_difference("a  b", "a b\n") == "other spaces or line breaks"
    assert word_difference("x " * 3000, "y " * 3000).count("x ") < 110
    assert word_difference("a", "b " * 300) == f"[-a-] {{+{('b ' * 300)[:199]}…+}}"
    assert words_of(Change(path="a", before="", after="x")) == 'a: "" → x'
    assert words_of(Change(path="a", before="two words", after=None)) == 'a: gone, was "two words"'


def test_drift_for_machines() -> None:
    drift = drift_between(LOCK, replace(LOCK, default_model="x", servers=()))
    assert drift_json("bridge.lock", drift, 1) == {
        "lock": "bridge.lock",
        "drift": [
            {
                "kind": "model",
                "name": "default",
                "how": "new",
                "changes": [{"path": "default_model", "before": None, "after": "x"}],
            },
            {"kind": "tool server", "name": "git, repo", "how": "gone", "changes": []},
        ],
        "exit_code": 1,
    }


def test_what_a_lock_holds_in_a_line() -> None:
    assert contents(LOCK) == "1 model, 1 tool server with 1 tool"
    assert contents(with_server(tools=None)) == "1 model, 1 tool server with 0 tools"


@pytest.mark.parametrize(
    ("hidden", "code"),
    [
        ("\u200b", r"\u200b"),
        ("\U000e0041", r"\U000e0041"),  # a letter of those that only tag
        ("\u00a0", r"\u00a0"),
        ("\ufe0f", r"\ufe0f"),
        ("\u3164", r"\u3164"),
        ("\u202e", r"\u202e"),
        ("\x1b", r"\u001b"),
    ],
)
def test_a_character_that_nobody_sees_is_shown_where_it_came_or_went(hidden: str, code: str) -> None:
    change = Change(path="description", before="Looks at things.", after=f"Looks at thi{hidden}ngs.")
    assert words_of(change).startswith("description: Looks at [-things.-] {+thi")
    assert code in words_of(change)
    assert hidden not in words_of(change)


def test_letters_of_every_script_stay_as_they_are() -> None:
    after = "Grüße 日本 ☃ العربية 😀"
    assert words_of(Change(path="x", before="a b", after=after)) == f"x: [-a b-] {{+{after}+}}"
