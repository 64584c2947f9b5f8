"""Values of inputs from the command line, a file and the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.words.errors import UsageError
from runner.workflow.inputs import bind_inputs
from runner.workflow.model import Input, Workflow

REQUIRED: dict[str, dict[str, Any]] = {
    "path": {"type": "string"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 20},
}
OPTIONAL: dict[str, tuple[dict[str, Any], Any]] = {
    "dry": ({"type": "boolean"}, False),
    "names": ({"type": "array", "items": {"type": "string"}}, ["a"]),
    "ratio": ({"type": "number"}, None),
    "extra": ({"type": "object"}, {}),
    "mode": ({"enum": ["fast", 3]}, "fast"),
    "any": ({"type": ["integer", "string"]}, 1),
    "free": ({}, None),
}
WORKFLOW = Workflow(
    name="demo",
    file="demo.yaml",
    folder=".",
    inputs={
        **{name: Input(name=name, schema=schema, required=True) for name, schema in REQUIRED.items()},
        **{name: Input(name=name, schema=s, required=False, default=d) for name, (s, d) in OPTIONAL.items()},
    },
)


def read(name: str) -> str:
    return Path(name).read_text(encoding="utf-8")


def bind(*given: str, from_file: dict[str, Any] | None = None) -> dict[str, Any]:
    return bind_inputs(WORKFLOW, ("path=src", "limit=3", *given), from_file, read)


def test_defaults_in_the_order_of_the_file() -> None:
    assert bind() == {"path": "src", "limit": 3} | {name: default for name, (_, default) in OPTIONAL.items()}
    assert list(bind()) == list(WORKFLOW.inputs)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("path=3", "3"),
        ("path=a=b", "a=b"),
        ("path=", ""),
        ("limit=20", 20),
        ("limit=2.0", 2),
        ("dry=true", True),
        ('names=["x", "y"]', ["x", "y"]),
        ("ratio=0.5", 0.5),
        ("ratio=2", 2),
        ('extra={"a": [1]}', {"a": [1]}),
        ("mode=3", 3),
        ("mode=fast", "fast"),
        ("any=7", 7),
        ("any=seven", "seven"),
        ("free=text", "text"),
    ],
)
def test_values_are_read_as_their_type(given: str, value: object) -> None:
    assert bind(given)[given.partition("=")[0]] == value


def test_the_last_wins_over_the_file_over_the_default() -> None:
    assert bind("any=1", "any=2", from_file={"any": 9, "dry": True, "path": "file"}) == bind() | {"any": 2, "dry": True}


def test_a_value_from_a_file_loses_its_last_newline(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(b"one\ntwo\r\n")
    assert bind(f"path=@{file}")["path"] == "one\ntwo"
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="is not written in UTF-8"):
        bind(f"path=@{file}")


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ("path", "`path` is no input", "write `-i name=value`, or `-i name=@file`"),
        ("pth=x", "the workflow `demo` has no input `pth`", "did you mean `path`?"),
        ("limit=many", "the input `limit` must be a whole number, not `many`", "write it like this: `-i limit=3`"),
        ("dry=yes", "the input `dry` must be `true` or `false`, not `yes`", "write it like this: `-i dry=true`"),
        ("names=a,b", "the input `names` must be a list, not `a,b`", 'write it like this: `-i names=\'["a", "b"]\'`'),
        ("ratio=NaN", "the input `ratio` must be a number, not `NaN`", "write it like this: `-i ratio=0.5`"),
        ("limit=true", "the input `limit` must be a whole number, not `true`", "write it like this: `-i limit=3`"),
        (
            "path=@/no/such/file",
            "the input `path` cannot be read from `/no/such/file`: No such file or directory",
            "after `@` stands the path of a file, from where you are",
        ),
    ],
)
def test_what_cannot_be_is_said(given: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        bind(given)
    assert (str(caught.value), caught.value.hint) == (message, hint)


def test_values_out_of_range_are_said() -> None:
    with pytest.raises(UsageError, match=r"^the input `limit` does not fit: .*20") as caught:
        bind("limit=21")
    assert caught.value.hint == "write it like this: `-i limit=3`"
    with pytest.raises(UsageError, match=r"^the input `names` does not fit at `\[1\]`: "):
        bind('names=["a", 1]')
    with pytest.raises(UsageError, match=r"^the input `dry` does not fit: "):
        bind(from_file={"dry": "no"})


def test_all_that_is_missing_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        bind_inputs(WORKFLOW, (), None, read)
    assert str(caught.value) == "these inputs have no value: `path`, `limit`"
    assert caught.value.hint == "give them: `-i path=… -i limit=3`"
    with pytest.raises(UsageError) as caught:
        bind_inputs(WORKFLOW, ["limit=1"], None, read)
    assert (str(caught.value), caught.value.hint) == ("the input `path` has no value", "give it: `-i path=…`")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        bind_inputs(WORKFLOW, ["limit=many", "pth=x", "names=a", "limit=many", "dry"], {"dry": "no", "ratio": 1}, read)
    assert str(caught.value).splitlines() == [
        "6 complaints about the inputs:",
        "the input `dry` does not fit: expected true or false, got the text `no`;"
        " write it like this in the file of `--inputs`: `dry: true`",
        "the input `limit` must be a whole number, not `many`; write it like this: `-i limit=3`",
        "the workflow `demo` has no input `pth`; did you mean `path`?",
        'the input `names` must be a list, not `a`; write it like this: `-i names=\'["a", "b"]\'`',
        "`dry` is no input; write `-i name=value`, or `-i name=@file`",
        "the input `path` has no value; give it: `-i path=…`",
    ]
    assert caught.value.hint is None


def test_a_workflow_without_inputs() -> None:
    bare = Workflow(name="bare", file="b.yaml", folder=".")
    with pytest.raises(UsageError) as caught:
        bind_inputs(bare, ["a=1"], None, read)
    assert (str(caught.value), caught.value.hint) == ("the workflow `bare` has no input `a`", "it has no inputs")
