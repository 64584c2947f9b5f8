"""A recording as a file, there and back; its order, its texts, what stands for secrets, and what differs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.chat.catalogue import EndpointCatalogue, Instance, ModelEntry
from runner.chat.messages import ChatAnswer, ChatRequest, Delta, Image, Message, ToolCall, ToolSpec, Usage
from runner.chat.toolbox import Blob, ServerFacts, Tool, ToolResult
from runner.record.cassette.cassette import Cassette, Exchange, Header, read_cassette, write_cassette
from runner.record.cassette.diff import differences
from runner.record.cassette.mask import Mask
from runner.record.cassette.order import in_order
from runner.record.cassette.text import folded, unfolded
from runner.record.cassette.values import (
    answer_value,
    error_value,
    facts_value,
    plain,
    read_answer,
    read_catalogue,
    read_error,
    read_result,
    read_stream,
    read_tool,
    request_value,
    result_value,
)
from runner.record.whereabouts import Whereabouts
from runner.words.errors import (
    ContextError,
    LLMRateLimitError,
    ModelMemoryError,
    ModelNotFoundError,
    StepError,
    ToolServerError,
)
from runner.words.recording_error import RecordingError
from runner.words.redact import Redactor
from runner.workflow.load import load

HEADER = Header(workflow="flow", digest="0" * 64, bridge_run="1.0", inputs={"path": "a\nb"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("|a"), inner),
    max_leaves=10,
)


def chat(*messages: str, unit: str = "look", **more: Any) -> Exchange:
    told = [{"role": "user", "content": text} for text in messages]
    return Exchange(
        kind="chat",
        place=Whereabouts(unit=unit, attempt=1, round=len(messages)),
        request={"model": "m", **more, "messages": told},
        answer={"answer": {"content": "fine"}},
    )


def read(data: bytes) -> Cassette:
    return read_cassette(data.decode("utf-8", "surrogatepass"), "x.recording.jsonl")


def test_a_file_there_and_back() -> None:
    first = chat("a", tools=[{"name": "t"}])
    second = chat("a", "b\nc", sampling={"seed": 1})  # its tools are gone
    third = chat("x", unit="other")
    header = replace(HEADER, models=("m",), default_model="d", simulated=True, run="r", began=1_700_000_000.125)
    cassette = Cassette(header=header, exchanges=(first, second, third))
    data = write_cassette(cassette)
    back = read(data)
    assert back.header == header
    assert [(one.place, one.request, one.answer, one.line) for one in back.exchanges] == [
        (one.place, one.request, one.answer, line) for line, one in enumerate(cassette.exchanges, 2)
    ]
    assert write_cassette(back) == data


def test_a_request_holds_what_is_new_in_the_conversation() -> None:
    data = write_cassette(Cassette(header=HEADER, exchanges=(chat("a", tools=[1]), chat("a", "b", tools=[1]))))
    second = json.loads(data.splitlines()[2])
    assert second["request"] == {"kept": 1, "messages": [{"role": "user", "content": "b"}]}


def test_half_a_surrogate_pair_is_written_as_its_escape() -> None:
    data = write_cassette(Cassette(header=HEADER, exchanges=(chat("\ud83d"),)))
    assert b"\\ud83d" in data
    assert read(data).exchanges[0].request["messages"][0]["content"] == "\ud83d"


@given(JSON)
def test_texts_of_several_lines_there_and_back(value: Any) -> None:
    assert unfolded(folded(value)) == value
    assert "\\n" not in json.dumps(folded("a\nb"))


HEAD = write_cassette(Cassette(header=HEADER, exchanges=())).decode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "1: it is empty"),
        ("[]\n", "1: it is no JSON object"),
        ("{}\n", "1: it is no recording of bridge-run"),
        (
            HEAD.replace('"version": 1', '"version": 2').replace('"bridge_run": "1.0", ', ""),
            "1: it is of version 2, and",
        ),
        (HEAD.replace('"digest"', '"other"'), "1: `digest` is missing"),
        (HEAD.replace('"inputs": {', '"inputs": 1, "x": {'), "1: it is no first line of a recording: "),
        (HEAD.replace('"inputs"', '"began": 7, "inputs"'), "1: it is no first line of a recording: "),
        (
            HEAD.replace('"inputs"', '"began": "2026-11-28T08:00:00", "inputs"'),
            "1: it is no first line of a recording: `began` names no time zone: 2026-11-28T08:00:00",
        ),
        (HEAD + "{\n", "2: it is not JSON: "),
        (HEAD + "=======\n", "2: it holds marks of a merge conflict"),
        (HEAD + '{"kind": "chat"}\n', "2: it is no exchange of a recording: `request` is missing"),
        (HEAD + '{"kind": "dance"}\n', "2: it is no exchange of a recording: there is no kind `dance`"),
        (HEAD + '{"kind": "call", "request": 1, "answer": {}}\n', "2: it is no exchange of a recording: request and"),
        (
            HEAD + '{"kind": "chat", "unit": "a", "request": {"kept": 1, "messages": []}, "answer": {}}\n',
            "2: it is no exchange of a recording: `kept` counts messages of a request before it, and `a` has none",
        ),
        (
            HEAD + '{"kind": "chat", "request": {"messages": 1}, "answer": {}}\n',
            "2: it is no exchange of a recording: mess",
        ),
        (
            HEAD + '{"kind": "call", "request": {"x": {"|": 1}}, "answer": {}}\n',
            "2: it is no exchange of a recording: can",
        ),
    ],
)
def test_what_is_no_recording_is_said_with_its_line(text: str, words: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read_cassette(text, "x.recording.jsonl")
    assert caught.value.message.startswith(f"x.recording.jsonl:{words}"), caught.value.message


# Order

CALLEE = "version: 1\nname: inner\nsteps:\n  - {id: b, task: hi}\n  - {id: a, task: hi}\n"
CALLER = (
    "version: 1\nname: outer\nsteps:\n  - {id: z, task: hi}\n  - {id: call, for_each: [1, 2], workflow: ./inner.yaml}\n"
)


def test_the_order_is_that_of_the_file_and_equal_loads_are_one(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(CALLEE)
    (tmp_path / "outer.yaml").write_text(CALLER)
    workflow = load(str(tmp_path / "outer.yaml")).workflow
    units = ["call[10]/a", "call[2]/a", "gone", "call[2]/b", "z", "call[2]", "call[2]/gone/x", "odd[", "z/no"]
    load_one = Exchange(kind="load", request={"model": "m"}, answer={"instance": {"id": "m"}})
    other = replace(load_one, request={"model": "n"})
    failed = replace(other, answer={"error": {}})
    listed = Exchange(kind="catalogue", request={}, answer={})
    exchanges = [*(chat("x", unit=unit) for unit in units), load_one, load_one, other, failed, other, listed]
    ordered = in_order(exchanges, workflow)
    assert ordered[:5] == (listed, load_one, other, failed, other)
    assert [one.unit for one in ordered[5:]] == [
        "z", "z/no", "call[2]", "call[2]/b", "call[2]/a", "call[2]/gone/x", "call[10]/a", "gone", "odd[",
    ]  # fmt: skip


# Values


def test_a_request_tells_what_decides_its_answer() -> None:
    spec = ToolSpec("t", "does", {"type": "object"})
    image = Image(path="a.png", media_type="image/png", data="AAAA", size=3, sha256="ff")
    request = ChatRequest(
        model="m:2",
        messages=(
            Message("user", "see", images=(image,)),
            Message("assistant", "", (ToolCall("1", "t", "{}"),)),
            Message("tool", "done", tool_call_id="1"),
        ),
        tools=(spec,),
        schema={"type": "string"},
        sampling={"seed": 1, "max_tokens": 5},
        ttl=3.0,
    )
    value = request_value(request, "m")
    assert value == {
        "model": "m",
        "sampling": {"seed": 1},
        "tools": [{"name": "t", "description": "does", "parameters": {"type": "object"}}],
        "schema": {"type": "string"},
        "messages": [
            {"role": "user", "content": "see", "images": [{"media_type": "image/png", "sha256": "ff"}]},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "name": "t", "arguments": "{}"}]},
            {"role": "tool", "content": "done", "tool_call_id": "1"},
        ],
    }
    assert request_value(request, "m", (5,))["sampling"] == {"seed": 1, "max_tokens": 5}
    assert "sampling" not in request_value(replace(request, sampling={"max_tokens": 5}), "m")


def test_an_answer_with_its_pieces_there_and_back() -> None:
    answer = ChatAnswer(
        model="m:2",
        content="Hello",
        reasoning="hm hm",
        tool_calls=(ToolCall("1", "t", "{}"),),
        finish_reason="tool_calls",
        usage=Usage(1, 2),
        first_token_seconds=1.0,
    )
    stream = [
        Delta("reasoning", "hm"), Delta("content", "Hel"), Delta("content", ""), Delta("content", "lo"),
        Delta("tool", "{}"),
    ]  # fmt: skip
    value = answer_value(answer, stream, "m", tuple)
    assert value["stream"] == [["reasoning", ["hm"]], ["content", [3, 2]], ["tool", ["{}"]]]
    assert read_answer(value) == replace(answer, model="m", first_token_seconds=None)
    assert list(read_stream(value)) == [delta for delta in stream if delta.text]


def test_a_secret_that_other_pieces_interrupt_is_hidden_all_the_same() -> None:
    pieces = Redactor({"KEY": "abcdef"}).pieces
    stream = [Delta("content", "x ab"), Delta("reasoning", "hm"), Delta("content", "cd"), Delta("content", "ef y")]
    answer = ChatAnswer(model="m", content="x abcdef y", reasoning="hm")
    assert answer_value(answer, stream, "m", pieces)["stream"] == [["content", [16]], ["reasoning", [2]]]


def test_catalogues_tools_and_results_there_and_back() -> None:
    entry = ModelEntry(key="m", variants=("m@q4",), instances=(Instance(id="m:2", config={"a": 1}),), tool_use=True)
    for settings in (None, ("context_length",)):
        listed = EndpointCatalogue(
            endpoint="s", flavour="openai", models=(entry,), notes=("old",), load_settings=settings
        )
        assert read_catalogue(plain(listed)) == listed
    tool = Tool(name="t", input_schema={"type": "object"}, effect="none")
    facts = facts_value(ServerFacts(name="s", version="1", protocol="2", seconds=3.0), [tool])
    assert (facts["name"], [read_tool(one) for one in facts["tools"]]) == ("s", [tool])
    blob = Blob(mime_type="image/png", data=b"\xff\x00abcdef")
    result = ToolResult(text="a", structured=None, has_structured=True, blobs=(blob,))
    assert read_result(result_value(result, str)) == result
    hidden = result_value(result, Redactor({"KEY": "abcdef"}).text)
    assert read_result(hidden).blobs[0].data == b"\xff\x00[secret KEY]"
    assert read_result(result_value(ToolResult(text=""), str)) == ToolResult(text="")
    with pytest.raises(ValueError, match="a blob is no base64"):
        read_result({"text": "", "blobs": [{"mime_type": "x", "data": "!"}]})


@pytest.mark.parametrize(
    "error",
    [
        StepError("command", "no such", hint="look"),
        ToolServerError("git", "it died", stderr="boom"),
        LLMRateLimitError("wait", retry_after=2.0),
        ModelNotFoundError("m", ("n", "o")),
        ContextError("too long", pool=True, n_ctx=3),
        ModelMemoryError("too big", required_bytes=3, configured=True),
    ],
)
def test_errors_there_and_back(error: Any) -> None:
    back = read_error(json.loads(json.dumps(error_value(error))))
    assert type(back) is type(error)
    assert (str(back), back.hint, back.to_dict()) == (str(error), error.hint, error.to_dict())
    own = {name: value for name, value in vars(error).items() if name[0] != "_"}
    assert {name: value for name, value in vars(back).items() if name[0] != "_"} == {"kind": error.kind, **own}


@pytest.mark.parametrize("name", ["OSError", "nearest", "Sequence"])
def test_an_error_that_nobody_knows(name: str) -> None:
    with pytest.raises(ValueError, match=f"there is no error `{name}`"):
        read_error({"class": name, "message": "x", "kind": "bug"})


# Masks


def test_the_folder_and_the_run_are_hidden_and_shown_again() -> None:
    mask = Mask({"KEY": "abcdef"}, "/home/me/here", "2026-x")
    mask.works_in("/home/me/here/copy")
    mask.works_in("/home/me/here/copy")
    hidden = mask.hidden({"/home/me/here/a": ["2026-x", "/home/me/here/copy/b abcdef", 1]})
    assert hidden == {"[folder]/a": ["[run id]", "[folder]/b [secret KEY]", 1]}
    assert mask.shown(hidden) == {"/home/me/here/copy/a": ["2026-x", "/home/me/here/copy/b [secret KEY]", 1]}
    assert mask.text("/home/me/here") == "[folder]"
    assert mask.pieces(["/home", "/me/here/x"]) == ("[folder]/x",)
    assert Mask({}, "/", "2026-x").text("/") == "/"


@pytest.mark.parametrize(
    "said", ["cd [folder]", "[run id]", "a [[folder]] b", "[[[run id]]]", "[folder][folder]/home/me"]
)
def test_who_says_what_stands_for_the_folder_is_replayed_saying_it(said: str) -> None:
    mask = Mask({}, "/home/me", "2026-x")
    hidden = mask.hidden({"content": said})
    assert mask.shown(hidden) == {"content": said}
    assert Mask({}, "/home/other", "2026-y").shown(hidden) == {"content": said.replace("/home/me", "/home/other")}
    assert "".join(mask.pieces(list(said))) == hidden["content"]


def test_the_names_of_the_format_stay_whatever_a_secret_is() -> None:
    mask = Mask({"KEY": "token"}, "/home/me", "2026-x")
    assert mask.hidden({"prompt_tokens": 3, "my token": ("token",)}) == {
        "prompt_tokens": 3,
        "my [secret KEY]": ["[secret KEY]"],
    }


# Differences


def test_the_place_and_the_words_that_differ() -> None:
    old = {"model": "m", "messages": [{"content": "Look through src and name it"}], "schema": {"a": 1}}
    new = {"model": "m", "messages": [{"content": "Look through lib and name it"}, {"content": "x"}], "more": [1]}
    assert differences(old, new) == (
        "messages[0].content: Look through [-src-]{+lib+} and name it",
        'messages[1]: {+{"content": "x"}+}',
        'schema: [-{"a": 1}-]',
        "more: {+[1]+}",
    )
    assert differences(old, old) == ()
    assert differences(["a", "b"], ["a"]) == ("[1]: [-b-]",)
    assert differences("a", "b") == ("the value: [-a-]{+b+}",)


def test_of_long_texts_only_what_a_person_reads() -> None:
    words = [f"w{number}" for number in range(300)]
    old, new = " ".join(words), " ".join([*words[:100], "other", *words[101:200], "more", *words[200:]])
    assert differences({"a": old}, {"a": new}) == (
        "a: …w94 w95 w96 w97 w98 w99 [-w100-]{+other+} w101 w102 w103 w104 w105 w106… "
        "w194 w195 w196 w197 w198 w199{+ more+} w200 w201 w202 w203 w204 w205…",
    )
    [line] = differences("", old)
    assert line.startswith("the value: {+w0 w1")
    assert "…" in line
    assert len(line) < 400
    assert differences(list(range(10)), list(range(10, 20)))[-1] == "and 4 more"


def test_one_more_in_the_middle_of_a_list_is_one_difference() -> None:
    assert differences({"argv": ["cat", "-"]}, {"argv": ["cat", "-u", "-"]}) == ("argv[1]: {+-u+}",)
    old = {"messages": [{"role": "user", "content": "a"}]}
    new = {"messages": [{"role": "system", "content": "b"}, {"role": "user", "content": "a"}]}
    assert differences(old, new) == ('messages[0]: {+{"role": "system", "content": "b"}+}',)
    assert differences([1, 2, 3], [1, 3]) == ("[1]: [-2-]",)


def test_tools_are_told_by_their_names() -> None:
    read, edit = {"name": "read", "description": "Read a file"}, {"name": "edit", "description": "Edit a file"}
    other = {"name": "read", "description": "Read one file"}
    assert differences({"tools": [edit, read]}, {"tools": [other]}) == (
        "tools: [-edit-]",
        "tools[read].description: Read [-a-]{+one+} file",
    )
    assert differences([read], [edit]) == ("the value: [-read-]{+edit+}",)
    assert differences([read, edit], [edit, read]) == ("the value: the same, in another order",)
    assert differences([read], []) == ("the value: [-read-]",)


def test_a_change_of_nothing_but_spaces_is_seen() -> None:
    assert differences("a b", "a  b") == ("the value: a[-␣-]{+␣␣+}b",)
    assert differences("a b", "a\n\tb") == ("the value: a[-␣-]{+⏎⇥+}b",)
    assert differences("a", "a\n") == ("the value: a{+⏎+}",)


def test_of_a_long_word_what_differs_in_it() -> None:
    old, new = "a" * 100 + "b" + "c" * 100, "a" * 100 + "x" + "c" * 100
    assert differences(old, new) == ("the value: [-…aaaaaabcccccc…-]{+…aaaaaaxcccccc…+}",)
    assert differences("0" * 64, "1" * 64) == (f"the value: [-{'0' * 20}…{'0' * 20}-]{{+{'1' * 20}…{'1' * 20}+}}",)
    assert differences("a" * 50, "a" * 49) == ("the value: [-…aaaaaaa-]{+…aaaaaa+}",)
    assert differences("", "a" * 50) == (f"the value: {{+{'a' * 20}…{'a' * 20}+}}",)


def test_where_no_spaces_stand_between_words_each_character_is_one() -> None:
    assert differences("あいうえお漢字" * 3, "あいうえお漢字あいうえお違字あいうえお漢字") == (
        "the value: あいうえお漢字あいうえお[-漢-]{+違+}字あいうえお漢字",
    )
