"""``# bridge: allow BR305``: comments that silence findings about models, and what they reach.

Such a comment reaches its own line, or, alone on a line, the next line that holds something. At the first line of a
step or at its ``id``, and at the name of a model, it reaches all of the step or model; before the first key of the
file, all of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.words.diagnostics import Diagnostic
from runner.words.spans import Span
from runner.workflow.document import Document
from runner.workflow.model import Allow
from runner.workflow.node import MappingNode, Node, SequenceNode, child, extent, parts, resolved, unpack
from runner.workflow.offset import bare_source

ALLOWABLE = frozenset(
    (
        "BR303", "BR305", "BR306", "BR307", "BR308", "BR309", "BR315", "BR316", "BR317", "BR318", "BR319", "BR320",
        "BR321", "BR322", "BR323", "BR329",
    )
)  # fmt: skip
"""What a person may know better. Without a model, or without a server, nothing can run, whatever a comment says."""
_COMMENT = re.compile(r"(?<![^ \t\r\n])#[ \t]*bridge:[ \t]*(\w+)[ \t]*([^\r\n]*)")
_BREAK = re.compile(r"\r\n|\n|\r")
_CODE = re.compile(r"[A-Za-z]{2}[0-9]+")
_WAYS = "BR303, BR305 to BR309, and BR315 to BR323 can be"
_END = 1 << 30


def read_allows(document: Document) -> tuple[tuple[Allow, ...], tuple[Diagnostic, ...]]:
    """The comments of a file in its order, and warnings (BR328) about words in them that mean nothing."""
    if "bridge:" not in document.text:
        return (), ()
    allows: list[Allow] = []
    findings: list[Diagnostic] = []
    for match in _comments(document):
        span = document.lines.span(match.start(), match.end(1) if not match[2].strip() else match.end())
        codes = tuple(dict.fromkeys(code.upper() for code in _codes(match[2])))
        problems = list(_problems(match[1], codes, span, document.file))
        findings += problems
        known = tuple(code for code in codes if code in ALLOWABLE)
        if known and match[1] == "allow":
            first, last = _reach(document, match.start())
            allows.append(Allow(codes=known, span=span, first=first, last=last))
    return tuple(allows), tuple(findings)


def _codes(rest: str) -> Iterator[str]:
    """The codes before any words that give a reason."""
    for word in re.split(r"[,\s]+", rest.strip()):
        if not _CODE.fullmatch(word):
            return
        yield word


def _problems(verb: str, codes: tuple[str, ...], span: Span, file: str) -> Iterator[Diagnostic]:
    def problem(message: str, help: str) -> Diagnostic:
        return Diagnostic(code="BR328", message=message, file=file, span=span, level="warning", help=help)

    if verb != "allow":
        if codes:
            yield problem(f"`bridge: {verb}` means nothing", "write `# bridge: allow CODE`")
        return
    if not codes:
        yield problem("this comment allows nothing", "name the codes: `# bridge: allow BR305, BR318`")
    for code in codes:
        if code in ALLOWABLE:
            continue
        if code.startswith("BR3"):
            yield problem(f"`{code}` is no finding that can be allowed", _WAYS)
        else:
            yield problem(f"`{code}` cannot be allowed: only findings about models can", _WAYS)


def _comments(document: Document) -> Iterator[re.Match[str]]:
    """What looks like such a comment and does not stand inside a text."""
    found = list(_COMMENT.finditer(document.text))
    if not found:
        return
    texts = list(_texts(document))
    yield from (match for match in found if not any(start < match.start() < end for start, end in texts))


def _texts(document: Document) -> Iterator[tuple[int, int]]:
    """Where the texts of the file stand. The line on which a block (``|``, ``>``) begins may end in a comment."""
    todo: list[Node] = [document.root]
    while todo:
        node = todo.pop()
        if not isinstance(node, int):
            todo.extend(parts(node))
            continue
        start, end = unpack(node)
        if bare_source(document.text, start, end)[:1] in ("|", ">"):
            head = _BREAK.search(document.text, start)
            start = head.start() if head else end
        yield start, end


def _reach(document: Document, offset: int) -> tuple[int, int]:
    """First and last line that a comment at the offset reaches."""
    text = document.text
    line, column = document.lines.place(offset)
    alone = not text[offset - column + 1 : offset].strip()
    if alone and offset < extent(document.root)[0]:
        return 1, _END
    if alone:
        line = _next_line(text, line)
    return next((reach for reach in _wholes(document) if line in reach[1]), ((line, line), ()))[0]


def _next_line(text: str, line: int) -> int:
    """The first line after it that holds more than a comment."""
    for number, content in enumerate(_BREAK.split(text)[line:], line + 1):
        if content.strip() and not content.lstrip().startswith("#"):
            return number
    return line


def _wholes(document: Document) -> Iterator[tuple[tuple[int, int], tuple[int, ...]]]:
    """The lines of every step and of every model, and the lines of it that stand for all of them."""
    root = resolved(document.root)
    if not isinstance(root, MappingNode):
        return
    steps = resolved(root.values["steps"]) if "steps" in root.values else None
    if isinstance(steps, SequenceNode):
        for index, step in enumerate(steps.items):
            lines = _lines(document, step)
            yield lines, (lines[0], _id_line(document, step, index))
    models = resolved(root.values["models"]) if "models" in root.values else None
    if isinstance(models, MappingNode):
        for alias, stretch in models.keys.items():
            name = document.lines.place(unpack(stretch)[0])[0]
            yield (name, _lines(document, models.values[alias])[1]), (name,)


def _id_line(document: Document, step: Node, index: int) -> int:
    try:
        child(step, "id")
    except KeyError:
        return _lines(document, step)[0]
    return document.key_span(("steps", index, "id")).line


def _lines(document: Document, node: Node) -> tuple[int, int]:
    start, end = extent(node)
    content = document.text[start:end].rstrip()
    return document.lines.place(start)[0], document.lines.place(start + max(len(content) - 1, 0))[0]
