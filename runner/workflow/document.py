"""A workflow file as text: its data, and the line and column of every key and value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from runner.words.diagnostics import Diagnostic, in_file_order
from runner.words.errors import WorkflowError
from runner.words.spans import Path, Span
from runner.words.suggest import did_you_mean
from runner.words.units import show_bytes
from runner.workflow.composer import compose
from runner.workflow.lines import LineTable
from runner.workflow.node import MappingNode, Node, child, descend, extent, resolved, unpack
from runner.workflow.offset import bare_source, source_offsets

MAX_BYTES = 5 * 1024**2
"""Size of the largest file that is read."""

# All characters that YAML does not allow unescaped (yaml.org/spec/1.2.2, chapter 5.1).
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_START = "begin with `version: 1`, `name:` and `steps:`"


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read: ``text`` without its byte order mark, ``data`` as JSON knows it, warnings so far.

    Parts of ``data`` that stand behind an alias are shared: treat all of it as frozen.
    """

    file: str
    text: str
    data: dict[str, Any]
    warnings: tuple[Diagnostic, ...]
    root: Node
    lines: LineTable

    def has(self, path: Path) -> bool:
        """Whether the path leads to a value."""
        try:
            descend(self.root, path)
        except KeyError:
            return False
        return True

    def span(self, path: Path) -> Span:
        """Where the value at ``path`` stands; if nothing stands there, the nearest value around it."""
        node = self.root
        for part in path:
            try:
                node = child(node, part)
            except KeyError:
                break
        return self.lines.span(*self._trimmed(node))

    def key_span(self, path: Path) -> Span:
        """Where the key that ends ``path`` stands; for an item of a list, or no such key, the span of the value."""
        if path and isinstance(path[-1], str):
            try:
                holder = resolved(descend(self.root, path[:-1]))
            except KeyError:
                return self.span(path)
            if isinstance(holder, MappingNode) and path[-1] in holder.keys:
                return self.lines.span(*unpack(holder.keys[path[-1]]))
        return self.span(path)

    def place(self, path: Path, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of the character at ``offset`` of the text at ``path``, as decoded.

        ``offset`` may be the length of the text: then what follows its last character.

        Raises:
            KeyError: the path leaves the document.
        """
        node = resolved(descend(self.root, path))
        value = self._value(path)
        if not isinstance(node, int) or not isinstance(value, str):
            return self.span(path)[:2]
        offsets = source_offsets(self.text, *unpack(node), value)
        if offsets is None:
            return self.span(path)[:2]
        return self.lines.place(offsets[max(0, min(offset, len(value)))])

    def source(self, path: Path) -> str:
        """A scalar as it is written, with its quotes but without anchor and tag.

        Raises:
            KeyError: the path leads to no scalar.
        """
        node = resolved(descend(self.root, path))
        if not isinstance(node, int):
            raise KeyError(path)
        return bare_source(self.text, *unpack(node))

    def _value(self, path: Path) -> Any:
        value: Any = self.data
        for part in path:
            value = value[part]
        return value

    def _trimmed(self, node: Node) -> tuple[int, int]:
        """The parser ends a block scalar at the next line: leave the line breaks out."""
        start, end = extent(node)
        return start, start + len(self.text[start:end].rstrip())


def read_document(path: str, *, start: str = _START) -> Document:
    """Read a workflow file, or another file of keys; ``start`` is the help for one that holds none.

    Raises:
        WorkflowError: BR200 to BR202, BR219, BR220, BR223: it cannot be read, or is no YAML mapping; every problem at
            once, except that reading stops at the first breach of YAML's grammar.
    """
    try:
        with FilePath(path).open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if FilePath(path).is_symlink():
            leads = f"it leads to `{FilePath(path).readlink()}`"
            raise _unreadable(path, "there is no file where this link leads", help=leads) from None
        raise _unreadable(path, "there is no such file", help=_near_files(path)) from None
    except IsADirectoryError:
        raise _unreadable(path, "this is a folder, not a file", help="name a file in it") from None
    except PermissionError:
        raise _unreadable(path, "this file may not be read", help="check its permissions") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(path, f"this file cannot be read: {reason}") from error
    return parse_document(raw, path, start=start)


def parse_document(source: str | bytes, file: str, *, pure: bool = False, start: str = _START) -> Document:
    """Make a document of a text; ``file`` is its name in findings. ``pure`` takes the parser written in Python.

    Raises:
        WorkflowError: as ``read_document``.
    """
    text = _decoded(source, file).removeprefix("\ufeff")
    lines = LineTable(text)
    _refuse_control_characters(text, file, lines)
    made = compose(text, file, lines, pure=pure)
    findings = in_file_order(made.findings)
    if any(finding.level == "error" for finding in findings):
        raise WorkflowError(findings)
    if made.root is None or made.data is None:
        raise _unreadable(file, "this file is empty", help=start)
    if not isinstance(made.data, dict):
        span = lines.span(*extent(made.root))
        held = "a list" if isinstance(made.data, list) else "a single value"
        message = f"this file holds {held}, not a mapping of keys"
        raise _unreadable(file, message, span=Span(*span[:2], span.line, span.column + 1), help=start)
    return Document(file, text, made.data, findings, made.root, lines)


def _decoded(source: str | bytes, file: str) -> str:
    if len(source) > MAX_BYTES:
        raise _unreadable(file, f"this file is larger than {show_bytes(MAX_BYTES)}", help="split the workflow")
    if isinstance(source, str):
        return source
    if source.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _unreadable(file, "this file is written in UTF-16", help="save it as UTF-8")
    if b"\0" in source:
        raise _unreadable(file, "this is a binary file", help="name a YAML file")
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as error:
        before = source[: error.start].decode("utf-8").removeprefix("\ufeff")
        line, column = LineTable(before).place(len(before))
        span = Span(line, column, line, column + 1)
        raise _unreadable(file, "this file is not written in UTF-8", span=span, help="save it as UTF-8") from None


def _refuse_control_characters(text: str, file: str, lines: LineTable) -> None:
    found = _FORBIDDEN.search(text)
    if found is None:
        return
    name = f"U+{ord(found.group()):04X}"
    span = lines.span(found.start(), found.end())
    hint = f'delete it, or write "\\u{ord(found.group()):04x}" in double quotes'
    message = f"a character that YAML does not allow ({name})"
    raise WorkflowError([Diagnostic(code="BR201", message=message, file=file, span=span, help=hint)])


def _unreadable(file: str, message: str, *, span: Span | None = None, help: str | None = None) -> WorkflowError:
    return WorkflowError([Diagnostic(code="BR200", message=message, file=file, span=span, help=help)])


def _near_files(path: str) -> str | None:
    asked = FilePath(path)
    try:
        names = [entry.name for entry in asked.parent.iterdir() if entry.suffix in {".yaml", ".yml"}]
    except OSError:
        return f"there is no folder `{asked.parent}`" if not asked.parent.is_dir() else None
    return did_you_mean(asked.name, names)
