"""``&name`` and ``*name``: what aliases stand for, and how much that is with all of them written out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from runner.workflow.node import AliasNode, Node, parts, unpack

MAX_ALIASED = 100_000
"""How many values all aliases of a file may stand for together; a long text counts once more per 64 characters."""


class Anchored:
    """What stands behind one anchor. ``weight`` and ``depth`` are None until an alias asks."""

    __slots__ = ("depth", "node", "value", "weight")

    def __init__(self, node: Node, value: Any) -> None:
        self.node = node
        self.value = value
        self.weight: int | None = None
        self.depth = 0


@dataclass(slots=True, eq=False)
class Anchors:
    """The anchors met so far; a name that comes again stands for the later value."""

    _by_name: dict[str, Anchored] = field(default_factory=dict)
    _by_node: dict[int, Anchored] = field(default_factory=dict)
    aliased: int = 0

    def add(self, name: str, node: Node, value: Any) -> None:
        """Remember what an anchor stands before."""
        anchored = Anchored(node, value)
        self._by_name[name] = anchored
        if not isinstance(node, int):
            self._by_node[id(node)] = anchored

    def find(self, name: str) -> Anchored | None:
        """What an alias of that name stands for."""
        return self._by_name.get(name)

    def count(self, anchored: Anchored) -> None:
        """Count one more alias of a finished value: ``aliased`` grows, ``anchored.depth`` is known."""
        if anchored.weight is None:
            self._measure(anchored)
        self.aliased += anchored.weight or 0

    def _measure(self, anchored: Anchored) -> None:
        """Walk a value once. The aliases in it were counted when they were met: their targets are known."""
        weight, deepest = 0, 0
        todo: list[tuple[Node, int]] = [(anchored.node, 0)]
        while todo and weight <= MAX_ALIASED:
            node, depth = todo.pop()
            if isinstance(node, int):
                start, end = unpack(node)
                weight += 1 + (end - start) // 64
            elif isinstance(node, AliasNode):
                inner = self._by_node.get(id(node.target))
                weight += (inner.weight or 1) if inner else 1
                deepest = max(deepest, depth + (inner.depth if inner else 0))
            else:
                weight, deepest = weight + 1, max(deepest, depth + 1)
                todo.extend((part, depth + 1) for part in parts(node))
        anchored.weight, anchored.depth = weight, deepest
