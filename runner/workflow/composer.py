"""Text becomes data and nodes: an iterative composer over the events of a YAML parser. The only door to PyYAML.

PyYAML's own composer is recursive (its C version crashes on deep nesting), keeps the last of two equal keys, and
unfolds aliases without bounds; this one reports the first two and bounds the third.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from runner.words.diagnostics import Diagnostic, Level, Note
from runner.words.noun import noun
from runner.workflow.anchor import MAX_ALIASED, Anchors
from runner.workflow.lines import LineTable
from runner.workflow.node import AliasNode, MappingNode, Node, SequenceNode, pack, resolved, unpack
from runner.workflow.scalar import CONSTANTS, NUMBER_START, YES_NO, resolve, resolve_tagged
from runner.workflow.syntax import UNQUOTED_TEMPLATE, word_problem

MAX_DEPTH = 100
MAX_FINDINGS = 100
"""After so many nobody reads on."""

_WORDS_MEANT = frozenset({"reasoning"})  # its legal values are `on` and `off`
_COLLECTION_TAGS = frozenset({None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_TEXT_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})


@noun
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
    # Nothing made here is garbage: looking for it, as the many new objects make Python do, takes a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    loader: Any = yaml.SafeLoader(text) if pure or not yaml.__with_libyaml__ else yaml.CSafeLoader(text)
    try:
        composer.run(loader.get_event)
    except _Halted:
        pass
    except yaml.MarkedYAMLError as error:
        composer.syntax(error)
    finally:
        loader.dispose()
        if collecting:
            gc.enable()
    return Composition(root=composer.root, data=composer.data, findings=tuple(composer.findings))


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
    _stack: list[MappingNode | SequenceNode] = field(default_factory=list)
    _top: MappingNode | SequenceNode | None = None
    _key: str | None = None
    _anchors: Anchors = field(default_factory=Anchors)

    def run(self, get_event: Callable[[], Any]) -> None:
        """Take events until the stream ends."""
        take: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._start_mapping,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceStartEvent: self._start_sequence,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.StreamStartEvent: self._pass,
            yaml.DocumentStartEvent: self._start_document,
            yaml.DocumentEndEvent: self._pass,
        }
        while (kind := type(event := get_event())) is not yaml.StreamEndEvent:
            take[kind](event)

    # --- findings ---------------------------------------------------------------------------------------------------

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
        mark: Any = error.problem_mark or error.context_mark
        index = mark.index if mark else 0
        if index >= len(self.text):
            index = max(0, len(self.text.rstrip()) - 1)
        wording = word_problem(error.problem or "", error.context or "", self.text, index)
        if wording.at_opening and error.context_mark:
            index = error.context_mark.index
        span = self.lines.span(index, index + 1)
        finding = Diagnostic(code="BR201", message=wording.message, file=self.file, span=span, help=wording.help)
        self.findings.append(finding)

    # --- scalars ----------------------------------------------------------------------------------------------------

    def _scalar(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        top = self._top
        if self._key is None and type(top) is MappingNode:
            self._take_key(top, event, start, end)
            return
        value = event.value
        if event.tag is not None:
            value = self._tagged(event.tag, value, start, end)
        elif event.implicit[0] and (value in CONSTANTS or value[0] in NUMBER_START or value in YES_NO):
            value = self._plain(value, start, end)
        node = pack(start, end)
        if event.anchor is not None:
            self._anchors.add(event.anchor, node, value)
        self._attach(node, value)

    def _plain(self, word: str, start: int, end: int) -> Any:
        if word in YES_NO and self._key not in _WORDS_MEANT:
            meant = "true" if word.lower() in {"yes", "on"} else "false"
            hint = f'write `{meant}`, or "{word}" if you mean the word'
            self.report("BR227", f"`{word}` is a text here, not a boolean", start, end, help=hint, level="warning")
        try:
            return resolve(word)
        except ValueError as error:
            self.report("BR220", str(error), start, end, help="put it in quotes if you mean a text")
            return word

    def _tagged(self, tag: str, value: str, start: int, end: int) -> Any:
        try:
            return resolve_tagged(tag, value)
        except ValueError as error:
            self.report("BR220", str(error), start, end, help="delete the tag")
        except LookupError:
            self._foreign_tag(tag, start, end)
        return value

    def _foreign_tag(self, tag: str, start: int, end: int) -> None:
        shown = tag.replace("tag:yaml.org,2002:", "!!")
        self.report("BR201", f"the tag `{shown}` has no meaning here", start, end, help="delete the tag")

    # --- keys -------------------------------------------------------------------------------------------------------

    def _take_key(self, top: MappingNode, event: Any, start: int, end: int) -> None:
        key: str = event.value
        if event.tag is not None:
            if event.tag not in _TEXT_TAGS:
                self._foreign_tag(event.tag, start, end)
        elif event.implicit[0]:
            if key == "<<":
                top.merges = True
            elif key in CONSTANTS or key[0] in NUMBER_START:
                self._check_key(key, start, end)
        if event.anchor is not None:
            self._anchors.add(event.anchor, pack(start, end), key)
        if key in top.keys:
            note = Note(message="first written here", span=self.lines.span(*unpack(top.keys[key])))
            message = f"the key `{_short(key)}` is written twice in one mapping"
            self.report("BR202", message, start, end, help="keep one of the two", notes=(note,))
        top.keys[key] = pack(start, end)
        self._key = key

    def _check_key(self, key: str, start: int, end: int) -> None:
        if key == "":
            self.report("BR219", "a key is missing before this `:`", start, end, help="write a name before the `:`")
            return
        try:
            is_text = isinstance(resolve(key), str)
        except ValueError:
            is_text = False
        if not is_text:
            message = f"the key `{_short(key)}` is not a text"
            self.report("BR219", message, start, end, help=f'put it in quotes: "{_short(key)}"')

    def _refuse_key(self, start: int) -> None:
        """A mapping or a list where a key should be: nearly always a template without quotes."""
        if self.text[max(0, start - 1) : start + 1] == "{{":
            self.report("BR201", UNQUOTED_TEMPLATE.message, start - 1, start + 1, help=UNQUOTED_TEMPLATE.help)
        else:
            message = "a list or a mapping cannot be a key"
            self.report("BR219", message, start, start + 1, help="use a text as the key")
        raise _Halted

    # --- collections ------------------------------------------------------------------------------------------------

    def _start_mapping(self, event: Any) -> None:
        self._open(MappingNode(event.start_mark.index, bool(event.flow_style)), event)

    def _start_sequence(self, event: Any) -> None:
        self._open(SequenceNode(event.start_mark.index, bool(event.flow_style)), event)

    def _open(self, node: MappingNode | SequenceNode, event: Any) -> None:
        start = node.start
        if self._key is None and type(self._top) is MappingNode:
            self._refuse_key(start)
        if event.tag not in _COLLECTION_TAGS:
            self._foreign_tag(event.tag, start, start + 1)
        self._attach(node, node.data)
        self._stack.append(node)
        self._top = node
        if len(self._stack) > MAX_DEPTH:
            self._refuse_depth(start)
        if event.anchor is not None:
            self._anchors.add(event.anchor, node, node.data)

    def _end(self, event: Any) -> None:
        ended = self._stack.pop()
        ended.end = event.end_mark.index
        self._top = self._stack[-1] if self._stack else None
        if isinstance(ended, MappingNode) and ended.merges:
            self._merge(ended)

    def _attach(self, node: Node, value: Any) -> None:
        top = self._top
        if type(top) is MappingNode:
            key = self._key
            assert key is not None, "a value follows its key"
            self._key = None
            top.values[key] = node
            top.data[key] = value
        elif type(top) is SequenceNode:
            top.items.append(node)
            top.data.append(value)
        else:
            self.root, self.data = node, value

    def _refuse_depth(self, start: int) -> None:
        self.report("BR223", f"more than {MAX_DEPTH} levels deep", start, start + 1, help="nest less")
        raise _Halted

    def _start_document(self, event: Any) -> None:
        if self.root is not None:
            start = event.start_mark.index
            self.report("BR201", "a second document begins here", start, start + 3, help="keep one workflow in a file")
            raise _Halted

    def _pass(self, event: Any) -> None:
        """An event that says nothing."""

    # --- aliases and merge keys -------------------------------------------------------------------------------------

    def _alias(self, event: Any) -> None:
        start, end, name = event.start_mark.index, event.end_mark.index, event.anchor
        if self._key is None and type(self._top) is MappingNode:
            self.report("BR219", "an alias cannot be a key", start, end, help="write the key itself")
            raise _Halted
        anchored = self._anchors.find(name)
        if anchored is None:
            message = f"`*{_short(name)}` has no anchor `&{_short(name)}` above it"
            self.report("BR201", message, start, end, help="put the text in quotes if you mean a `*`")
            self._attach(pack(start, end), None)
            return
        if any(anchored.node is open_node for open_node in self._stack):
            self.report("BR223", f"`*{_short(name)}` contains itself", start, end, help="write the value out")
            raise _Halted
        self._anchors.count(anchored)
        if self._anchors.aliased > MAX_ALIASED:
            message = f"the aliases of this file stand for more than {MAX_ALIASED:,} values"
            self.report("BR223", message, start, end, help="use fewer aliases")
            raise _Halted
        if len(self._stack) + anchored.depth > MAX_DEPTH:
            self._refuse_depth(start)
        self._attach(AliasNode(start, end, resolved(anchored.node)), anchored.value)

    def _merge(self, into: MappingNode) -> None:
        """Take over the keys of the mappings under ``<<`` that are not written in the mapping itself."""
        start, end = unpack(into.keys.pop("<<"))
        held = resolved(into.values.pop("<<"))
        del into.data["<<"]
        sources = [resolved(item) for item in held.items] if isinstance(held, SequenceNode) else [held]
        for source in sources:
            if not isinstance(source, MappingNode):
                hint = "write `<<: *name`, where `&name` stands before a mapping"
                self.report("BR219", "`<<` takes a mapping or a list of mappings", start, end, help=hint)
                continue
            into.keys = {**source.keys, **into.keys}
            into.values = {**source.values, **into.values}
            for key, value in source.data.items():
                into.data.setdefault(key, value)


def _short(key: str) -> str:
    return key if len(key) <= 60 else key[:59] + "…"
