"""Text becomes data and nodes: an iterative composer over the events of a YAML parser. The only door to PyYAML.

PyYAML's own composer is recursive (its C version crashes on deep nesting), keeps the last of two equal keys, and
unfolds aliases without bounds; this one reports the first two and bounds the third.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from runner.words.diagnostics import Diagnostic, Level, Note
from runner.workflow.lines import LineTable
from runner.workflow.node import AliasNode, MappingNode, Node, ScalarNode, SequenceNode, resolved
from runner.workflow.scalar import CONSTANTS, YES_NO, resolve, resolve_tagged
from runner.workflow.syntax import word_problem

MAX_DEPTH = 100
MAX_ALIASED = 100_000
"""How many values all aliases of a file may stand for together; a long text counts once per 64 characters."""
MAX_FINDINGS = 100
"""After so many errors nobody reads on."""

_WORDS_MEANT = frozenset({"reasoning"})  # its legal values are `on` and `off`
_COLLECTION_TAGS = frozenset({None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_QUOTE_IT = "put it in quotes if you mean a text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What a text holds; ``root`` is None for a text without a document. Findings stand in the order they were met."""

    root: Node | None
    data: Any
    findings: tuple[Diagnostic, ...]


def compose(text: str, file: str, lines: LineTable, *, pure: bool = False) -> Composition:
    """Compose a text that holds only characters YAML allows. ``pure`` takes the parser written in Python.

    Never raises: what is wrong stands in the findings.
    """
    composer = _Composer(text, file, lines)
    try:
        for event in _events(text, pure=pure):
            composer.handlers[type(event)](event)
    except _Halted:
        pass
    except yaml.MarkedYAMLError as error:
        composer.syntax(error)
    return Composition(root=composer.root, data=composer.data, findings=tuple(composer.findings))


def _events(text: str, *, pure: bool) -> Iterator[yaml.Event]:
    loader = yaml.SafeLoader(text) if pure or not yaml.__with_libyaml__ else yaml.CSafeLoader(text)
    try:
        while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
            yield event
    finally:
        loader.dispose()


class _Halted(Exception):  # noqa: N818 - a signal inside this module, not an error
    """There is no sense in reading on."""


@dataclass(slots=True, eq=False)
class _Composer:
    text: str
    file: str
    lines: LineTable
    root: Node | None = None
    data: Any = None
    findings: list[Diagnostic] = field(default_factory=list)
    handlers: dict[type, Callable[[Any], None]] = field(init=False)
    _stack: list[MappingNode | SequenceNode] = field(default_factory=list)
    _top: MappingNode | SequenceNode | None = None
    _key: tuple[str, int, int] | None = None
    _anchors: dict[str, tuple[Node, Any]] = field(default_factory=dict)
    _measures: dict[int, tuple[int, int]] = field(default_factory=dict)
    _aliased: int = 0

    def __post_init__(self) -> None:
        self.handlers = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._mapping_start,
            yaml.MappingEndEvent: self._mapping_end,
            yaml.SequenceStartEvent: self._sequence_start,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.StreamStartEvent: self._ignore,
            yaml.DocumentStartEvent: self._document_start,
            yaml.DocumentEndEvent: self._ignore,
        }

    # --- findings -------------------------------------------------------------------------------------------------

    def report(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        *,
        help: str | None = None,
        level: Level = "error",
        notes: tuple[Note, ...] = (),
    ) -> None:
        """Add a finding about a stretch of the text; halts when there are too many."""
        span = self.lines.span(start, end)
        self.findings.append(
            Diagnostic(code=code, message=message, file=self.file, span=span, level=level, help=help, notes=notes)
        )
        if len(self.findings) >= MAX_FINDINGS:
            raise _Halted

    def syntax(self, error: yaml.MarkedYAMLError) -> None:
        """Add the complaint of the parser, in our words."""
        mark = error.problem_mark or error.context_mark
        opening = error.context_mark
        index = min(mark.index, len(self.text)) if mark else 0
        index = len(self.text[:index].rstrip()) if index == len(self.text) else index
        wording = word_problem(error.problem or "", error.context or "", self.text, index)
        if wording.at_opening and opening:
            index = opening.index
        span = self.lines.span(index, index + 1)
        self.findings.append(
            Diagnostic(code="BR201", message=wording.message, file=self.file, span=span, help=wording.help)
        )

    # --- events ---------------------------------------------------------------------------------------------------

    def _ignore(self, event: yaml.Event) -> None:
        """Nothing to learn."""

    def _document_start(self, event: yaml.DocumentStartEvent) -> None:
        if self.root is not None:
            start = event.start_mark.index
            self.report("BR201", "a second document begins here", start, start + 3, help="keep one workflow in a file")
            raise _Halted

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        if self._key is None and type(self._top) is MappingNode:
            self._take_key(event, start, end)
            return
        value: Any = event.value
        if event.implicit[0] and event.tag is None:
            if value in YES_NO:
                self._warn_yes_no(value, start, end)
            try:
                value = resolve(value)
            except ValueError as error:
                self.report("BR220", str(error), start, end, help=_QUOTE_IT)
        elif event.tag is not None:
            value = self._tagged(event, start, end)
        node = (start, end)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, value)
        self._attach(node, value)

    def _warn_yes_no(self, word: str, start: int, end: int) -> None:
        if self._key and self._key[0] in _WORDS_MEANT:
            return
        meant = "true" if word.lower() in {"yes", "on"} else "false"
        hint = f'write `{meant}`, or "{word}" if you mean the word'
        self.report("BR227", f"`{word}` is a text here, not a boolean", start, end, help=hint, level="warning")

    def _tagged(self, event: yaml.ScalarEvent, start: int, end: int) -> Any:
        try:
            return resolve_tagged(event.tag, event.value)
        except ValueError as error:
            self.report("BR220", str(error), start, end, help="delete the tag")
        except LookupError:
            self._foreign_tag(event.tag, start, end)
        return event.value

    def _foreign_tag(self, tag: str, start: int, end: int) -> None:
        shown = tag.replace("tag:yaml.org,2002:", "!!")
        self.report("BR201", f"the tag `{shown}` has no meaning here", start, end, help="delete the tag")

    def _take_key(self, event: yaml.ScalarEvent, start: int, end: int) -> None:
        key = event.value
        top = self._top
        assert isinstance(top, MappingNode)
        if event.implicit[0] and event.tag is None:
            if key == "<<":
                top.merges = True
            elif key in CONSTANTS or key[0] in "+-.0123456789":
                self._check_key(key, start, end)
        elif event.tag not in {None, "!", "tag:yaml.org,2002:str"}:
            self._foreign_tag(event.tag, start, end)
        if event.anchor is not None:
            self._anchors[event.anchor] = ((start, end), key)
        first = top.entries.get(key)
        if first is not None:
            note = Note(message="first written here", span=self.lines.span(first[0], first[1]))
            message = f"the key `{_short(key)}` is written twice in one mapping"
            self.report("BR202", message, start, end, help="keep one of the two", notes=(note,))
        self._key = (key, start, end)

    def _check_key(self, key: str, start: int, end: int) -> None:
        try:
            is_text = isinstance(resolve(key), str)
        except ValueError:
            is_text = False
        if key == "":
            self.report("BR219", "a key is missing before this `:`", start, end, help="write a name before the `:`")
        elif not is_text:
            message = f"the key `{_short(key)}` is not a text"
            self.report("BR219", message, start, end, help=f'put it in quotes: "{_short(key)}"')

    def _mapping_start(self, event: yaml.MappingStartEvent) -> None:
        start = event.start_mark.index
        self._open(MappingNode(start, flow=bool(event.flow_style)), event)

    def _sequence_start(self, event: yaml.SequenceStartEvent) -> None:
        start = event.start_mark.index
        self._open(SequenceNode(start, flow=bool(event.flow_style)), event)

    def _open(self, node: MappingNode | SequenceNode, event: yaml.CollectionStartEvent) -> None:
        start = node.start
        if self._key is None and type(self._top) is MappingNode:
            self._collection_as_key(start)
        if event.tag not in _COLLECTION_TAGS:
            self._foreign_tag(event.tag, start, start + 1)
        self._attach(node, node.data)
        self._stack.append(node)
        self._top = node
        if len(self._stack) > MAX_DEPTH:
            self._too_deep(start)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, node.data)

    def _too_deep(self, start: int) -> None:
        self.report("BR223", f"more than {MAX_DEPTH} levels deep", start, start + 1, help="nest less")
        raise _Halted

    def _collection_as_key(self, start: int) -> None:
        if self.text.startswith("{", start - 1 if start else 0) and self.text.startswith("{", start):
            message, hint = "a value that begins with `{{` must be quoted", 'write it as "{{ … }}"'
            self.report("BR201", message, start - 1, start + 1, help=hint)
        else:
            hint = "use a text as the key"
            self.report("BR219", "a list or a mapping cannot be a key", start, start + 1, help=hint)
        raise _Halted

    def _mapping_end(self, event: yaml.MappingEndEvent) -> None:
        top = self._top
        assert isinstance(top, MappingNode)
        if top.merges:
            self._merge(top)
        self._end(event)

    def _end(self, event: yaml.CollectionEndEvent) -> None:
        self._stack.pop().end = event.end_mark.index
        self._top = self._stack[-1] if self._stack else None

    def _attach(self, node: Node, value: Any) -> None:
        top = self._top
        if type(top) is MappingNode:
            assert self._key is not None
            key, start, end = self._key
            self._key = None
            top.entries[key] = (start, end, node)
            top.data[key] = value
        elif type(top) is SequenceNode:
            top.items.append(node)
            top.data.append(value)
        else:
            self.root, self.data = node, value

    # --- aliases and merge keys -----------------------------------------------------------------------------------

    def _alias(self, event: yaml.AliasEvent) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        if self._key is None and type(self._top) is MappingNode:
            self.report("BR219", "an alias cannot be a key", start, end, help="write the key itself")
            raise _Halted
        node, value = self._anchors.get(event.anchor, (None, None))
        if node is None:
            hint = "put the text in quotes if you mean a `*`"
            self.report("BR201", f"`*{event.anchor}` has no anchor `&{event.anchor}` above it", start, end, help=hint)
            node = (start, end)
        elif any(node is held for held in self._stack):
            self.report("BR223", f"`*{event.anchor}` contains itself", start, end, help="write the value out")
            raise _Halted
        else:
            self._count_alias(node, start, end)
        self._attach(AliasNode(start, end, resolved(node), value), value)

    def _count_alias(self, node: Node, start: int, end: int) -> None:
        weight, depth = self._measure(node)
        self._aliased += weight
        if self._aliased > MAX_ALIASED:
            message = f"the aliases of this file stand for more than {MAX_ALIASED:,} values"
            self.report("BR223", message, start, end, help="use fewer aliases")
            raise _Halted
        if len(self._stack) + depth > MAX_DEPTH:
            self._too_deep(start)

    def _measure(self, node: Node) -> tuple[int, int]:
        """How many values a node holds with its aliases unfolded, and how deep. Each anchor is walked once."""
        known = self._measures.get(id(node))
        if known is not None:
            return known
        weight, deepest = 0, 0
        todo: list[tuple[Node, int]] = [(node, 0)]
        while todo and weight <= MAX_ALIASED:
            at, depth = todo.pop()
            if isinstance(at, tuple):
                weight += 1 + (at[1] - at[0]) // 64
                continue
            if isinstance(at, AliasNode):
                inner_weight, inner_depth = self._measure(at.target)
                weight, deepest = weight + inner_weight, max(deepest, depth + inner_depth)
                continue
            weight, deepest = weight + 1, max(deepest, depth + 1)
            parts = at.items if isinstance(at, SequenceNode) else [entry[2] for entry in at.entries.values()]
            todo.extend((part, depth + 1) for part in parts)
        self._measures[id(node)] = (weight, deepest)
        return weight, deepest

    def _merge(self, into: MappingNode) -> None:
        start, end, node = into.entries.pop("<<")
        del into.data["<<"]
        held = resolved(node)
        sources = [resolved(item) for item in held.items] if isinstance(held, SequenceNode) else [held]
        if not all(isinstance(source, MappingNode) for source in sources):
            hint = "write `<<: *name`, where `&name` stands before a mapping"
            self.report("BR219", "`<<` takes a mapping or a list of mappings", start, end, help=hint)
        for source in sources:
            if isinstance(source, MappingNode):
                for key, entry in source.entries.items():
                    into.entries.setdefault(key, entry)
                    into.data.setdefault(key, source.data[key])


def _short(key: str) -> str:
    return key if len(key) <= 60 else key[:59] + "…"


__all__ = ["Composition", "ScalarNode", "compose"]
