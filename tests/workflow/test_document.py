"""A file as text: data, places, and every way in which a text is no workflow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.finding_text import shown, text_findings

from runner.words.errors import WorkflowError
from runner.words.spans import Span
from runner.workflow.document import MAX_BYTES, parse_document, read_document
from runner.workflow.places import Places

QUOTE = "put the text in quotes, or write it as a block after `|`"
START = "begin with `version: 1`, `name:` and `steps:`"


def read(text: str | bytes):
    return parse_document(text, "w.yaml")


# --- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("true", True), ("False", False), ("TRUE", True), ("~", None), ("", None), ("null", None),
        ("12", 12), ("-3", -3), ("+4", 4), ("010", 10), ("0o10", 8), ("0x1F", 31), ("1.50", 1.5), ("1e3", 1000.0),
        (".5", 0.5), ("1_000", "1_000"), ("12:30:45", "12:30:45"), ("2026-11-22", "2026-11-22"), ("1.2.3", "1.2.3"),
        ("y", "y"), ("-", None), ("tRUE", "tRUE"), ("'12'", "12"), ('"true"', "true"), ("!!str 12", "12"),
        ("!!float 3", 3.0), ("!!int 0x10", 16), ("! 12", "12"),
    ],
)  # fmt: skip
def test_a_word_means_what_yaml_1_2_says(word, value):
    text = f"a: {word}\n" if word != "-" else "a:\n  -\n"
    data = read(text).data["a"]
    assert (data, type(data)) == (([None], list) if word == "-" else (value, type(value)))


@pytest.mark.parametrize("word", ["yes", "No", "ON", "off"])
def test_yes_no_on_off_stay_texts_with_a_warning(word):
    document = read(f"a: {word}\n")
    assert document.data == {"a": word}
    meant = "true" if word in {"yes", "ON"} else "false"
    assert shown(document.warnings) == (
        f"BR227 1:4-1:{4 + len(word)} warning: `{word}` is a text here, not a boolean\n"
        f'  help: write `{meant}`, or "{word}" if you mean the word'
    )


def test_yes_no_words_are_fine_as_keys_in_quotes_and_as_reasoning():
    document = read("on: \"yes\"\noff: 'no'\nreasoning: off\n")
    assert document.data == {"on": "yes", "off": "no", "reasoning": "off"}
    assert document.warnings == ()


def test_aliases_and_merge_keys():
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo:\n  <<: [*b, {z: 4}]\nthree: *b\nfour: {'<<': 5}\n"
    document = read(text)
    assert document.data == {
        "base": {"x": 1, "y": 2},
        "one": {"y": 3, "x": 1},
        "two": {"x": 1, "y": 2, "z": 4},
        "three": {"x": 1, "y": 2},
        "four": {"<<": 5},
    }
    assert document.span(("three",)) == Span(5, 8, 5, 10)
    assert document.span(("one", "x")) == Span(1, 14, 1, 15)
    assert document.key_span(("two", "x")) == Span(1, 11, 1, 12)


def test_a_byte_order_mark_windows_lines_and_a_version_are_fine():
    document = read("\ufeff%YAML 1.2\r\n---\r\na: 1\r\nb: |\r\n  x\r\n  y\r\n".encode())
    assert document.data == {"a": 1, "b": "x\ny\n"}
    assert document.key_span(("b",)) == Span(4, 1, 4, 2)
    assert document.place(("b",), 2) == (6, 3)


# --- places -------------------------------------------------------------------------------------------------------


TEXT = """\
name: "é 😀"   # comment
steps:
  - id: one
    task: |
      first {{ x }}
        second
    expect: [{that: a}, b]

  - id: two
    empty:
"""


@pytest.mark.parametrize(
    ("path", "span"),
    [
        (("name",), Span(1, 7, 1, 12)),
        (("steps", 0), Span(3, 5, 7, 27)),
        (("steps", 0, "task"), Span(4, 11, 6, 15)),
        (("steps", 0, "expect"), Span(7, 13, 7, 27)),
        (("steps", 0, "expect", 0, "that"), Span(7, 21, 7, 22)),
        (("steps", 1), Span(9, 5, 10, 11)),
        (("steps", 1, "empty"), Span(10, 11, 10, 12)),
        (("steps", 1, "nowhere", 3), Span(9, 5, 10, 11)),
    ],
)
def test_span_of_a_value(path, span):
    assert read(TEXT).span(path) == span


def test_span_of_a_key():
    document = read(TEXT)
    assert document.key_span(("steps",)) == Span(2, 1, 2, 6)
    assert document.key_span(("steps", 0, "expect", 0, "that")) == Span(7, 15, 7, 19)
    assert document.key_span(("steps", 1)) == document.span(("steps", 1))
    assert document.key_span(("steps", 1, "nowhere")) == document.span(("steps", 1))
    assert document.key_span(("lost", "nowhere")) == document.span(())


def test_has():
    document = read(TEXT)
    assert document.has(())
    assert document.has(("steps", 1, "empty"))
    assert not document.has(("steps", 2))
    assert not document.has(("steps", "id"))
    assert not document.has(("name", "x"))


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("a: x{{ y }}", "1:5"),
        ("a: 'it''s {{ y }}'", "1:11"),
        ('a: "\\t\\u00e9\\x41 {{ y }}"', "1:18"),
        ("a: |\n  one\n  two {{ y }}\n", "3:7"),
        ("a: |2-\n    deep\n   {{ y }}\n", "3:4"),
        ("a: >\n  one\n  two\n\n  {{ y }}\n", "5:3"),
        ("a: >-\n    one\n      kept\n    {{ y }}", "4:5"),
        ("a: one\n   two\n\n   {{ y }}\n", "4:4"),
        ('a: "one \\\n   two {{ y }}"', "2:8"),
        ("a: &x !!str 'q {{ y }}'", "1:16"),
        ("b: &x 'q {{ y }}'\na: *x\n", "1:10"),
    ],
)
def test_place_of_a_character_of_the_decoded_text(text, marked):
    document = read(text)
    line, column = document.place(("a",), document.data["a"].index("{{"))
    assert f"{line}:{column}" == marked
    assert text.splitlines()[line - 1][column - 1 :].startswith("{{")


def test_place_behind_the_last_character_and_of_what_is_no_text():
    document = read('a: "xy"\nb: 12\n')
    assert document.place(("a",), 2) == (1, 7)
    assert document.place(("a",), 99) == (1, 7)
    assert document.place(("b",), 1) == (2, 4)
    with pytest.raises(KeyError):
        document.place(("c",), 0)


def test_source_is_the_scalar_as_written():
    document = read("a: 1.10\nb: &x !!str 0x1f\nc: 'q'\nd: [1]\n")
    assert [document.source((key,)) for key in "abc"] == ["1.10", "0x1f", "'q'"]
    with pytest.raises(KeyError):
        document.source(("d",))


# --- what is no workflow --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", f"BR200 - error: this file is empty\n  help: {START}"),
        ("# only a comment\n", f"BR200 - error: this file is empty\n  help: {START}"),
        ("---\n", f"BR200 - error: this file is empty\n  help: {START}"),
        ("- a\n- b\n", f"BR200 1:1-1:2 error: this file holds a list, not a mapping of keys\n  help: {START}"),
        ("hello\n", f"BR200 1:1-1:2 error: this file holds a single value, not a mapping of keys\n  help: {START}"),
        (b"\x7fELF\0\0", "BR200 - error: this is a binary file\n  help: name a YAML file"),
        ("a: 1".encode("utf-16"), "BR200 - error: this file is written in UTF-16\n  help: save it as UTF-8"),
        (b"a: 1\nb: \xff\n", "BR200 2:4-2:5 error: this file is not written in UTF-8\n  help: save it as UTF-8"),
        ("a: \x07\n", "BR201 1:4-1:5 error: a character that YAML does not allow (U+0007)\n"
         '  help: delete it, or write "\\u0007" in double quotes'),
        ("a:\n\t- b\n", "BR201 2:1-2:2 error: a tab where YAML wants spaces\n  help: indent with spaces only"),
        ("a: |\n\tb\n", "BR201 2:1-2:2 error: a tab where YAML wants spaces\n  help: indent with spaces only"),
        ("a: b: c\n", f"BR201 1:5-1:6 error: a `:` where no key may stand\n  help: {QUOTE}"),
        ("a: 'b\nc: d\n", "BR201 1:4-1:5 error: this quote is never closed\n"
         "  help: write the same quote where the text ends"),
        ("a: [1, 2\nb: 3\n", "BR201 1:4-1:5 error: this `[` is never closed, or a `,` is missing\n"
         "  help: write `]` at its end and a `,` between its parts; quote it if it is meant as text"),
        ("a: {b: 1\nc: 3\n", "BR201 1:4-1:5 error: this `{` is never closed, or a `,` is missing\n"
         "  help: write `}` at its end and a `,` between its parts; quote it if it is meant as text"),
        ("a: @b\n", f"BR201 1:4-1:5 error: an unquoted text cannot begin with `@`\n  help: {QUOTE}"),
        ('a: "\\q"\n', "BR201 1:5-1:6 error: an unknown escape in double quotes\n"
         "  help: write `\\\\` for a backslash"),
        ("a: 1\nb\n", f"BR201 2:1-2:2 error: a `:` is missing after this key\n  help: {QUOTE}"),
        ("a:\n  - b\n  c: 1\n", "BR201 3:3-3:4 error: this line stands in a list but is no item of it\n"
         "  help: check its indent"),
        ("%YAML 3.0\n---\na: 1\n", "BR201 1:1-1:2 error: a version of YAML that nobody knows\n"
         "  help: delete the `%YAML` line"),
        ("a: {{ b }}\n", "BR201 1:4-1:6 error: a value that begins with `{{` must be quoted\n"
         '  help: write it as "{{ … }}"'),
        ("a: {{ b }}/c\n", "BR201 1:4-1:6 error: a value that begins with `{{` must be quoted\n"
         '  help: write it as "{{ … }}"'),
        ("a: 1\n---\nb: 2\n", "BR201 2:1-2:4 error: a second document begins here\n"
         "  help: keep one workflow in a file"),
        ("a: !!python/name:os.system x\n", "BR201 1:4-1:29 error: the tag `!!python/name:os.system` has no meaning here"
         "\n  help: delete the tag"),
        ("a: !own {b: 1}\n", "BR201 1:4-1:5 error: the tag `!own` has no meaning here\n  help: delete the tag"),
        ("a: !!int b\n", "BR220 1:4-1:11 error: `b` does not fit its tag\n  help: delete the tag"),
        ("a: *b\n", "BR201 1:4-1:6 error: `*b` has no anchor `&b` above it\n"
         "  help: put the text in quotes if you mean a `*`"),
        ("a: &b [*b]\n", "BR223 1:8-1:10 error: `*b` contains itself\n  help: write the value out"),
        ("a: &b 1\n*b : 2\n", "BR219 2:1-2:3 error: an alias cannot be a key\n  help: write the key itself"),
        ("? [a]\n: 1\n", "BR219 1:3-1:4 error: a list or a mapping cannot be a key\n  help: use a text as the key"),
        ("a: 1\n: 2\n", "BR201 2:1-2:2 error: a key is missing before this `:`\n"
         "  help: write a name before the `:`"),
        ("? \n: 2\n", "BR219 1:2-1:3 error: a key is missing before this `:`\n"
         "  help: write a name before the `:`"),
        ("a: {<<: 3}\n", "BR219 1:5-1:7 error: `<<` takes a mapping or a list of mappings\n"
         "  help: write `<<: *name`, where `&name` stands before a mapping"),
        ("a: -.inf\n", "BR220 1:4-1:9 error: `-.inf` is not a number that JSON has\n"
         "  help: put it in quotes if you mean a text"),
        ("a: 1e999\n", "BR220 1:4-1:9 error: `1e999` is too large a number\n"
         "  help: put it in quotes if you mean a text"),
        (f"a: {'9' * 5000}\n", "BR220 1:4-1:5004 error: a number of more than 300 characters\n"
         "  help: put it in quotes if you mean a text"),
    ],
)  # fmt: skip
def test_the_whole_finding(text, finding):
    assert text_findings(text) == finding


def test_all_problems_at_once_in_file_order():
    assert text_findings("a: 1\nb: .nan\n7: x\na: 2\ntrue: 3\nz: yes\nq: [\n") == (
        "BR220 2:4-2:8 error: `.nan` is not a number that JSON has\n"
        "  help: put it in quotes if you mean a text\n"
        "BR219 3:1-3:2 error: the key `7` is not a text\n"
        '  help: put it in quotes: "7"\n'
        "BR202 4:1-4:2 error: the key `a` is written twice in one mapping\n"
        "  note 1:1-1:2: first written here\n"
        "  help: keep one of the two\n"
        "BR219 5:1-5:5 error: the key `true` is not a text\n"
        '  help: put it in quotes: "true"\n'
        "BR227 6:4-6:7 warning: `yes` is a text here, not a boolean\n"
        '  help: write `true`, or "yes" if you mean the word\n'
        "BR201 7:4-7:5 error: the file ends before this is complete"
    )


@pytest.mark.parametrize("opening", ["[" * 200_000, "{a: " * 200_000, "- " * 200_000, "a: " + "[" * 101 + "]" * 101])
def test_deep_nesting(opening):
    finding = text_findings(opening)
    assert finding.endswith("error: more than 100 levels deep\n  help: nest less")
    assert finding.startswith("BR223 1:")


def test_a_hundred_levels_are_fine():
    value = read("a: " + "[" * 99 + "]" * 99).data["a"]
    for _ in range(98):
        (value,) = value
    assert value == []


def test_depth_counts_through_aliases():
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 150))
    assert text_findings(chain) == "BR223 100:12-100:13 error: more than 100 levels deep\n  help: nest less"


def test_alias_bomb():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    assert text_findings(bomb) == (
        "BR223 5:45-5:48 error: the aliases of this file stand for more than 100,000 values\n  help: use fewer aliases"
    )


def test_long_texts_behind_aliases_count_by_their_length():
    bomb = f"a: &a '{'x' * 64_000}'\nb: [{', '.join(['*a'] * 200)}]\n"
    assert "the aliases of this file stand for more than 100,000 values" in text_findings(bomb)


def test_after_a_hundred_findings_reading_stops():
    assert text_findings("a: 1\n" * 5_000).count("BR202") == 100


# --- reading a file -------------------------------------------------------------------------------------------------


def unreadable(path: Path | str) -> str:
    with pytest.raises(WorkflowError) as caught:
        read_document(str(path))
    assert {finding.file for finding in caught.value.diagnostics} == {str(path)}
    return shown(caught.value.diagnostics)


def test_a_file(tmp_path):
    file = tmp_path / "w.yaml"
    file.write_bytes(b"a: 1\n")
    document = read_document(str(file))
    assert (document.file, document.text, document.data) == (str(file), "a: 1\n", {"a": 1})


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "refactor.yaml").write_text("a: 1\n")
    assert unreadable(tmp_path / "refctor.yaml") == (
        "BR200 - error: there is no such file\n  help: did you mean `refactor.yaml`?"
    )
    assert unreadable(tmp_path / "no" / "w.yaml") == (
        f"BR200 - error: there is no such file\n  help: there is no folder `{tmp_path / 'no'}`"
    )
    (tmp_path / "link.yaml").symlink_to("gone.yaml")
    assert unreadable(tmp_path / "link.yaml") == (
        "BR200 - error: there is no file where this link leads\n  help: it leads to `gone.yaml`"
    )
    assert unreadable(tmp_path) == "BR200 - error: this is a folder, not a file\n  help: name a file in it"
    assert unreadable("a\0b") == "BR200 - error: this file cannot be read: embedded null byte"
    assert unreadable(tmp_path / "refactor.yaml" / "x") == "BR200 - error: this file cannot be read: Not a directory"


@pytest.mark.skipif(sys.platform != "linux", reason="needs an endless file")
def test_an_endless_file_is_not_read_to_its_end():
    assert unreadable("/dev/zero") == "BR200 - error: this file is larger than 5.0 MB\n  help: split the workflow"


def test_a_file_that_is_too_large(tmp_path):
    file = tmp_path / "w.yaml"
    file.write_bytes(b"a: 1\n" + b"#" * MAX_BYTES)
    assert unreadable(file) == "BR200 - error: this file is larger than 5.0 MB\n  help: split the workflow"


# --- any text at all ------------------------------------------------------------------------------------------------

YAML_TEXT = st.text(alphabet="ab:- \n\t'\"|>&*![]{},#%?<~@`0.\\x\r\ufeff\x00é😀", max_size=60)


def document_or_findings(source, *, pure):
    """The document; or None, if there are findings that a person can use."""
    error = None
    try:
        return parse_document(source, "w.yaml", pure=pure)
    except WorkflowError as raised:
        error = raised
    assert all(finding.message and finding.code.startswith("BR2") for finding in error.diagnostics)
    assert any(finding.level == "error" for finding in error.diagnostics)
    return None


@settings(max_examples=400, deadline=None)
@given(st.one_of(YAML_TEXT, st.text(max_size=30), st.binary(max_size=40)), st.booleans())
def test_any_text_is_a_document_or_has_findings(source, pure):
    document = document_or_findings(source, pure=pure)
    if document is None:
        return
    lines = document.lines.place(len(document.text))[0]
    for path in Places(document):
        for span in (document.span(path), document.key_span(path)):
            assert 1 <= span.line <= span.end_line <= lines
            assert (span.line, span.column) < (span.end_line, span.end_column)


KEYS = st.text(alphabet="abcdef", min_size=1, max_size=4)
WORDS = st.text(alphabet="ab1 \n\t:#'\"{}[]-,é😀\\|>&*%", max_size=40)
JSON = st.recursive(
    WORDS | st.integers() | st.booleans() | st.none(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(KEYS, children, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(KEYS, JSON, min_size=1, max_size=4),
    st.sampled_from([None, "|", ">", '"', "'"]),
    st.sampled_from([5, 20, 80]),
    st.sampled_from([2, 4, 7]),
    st.booleans(),
)
def test_every_character_is_found_where_it_stands_by_both_parsers(data, style, width, indent, flow):
    text = yaml.safe_dump(
        data, default_style=style, width=width, indent=indent, default_flow_style=flow, allow_unicode=True
    )
    document, twin = read(text), parse_document(text, "w.yaml", pure=True)
    if style is None:
        assert document.data == yaml.safe_load(text)  # not `data`: PyYAML's writer has faults of its own
    assert twin.data == document.data
    lines = text.split("\n")
    for path in Places(document):
        assert twin.span(path) == document.span(path)
        assert twin.key_span(path) == document.key_span(path)
        value = document.data
        for part in path:
            value = value[part]
        for offset, character in enumerate(value if isinstance(value, str) else ""):
            line, column = document.place(path, offset)
            there = (lines[line - 1] + "\n")[column - 1]
            assert there in {character, "\\"} or character in " \n"


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, st.text(alphabet="abc xyz.", min_size=1, max_size=30), min_size=1, max_size=5))
def test_a_plain_scalar_is_what_stands_at_its_span(data):
    text = yaml.safe_dump(data, width=1000)
    document = read(text)
    lines = text.split("\n")
    for key, value in document.data.items():
        span = document.span((key,))
        held = lines[span.line - 1][span.column - 1 : span.end_column - 1]
        assert yaml.safe_load(held) == yaml.safe_load(document.source((key,)))
        assert read(f"k: {held}").data["k"] == value
        name = document.key_span((key,))
        assert lines[name.line - 1][name.column - 1 : name.end_column - 1].strip("'\"") == key


# --- corners --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("!foo a: 1\n", "BR201 1:1-1:7 error: the tag `!foo` has no meaning here\n  help: delete the tag"),
        ("1e999: 2\n", 'BR219 1:1-1:6 error: the key `1e999` is not a text\n  help: put it in quotes: "1e999"'),
        ("~: 1\n", 'BR219 1:1-1:2 error: the key `~` is not a text\n  help: put it in quotes: "~"'),
    ],
)
def test_a_key_that_is_none(text, finding):
    assert text_findings(text) == finding


def test_a_tag_may_make_a_key_a_text_and_an_anchor_may_name_one():
    assert read("!!str 5: 1\n").data == {"5": 1}
    assert read("0x: 1\n").data == {"0x": 1}
    assert read("&k a: 1\nb: *k\n").data == {"a": 1, "b": "a"}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a\0b.yaml", "this file cannot be read: embedded null byte"),
        ("x" * 300 + ".yaml", "this file cannot be read: File name too long"),
    ],
)
def test_a_path_that_the_system_refuses(path, message):
    with pytest.raises(WorkflowError) as caught:
        read_document(path)
    assert [(one.code, one.message) for one in caught.value.diagnostics] == [("BR200", message)]


def test_places_are_those_of_every_path():
    document = read("a: [1, {b: 2}]\nc: &x {d: 3}\ne: *x\n")
    places = Places(document)
    assert set(places) == {
        (), ("a",), ("a", 0), ("a", 1), ("a", 1, "b"), ("c",), ("c", "d"), ("e",), ("e", "d"),
    }  # fmt: skip
    assert len(places) == 9
    assert all(places[path] == document.span(path) for path in places)


def test_a_model_in_short_stands_where_its_id_would():
    places = Places(read("models: {coder: some/model, thinker: {id: other}}\n"))
    assert places[("models", "coder", "id")] == Span(1, 17, 1, 27)
    assert places[("models", "thinker", "id")] == Span(1, 43, 1, 48)
    assert places[("models", "coder")] == Span(1, 10, 1, 15)
    with pytest.raises(KeyError):
        places[("models", "nobody", "id")]
