"""What an expression of a template works out, told without data. Imported late, with Jinja."""

from __future__ import annotations

from runner.words.inspection import (
    Choice,
    Comparison,
    Constant,
    Expression,
    Filtered,
    ListOf,
    MappingOf,
    Operator,
    Reference,
    Sort,
)
from runner.words.sandbox import nodes
from runner.words.template_tokens import TokenPlaces

Scope = frozenset[str]

_UNKNOWN = Sort("unknown")
_SORTS: tuple[tuple[type[nodes.Node], Sort], ...] = (
    (nodes.Concat, Sort("string")),
    (nodes.Test, Sort("boolean")),
    (nodes.Not, Sort("boolean")),
)
_OPERATORS: dict[str, Operator] = {
    "eq": "eq", "ne": "ne", "gt": "gt", "gteq": "gteq", "lt": "lt", "lteq": "lteq", "in": "in", "notin": "notin",
}  # fmt: skip


def typed_hole(source: str, tree: nodes.Node) -> nodes.Expr | None:
    """The expression of a template that is exactly one ``{{ expression }}``, else None."""
    if not (source.startswith("{{") and source.endswith("}}")):
        return None
    body = tree.body if isinstance(tree, nodes.Template) else []
    output = body[0] if len(body) == 1 else None
    if not isinstance(output, nodes.Output) or len(output.nodes) != 1:
        return None
    only = output.nodes[0]
    return None if isinstance(only, nodes.TemplateData) else only


class TemplateValue:
    """Reads expressions off a syntax tree. ``unread`` are names that are no data, such as ``range``."""

    __slots__ = ("tokens", "unread")

    def __init__(self, tokens: TokenPlaces, unread: Scope) -> None:
        self.tokens = tokens
        self.unread = unread

    def of(self, node: nodes.Node, scope: Scope) -> Expression:
        """What the node works out; names in ``scope`` are the template's own, and nothing is known of them."""
        if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
            return self._path(node, scope)
        if isinstance(node, nodes.Const):
            return self._constant(node)
        if isinstance(node, nodes.Filter):
            return self._filter(node, scope)
        if isinstance(node, nodes.Compare):
            return self.comparisons(node, scope)[0] if len(node.ops) == 1 else Sort("boolean")
        return self._composed(node, scope)

    def comparisons(self, node: nodes.Compare, scope: Scope) -> tuple[Comparison, ...]:
        """``a < b < c`` as pairs."""
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        values = [self.of(side, scope) for side in sides]
        found = []
        for number, operand in enumerate(node.ops):
            start, end = self._extent(sides[number])[0], self._extent(sides[number + 1])[1]
            pair = values[number], values[number + 1]
            found.append(Comparison(pair[0], _OPERATORS[operand.op], pair[1], start, end - start))
        return tuple(found)

    def reference(self, name: nodes.Name, chain: list[nodes.Getattr | nodes.Getitem]) -> Reference:
        """The path from a name through links in order, up to the first one that is computed."""
        path: list[str | int] = [name.name]
        end = name.lineno + len(name.name)
        for link in chain:
            key = _key(link)
            if key is None:
                break
            path.append(key)
            start = self.tokens.index(link.lineno)
            end = self.tokens.end(self.tokens.closing(start) if self.tokens.raws[start] == "[" else start + 1)
        return Reference(path=tuple(path), offset=name.lineno, length=end - name.lineno)

    def _path(self, node: nodes.Expr, scope: Scope) -> Expression:
        chain: list[nodes.Getattr | nodes.Getitem] = []
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            chain.append(node)
            node = node.node
        if not isinstance(node, nodes.Name) or node.name in scope or node.name in self.unread:
            return _UNKNOWN
        if any(_key(link) is None for link in chain):
            return _UNKNOWN
        return self.reference(node, chain[::-1])

    def _constant(self, node: nodes.Const) -> Constant:
        start, end = self.tokens.extent(node.lineno)
        return Constant(node.value, start, max(end - start, 1))

    def _filter(self, node: nodes.Filter, scope: Scope) -> Expression:
        if node.node is None or node.dyn_args is not None or node.dyn_kwargs is not None:  # of a `{% filter %}` block
            return _UNKNOWN
        named = tuple((str(pair.key), self.of(pair.value, scope)) for pair in node.kwargs)
        arguments = tuple(self.of(argument, scope) for argument in node.args)
        return Filtered(self.of(node.node, scope), node.name, arguments, named)

    def _composed(self, node: nodes.Node, scope: Scope) -> Expression:
        if isinstance(node, nodes.List | nodes.Tuple):
            return ListOf(tuple(self.of(item, scope) for item in node.items))
        if isinstance(node, nodes.And | nodes.Or):
            return Choice((self.of(node.left, scope), self.of(node.right, scope)))
        if isinstance(node, nodes.CondExpr):
            branches = (node.expr1, node.expr2)
            return Choice(tuple(_UNKNOWN if one is None else self.of(one, scope) for one in branches))
        if isinstance(node, nodes.Dict):
            return self._mapping(node, scope)
        return next((sort for kind, sort in _SORTS if isinstance(node, kind)), _UNKNOWN)

    def _mapping(self, node: nodes.Dict, scope: Scope) -> Expression:
        items = []
        for pair in node.items:
            key = pair.key.value if isinstance(pair.key, nodes.Const) else None
            if not isinstance(key, str):
                return _UNKNOWN
            items.append((key, self.of(pair.value, scope)))
        return MappingOf(tuple(items))

    def _extent(self, node: nodes.Node) -> tuple[int, int]:
        """From the first to the last token that a node or one of its parts begins with."""
        places = [part.lineno for part in (node, *node.find_all(nodes.Expr))]
        last = self.tokens.extent(max(places))[1]
        ends = [self.reference_end(part) for part in (node, *node.find_all((nodes.Getattr, nodes.Getitem)))]
        return min(places), max(last, *ends)

    def reference_end(self, node: nodes.Node) -> int:
        """Where the attribute or index that a node reads ends; 0 if it reads none."""
        if not isinstance(node, nodes.Getattr | nodes.Getitem):
            return 0
        start = self.tokens.index(node.lineno)
        return self.tokens.end(self.tokens.closing(start) if self.tokens.raws[start] == "[" else start + 1)


def _key(link: nodes.Getattr | nodes.Getitem) -> str | int | None:
    """The constant part of a path; None if it is computed."""
    if isinstance(link, nodes.Getattr):
        return link.attr
    value = link.arg.value if isinstance(link.arg, nodes.Const) else None
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None
