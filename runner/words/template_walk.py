"""Walking a template's tree: which paths of which names it reads, and what no data could make work."""

from __future__ import annotations

from collections.abc import Iterator

from runner.words.inspection import Comparison, Expression, Filtered, Problem, ProblemKind, Reference
from runner.words.sandbox import FILTERS, FORBIDDEN_TAGS, METHODS, TESTS, nodes
from runner.words.suggest import did_you_mean
from runner.words.template_tokens import TokenPlaces
from runner.words.template_value import TemplateValue

_GLOBALS = frozenset(("range",))

Scope = frozenset[str]


class TemplateWalk:
    """Collects references and problems; ``visit`` returns the scope as it is after the node."""

    def __init__(self, tokens: TokenPlaces) -> None:
        self.tokens = tokens
        self.references: list[Reference] = []
        self.problems: list[Problem] = []
        self.comparisons: list[Comparison] = []
        self.maps: list[Filtered] = []
        self.holes: list[Expression] = []
        self.values = TemplateValue(tokens, _GLOBALS)

    def visit(self, node: nodes.Node, scope: Scope) -> Scope:
        special = getattr(self, f"_{type(node).__name__.lower()}", None)
        if type(node) in FORBIDDEN_TAGS:
            self._forbidden_tag(node)
        elif special is not None:
            return special(node, scope)  # type: ignore[no-any-return]  # every method below returns a scope
        else:
            self._children(node, scope)
        return scope

    def _children(self, node: nodes.Node, scope: Scope) -> None:
        self._body(node.iter_child_nodes(), scope)

    def _body(self, body: Iterator[nodes.Node] | list[nodes.Node], scope: Scope) -> Scope:
        for child in body:
            scope = self.visit(child, scope)
        return scope

    # --- names ---

    def _name(self, node: nodes.Name, scope: Scope) -> Scope:
        return self._path(node, scope)

    def _getattr(self, node: nodes.Getattr, scope: Scope) -> Scope:
        return self._path(node, scope)

    def _getitem(self, node: nodes.Getitem, scope: Scope) -> Scope:
        return self._path(node, scope)

    def _path(self, node: nodes.Expr, scope: Scope) -> Scope:
        """A chain of names and constant indices; whatever is computed inside it is visited by itself."""
        chain: list[nodes.Getattr | nodes.Getitem] = []
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            chain.append(node)
            node = node.node
        for link in chain:
            if isinstance(link, nodes.Getitem) and not isinstance(link.arg, nodes.Const):
                self.visit(link.arg, scope)
        if not isinstance(node, nodes.Name):
            return self.visit(node, scope)
        if node.ctx == "load" and node.name not in scope and node.name not in _GLOBALS:
            self.references.append(self.values.reference(node, chain[::-1]))
        return scope

    # --- values ---

    def _output(self, node: nodes.Output, scope: Scope) -> Scope:
        self.holes += [self.values.of(one, scope) for one in node.nodes if not isinstance(one, nodes.TemplateData)]
        self._children(node, scope)
        return scope

    def _compare(self, node: nodes.Compare, scope: Scope) -> Scope:
        self.comparisons += self.values.comparisons(node, scope)
        self._children(node, scope)
        return scope

    def _call(self, node: nodes.Call, scope: Scope) -> Scope:
        """A method is no part of the path that is read."""
        arguments: list[nodes.Node] = [*node.args, *node.kwargs]
        arguments += [extra for extra in (node.dyn_args, node.dyn_kwargs) if extra is not None]
        if isinstance(node.node, nodes.Getattr):
            self.visit(node.node.node, scope)
            if node.node.attr not in METHODS:
                self._unknown_method(node.node)
        else:
            self.visit(node.node, scope)
        self._body(arguments, scope)
        return scope

    def _unknown_method(self, node: nodes.Getattr) -> None:
        name = self.tokens.index(node.lineno) + 1
        message = f"nothing has a method `{node.attr}`"
        self._problem("forbidden", node.attr, message, self.tokens.starts[name], METHODS)

    # --- filters and tests ---

    def _filter(self, node: nodes.Filter, scope: Scope) -> Scope:
        self._children(node, scope)
        value = self.values.of(node, scope) if node.name == "map" else None
        if isinstance(value, Filtered):
            self.maps.append(value)
        if node.name not in FILTERS:
            self._problem("unknown_filter", node.name, f"there is no filter `{node.name}`", node.lineno, FILTERS)
        return scope

    def _test(self, node: nodes.Test, scope: Scope) -> Scope:
        self._children(node, scope)
        if node.name not in TESTS:
            index = self.tokens.index(node.lineno) + 1
            index += self.tokens.raws[index] == "not"
            self._problem(
                "unknown_test", node.name, f"there is no test `{node.name}`", self.tokens.starts[index], TESTS
            )
        return scope

    def _problem(self, kind: ProblemKind, name: str, message: str, offset: int, known: object) -> None:
        near = (
            did_you_mean(name, (word for word in known if word.isidentifier()))
            if isinstance(known, frozenset | dict)
            else None
        )
        text = f"{message}; {near}" if near else message
        self.problems.append(Problem(kind=kind, name=name, message=text, offset=offset, length=len(name)))

    def _forbidden_tag(self, node: nodes.Node) -> None:
        tag = FORBIDDEN_TAGS[type(node)]
        message = f"the tag `{tag}` is not allowed in a workflow: a template reads data and nothing else"
        offset = node.lineno if self.tokens.extent(node.lineno)[1] > node.lineno else 0
        self._problem("forbidden", tag, message, offset, None)

    # --- scopes ---

    def _if(self, node: nodes.If, scope: Scope) -> Scope:
        """Jinja lets a name that is set in any branch live on."""
        self.visit(node.test, scope)
        after = scope
        for branch in (node.body, node.elif_, node.else_):
            after |= self._body(list(branch), scope)
        return after

    def _for(self, node: nodes.For, scope: Scope) -> Scope:
        self.visit(node.iter, scope)
        inner = scope | _targets(node.target) | {"loop"}
        if node.test is not None:
            self.visit(node.test, inner)
        self._body(node.body, inner)
        self._body(node.else_, scope)
        return scope

    def _assign(self, node: nodes.Assign, scope: Scope) -> Scope:
        self.visit(node.node, scope)
        return scope | _targets(node.target)

    def _assignblock(self, node: nodes.AssignBlock, scope: Scope) -> Scope:
        self._body(node.body, scope)
        if node.filter is not None:
            self.visit(node.filter, scope)
        return scope | _targets(node.target)

    def _with(self, node: nodes.With, scope: Scope) -> Scope:
        inner = scope
        for target, value in zip(node.targets, node.values, strict=True):
            self.visit(value, scope)
            inner |= _targets(target)
        self._body(node.body, inner)
        return scope

    def _filterblock(self, node: nodes.FilterBlock, scope: Scope) -> Scope:
        self._body(node.body, scope)
        self.visit(node.filter, scope)
        return scope


def _targets(node: nodes.Node) -> Scope:
    names = {node.name} if isinstance(node, nodes.Name) else set()
    return frozenset(names | {name.name for name in node.find_all(nodes.Name)})
