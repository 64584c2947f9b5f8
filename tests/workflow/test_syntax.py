"""Breaches of YAML's grammar in our words, the same for both parsers."""

from __future__ import annotations

import pytest

from runner.words.errors import WorkflowError
from runner.workflow.document import parse_document

QUOTE = "put the text in quotes, or write it as a block after `|`"
BOTH = pytest.mark.parametrize("pure", [False, True], ids=["libyaml", "python"])


def said(text: str, *, pure: bool) -> str:
    """The only finding: place, message, help."""
    with pytest.raises(WorkflowError) as caught:
        parse_document(text, "w.yaml", pure=pure)
    (one,) = caught.value.diagnostics
    assert one.span is not None
    return f"{one.code} {one.span.line}:{one.span.column} {one.message}" + (f" | {one.help}" if one.help else "")


@BOTH
@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a: [{{ x\n", "BR201 1:5 a value that begins with `{{` must be quoted | write it as \"{{ … }}\""),
        ("a: {{ @x }}\n", 'BR201 1:7 a value that begins with `{{` must be quoted | write it as "{{ … }}"'),
        ("a: b {{ c }}: d\n", f"BR201 1:13 a `:` where no key may stand | {QUOTE}"),
        ("a: %x\n", f"BR201 1:4 an unquoted text cannot begin with `%` | {QUOTE}"),
        ("a: - b\n", "BR201 1:4 a list item where none may stand | begin it on its own line"),
        ("a: ? b\n", "BR201 1:4 a key where none may stand | begin it on its own line"),
        ('a: "\\xZZ"\n', "BR201 1:7 a broken escape | write four hexadecimal digits"),
        ("- a\nb: 1\n", "BR201 2:1 this line stands in a list but is no item of it | check its indent"),
        ("a: &\n", f"BR201 1:5 a name is missing after `&` or `*` | {QUOTE}"),
        ("a: *\n", f"BR201 1:5 a name is missing after `&` or `*` | {QUOTE}"),
        ("a: |x\n", "BR201 1:5 a broken head of a block text | write `|` or `>` alone at the end of the line"),
        ("a: 1\n...\nb\n", "BR201 3:1 a broken `%` line or text behind the end | delete the line"),
        ("a: ]\n", f"BR201 1:4 a `]` where a value should stand | {QUOTE}"),
        ("a: }\nb: 1\n", f"BR201 1:4 a `}}` where a value should stand | {QUOTE}"),
        ("a: , b\n", f"BR201 1:4 a `,` where a value should stand | {QUOTE}"),
    ],
)  # fmt: skip
def test_a_breach(text: str, finding: str, pure: bool) -> None:
    assert said(text, pure=pure) == finding
