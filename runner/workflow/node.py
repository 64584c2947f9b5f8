"""Where the parts of a composed file stand. A tree beside the data, made of offsets into the text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from runner.words.spans import Path

ScalarNode = tuple[int, int]
"""A scalar: the offsets of its first character and behind its last. A tuple, because a file has thousands."""


@dataclass(slots=True, eq=False)
class MappingNode:
    """A mapping; ``entries`` has the offsets of each key and the node of its value."""

    start: int
    end: int = -1
    flow: bool = False
    entries: dict[str, tuple[int, int, Node]] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    merges: bool = False


@dataclass(slots=True, eq=False)
class SequenceNode:
    """A list and the nodes of its items."""

    start: int
    end: int = -1
    flow: bool = False
    items: list[Node] = field(default_factory=list)
    data: list[Any] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class AliasNode:
    """``*name``: where the alias stands, and the node it stands for."""

    start: int
    end: int
    target: MappingNode | SequenceNode | ScalarNode
    data: Any


Node = MappingNode | SequenceNode | AliasNode | ScalarNode


def resolved(node: Node) -> MappingNode | SequenceNode | ScalarNode:
    """The node itself, or what its alias stands for."""
    return node.target if isinstance(node, AliasNode) else node


def child(node: Node, part: str | int) -> Node:
    """The value under a key or at an index.

    Raises:
        KeyError: there is none.
    """
    holder = resolved(node)
    if isinstance(holder, MappingNode) and isinstance(part, str):
        return holder.entries[part][2]
    if isinstance(holder, SequenceNode) and isinstance(part, int) and 0 <= part < len(holder.items):
        return holder.items[part]
    raise KeyError(part)


def descend(node: Node, path: Path) -> Node:
    """The node at the end of a path.

    Raises:
        KeyError: the path leaves the document.
    """
    for part in path:
        node = child(node, part)
    return node


def extent(node: Node) -> ScalarNode:
    """The offsets of a node. A block collection ends where its last part does, not where the next one begins."""
    if isinstance(node, tuple):
        return node
    start, end = node.start, node.end
    while isinstance(node, MappingNode | SequenceNode) and not node.flow:
        parts = [entry[2] for entry in node.entries.values()] if isinstance(node, MappingNode) else node.items
        last = parts[-1] if parts else None
        if last is None:
            break
        end = last[1] if isinstance(last, tuple) else last.end
        node = last
    return start, end
