"""Where the parts of a composed file stand. A tree beside the data, made of offsets into the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from runner.words.spans import Path

Stretch = int
"""Offset of a first character and how many there are, packed into one number: a file has thousands of them, and unlike
tuples they are nothing to the garbage collector."""

_LENGTH_BITS = 24
_LENGTH = (1 << _LENGTH_BITS) - 1  # 16 million, three times the largest file


def pack(start: int, end: int) -> Stretch:
    """The stretch from ``start`` to before ``end``."""
    return start << _LENGTH_BITS | end - start


def unpack(stretch: Stretch) -> tuple[int, int]:
    """Start and end of a stretch."""
    start = stretch >> _LENGTH_BITS
    return start, start + (stretch & _LENGTH)


@dataclass(slots=True, eq=False)
class MappingNode:
    """A mapping: where each key stands, and the node of each value."""

    start: int
    flow: bool
    end: int = -1
    keys: dict[str, Stretch] = field(default_factory=dict)
    values: dict[str, Node] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    merges: bool = False


@dataclass(slots=True, eq=False)
class SequenceNode:
    """A list and the nodes of its items."""

    start: int
    flow: bool
    end: int = -1
    items: list[Node] = field(default_factory=list)
    data: list[Any] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class AliasNode:
    """``*name``: where the alias stands, and the node it stands for."""

    start: int
    end: int
    target: MappingNode | SequenceNode | Stretch


Held = MappingNode | SequenceNode | Stretch
Node = Held | AliasNode
"""A scalar is the stretch where it stands."""


def resolved(node: Node) -> Held:
    """The node itself, or what its alias stands for."""
    return node.target if isinstance(node, AliasNode) else node


def parts(node: Node) -> Iterable[Node]:
    """The values in a mapping or a list; nothing for a scalar or an alias."""
    if isinstance(node, MappingNode):
        return node.values.values()
    return node.items if isinstance(node, SequenceNode) else ()


def child(node: Node, part: str | int) -> Node:
    """The value under a key or at an index.

    Raises:
        KeyError: there is none.
    """
    holder = resolved(node)
    if isinstance(holder, MappingNode) and isinstance(part, str):
        return holder.values[part]
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


def extent(node: Node) -> tuple[int, int]:
    """Start and end of a node. A block collection ends where its last part does, not where the next one begins."""
    if isinstance(node, int):
        return unpack(node)
    start, end = node.start, node.end
    while isinstance(node, MappingNode | SequenceNode) and not node.flow:
        last = next(reversed(tuple(parts(node))), None)
        if last is None:
            break
        end = unpack(last)[1] if isinstance(last, int) else last.end
        node = last
    return start, end
