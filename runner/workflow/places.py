"""Where the parts of a workflow stand, looked up when somebody asks: most runs never do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.words.spans import Path, Span
from runner.workflow.document import Document
from runner.workflow.node import MappingNode, Node, SequenceNode, resolved

_NAMED = frozenset({"inputs", "models", "mcp_servers"})


class Places(Mapping[Path, Span]):
    """The span of every path of a document. Of an input, an alias and a server it is the span of its name."""

    __slots__ = ("_document",)

    def __init__(self, document: Document) -> None:
        self._document = document

    def __getitem__(self, path: Path) -> Span:
        if not self._document.has(path):
            if path[:1] == ("models",) and path[2:] == ("id",) and self._document.has(path[:2]):
                return self._document.span(path[:2])  # `coder: some/model` is short for a mapping with that `id`
            raise KeyError(path)
        if len(path) == 2 and path[0] in _NAMED:
            return self._document.key_span(path)
        return self._document.span(path)

    def __iter__(self) -> Iterator[Path]:
        todo: list[tuple[Path, Node]] = [((), self._document.root)]
        while todo:
            path, node = todo.pop()
            yield path
            held = resolved(node)
            if isinstance(held, MappingNode):
                todo.extend(((*path, key), value) for key, value in held.values.items())
            elif isinstance(held, SequenceNode):
                todo.extend(((*path, index), item) for index, item in enumerate(held.items))

    def __len__(self) -> int:
        return sum(1 for _ in self)
