"""The only door to Jinja: an environment that reads data and can do nothing else.

Import it late: Jinja costs 40 to 50 ms. What it adds to Jinja's own sandbox (``jinja2.sandbox``, 3.1): filters, methods
and tags are those named below and no others; what can grow (``*``, ``+``, ``~``, ``%``, ``**``, ``replace``, ``join``,
padding) is bounded before it allocates; a key of the data wins over a method of the same name; and what is missing is
said in words of the workflow file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, filters, lexer, nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.parser import Parser
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing, pass_environment

from runner.words.json_text import as_text, write_json

__all__ = [
    "FILTERS", "FORBIDDEN_TAGS", "METHODS", "OUTPUT_LIMIT", "TESTS", "Parser", "Sandbox", "SecurityError", "Template",
    "TemplateSyntaxError", "TooLargeError", "UndefinedError", "lexer", "missing_words", "nodes", "plain",
]  # fmt: skip

OUTPUT_LIMIT = 1024 * 1024
"""Characters that one template may produce."""
_MEMORY_LIMIT = 16 * OUTPUT_LIMIT
_BITS_LIMIT = 10_000

FORBIDDEN_TAGS: Mapping[type[nodes.Node], str] = {
    nodes.Import: "import", nodes.FromImport: "from", nodes.Include: "include", nodes.Extends: "extends",
    nodes.Block: "block", nodes.Macro: "macro", nodes.CallBlock: "call", nodes.ScopedEvalContextModifier: "autoescape",
}  # fmt: skip


class TooLargeError(Exception):
    """A template asks for more than it may have."""


def _bound(size: int) -> None:
    if size > _MEMORY_LIMIT:
        raise TooLargeError(f"a value would grow beyond {_MEMORY_LIMIT // OUTPUT_LIMIT} MB")


def plain(value: Any) -> Any:
    """The value as plain JSON: tuples, ranges and lazy sequences become lists.

    Raises:
        TypeError: it is neither JSON nor a sequence of it, such as a method that was named but not called.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else as_text(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, Undefined):
        str(value)  # raises UndefinedError
    if isinstance(value, list | tuple | set | range | Iterator) or type(value).__name__ in {
        "dict_keys",
        "dict_values",
        "dict_items",
    }:
        items = [plain(item) for item in islice(value, _MEMORY_LIMIT)]
        _bound(len(items) + 1)
        return items
    raise TypeError(f"the result is no value but a {type(value).__name__}; a method needs its parentheses")


def _text(value: Any) -> str:
    return as_text(plain(value))


# --- filters and methods that would grow without bounds ---------------------------------------------------------------


def _replace(text: Any, old: Any, new: Any, count: int = -1) -> str:
    text, old, new = _text(text), _text(old), _text(new)
    _bound(len(text) + text.count(old) * len(new))
    return str(text.replace(old, new, count))


def _join(values: Any, separator: Any = "", attribute: Any = None, *, getitem: Callable[[Any, Any], Any]) -> str:
    parts = [_text(value if attribute is None else getitem(value, attribute)) for value in values]
    _bound(sum(map(len, parts)) + len(parts) * len(_text(separator)))
    return _text(separator).join(parts)


@pass_environment
def _join_filter(environment: Sandbox, value: Any, d: Any = "", attribute: Any = None) -> str:
    return _join(value, d, attribute, getitem=environment.getitem)


def _join_method(separator: str, values: Any) -> str:
    return _join(values, separator, getitem=lambda value, _: value)


def _center(text: Any, width: int = 80) -> str:
    _bound(width)
    return _text(text).center(width)


def _indent(text: Any, width: Any = 4, first: Any = False, blank: Any = False) -> str:  # noqa: FBT002  Jinja's signature
    pad = width if isinstance(width, str) else int(width)
    text = _text(text)
    _bound(len(text) + (text.count("\n") + 1) * (len(pad) if isinstance(pad, str) else pad))
    return str(filters.do_indent(text, pad, bool(first), bool(blank)))


@pass_environment
def _wordwrap(environment: Sandbox, text: Any, width: int = 79, break_long_words: Any = True) -> str:  # noqa: FBT002  Jinja's signature
    return str(filters.do_wordwrap(environment, _text(text), width, bool(break_long_words)))


def _round(number: Any, precision: int = 0, method: Any = "common") -> Any:
    if abs(precision) > 30:
        raise TooLargeError("`round` takes at most 30 digits")
    return filters.do_round(number, precision, method)


def _percent(text: str, values: Any) -> str:
    """``%`` on text; wide fields are refused before they are filled."""
    if re.search(r"%(?:\([^)]*\))?[-#0 +]*(?:\*|\d{5}|\d*\.(?:\*|\d{4}))", text):
        raise TooLargeError("a field of a format is too wide")
    return str(text % values)


def _format(text: Any, *values: Any, **named: Any) -> str:
    return _percent(_text(text), named or values)


def _tojson(value: Any, indent: int | None = None) -> str:
    return write_json(plain(value), indent=None if indent is None else max(0, min(int(indent), 8)))


_TAKEN = (
    "abs capitalize count d default dictsort first float groupby int items last length list lower map max min reject "
    "rejectattr reverse select selectattr sort sum title trim truncate unique upper urlencode wordcount"
)
FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: filters.FILTERS[name] for name in _TAKEN.split()},
    "center": _center, "format": _format, "indent": _indent, "join": _join_filter, "replace": _replace, "round": _round,
    "string": _text, "tojson": _tojson, "wordwrap": _wordwrap,
}  # fmt: skip
_UNTAKEN_TESTS = frozenset(("callable", "escaped", "filter", "test", "sameas"))
_TEXT_METHODS = (
    "capitalize casefold count endswith find isalnum isalpha isdigit islower isspace isupper lower lstrip partition "
    "removeprefix removesuffix rfind rpartition rsplit rstrip split splitlines startswith strip swapcase title upper"
)
_LOOP_METHODS = "changed cycle depth depth0 first index index0 last length nextitem previtem revindex revindex0"
_OWN_TEXT_METHODS: Mapping[str, Callable[..., Any]] = {"replace": _replace, "join": _join_method}
_METHODS_OF: tuple[tuple[type, frozenset[str]], ...] = (
    (str, frozenset(_TEXT_METHODS.split())),
    (Mapping, frozenset(("get", "items", "keys", "values"))),
    (list, frozenset(("count", "index"))),
    (LoopContext, frozenset(_LOOP_METHODS.split())),
    (tuple, frozenset(("count", "grouper", "index", "list"))),
)  # fmt: skip
METHODS: frozenset[str] = frozenset(_OWN_TEXT_METHODS).union(*(names for _, names in _METHODS_OF))
"""Every method that any value has inside a template."""


# --- the environment --------------------------------------------------------------------------------------------------


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list | tuple) else "a value"


def missing_words(path: str, value: Any, key: Any) -> str:
    """Why ``key`` cannot be read from ``value``, which stands at ``path``."""
    if value is None:
        return f"`{path}` is null, so `{key}` cannot be read from it"
    if isinstance(value, Mapping):
        keys = [str(name) for name in islice(value, 9)]
        has = ", ".join(f"`{name}`" for name in keys[:8]) + (", …" if len(keys) > 8 else "")
        return f"`{path}` has no `{key}` ({f'it has {has}' if keys else 'it is empty'})"
    if isinstance(value, list | tuple) and isinstance(key, int):
        return f"`{path}` has {len(value)} items, so there is no item {key}"
    return f"`{path}` is {_kind(value)}, which has no `{key}`"


class _Undefined(StrictUndefined):
    """What is missing, in the words of the file; the path is found out by who catches the error."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return str(self._undefined_hint)
        if self._undefined_obj is missing:
            return f"`{self._undefined_name}` is not defined"
        return missing_words("it", self._undefined_obj, self._undefined_name)


class _Generator(CodeGenerator):
    """Jinja's code generator, with ``~`` bounded and writing values as a template prints them."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  the name that Jinja's visitor looks up
        self.write("environment.join_texts((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


@pass_context
def _finalize(_: Context, value: Any) -> str:
    # It takes the context only so that Jinja folds no constants, where it would write Python's `True` and `None`.
    return _text(value)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja without loader, side doors or appetite."""

    intercepted_binops = frozenset(("*", "**", "+", "%"))
    code_generator_class = _Generator

    def __init__(self) -> None:
        super().__init__(
            undefined=_Undefined, finalize=_finalize, keep_trailing_newline=True, optimized=False, cache_size=0
        )
        self.filters = dict(FILTERS)
        self.tests = {name: test for name, test in self.tests.items() if name not in _UNTAKEN_TESTS}
        self.globals = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """``obj.attribute``: a key of the data first, then one of the few methods."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """``obj[argument]``, likewise."""
        if isinstance(obj, Undefined):
            str(obj)  # raises UndefinedError
        if not (isinstance(argument, str) and isinstance(obj, str | list | tuple)):
            try:
                return obj[argument]
            except (TypeError, LookupError, AttributeError):
                pass
        return self._member(obj, argument) if isinstance(argument, str) else self.undefined(obj=obj, name=argument)

    def _member(self, obj: Any, name: str) -> Any:
        if isinstance(obj, str) and name in _OWN_TEXT_METHODS:
            return partial(_OWN_TEXT_METHODS[name], obj)
        for kind, names in _METHODS_OF:
            if isinstance(obj, kind):
                return (
                    getattr(obj, name) if name in names and hasattr(obj, name) else self.undefined(obj=obj, name=name)
                )
        return self.undefined(obj=obj, name=name)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """``*``, ``**``, ``+`` and ``%``, refused where the result would be huge."""
        if operator == "%" and isinstance(left, str):
            return _percent(left, right)
        if operator == "**":
            _bound_power(left, right)
        elif operator == "*":
            _bound_product(left, right)
        elif operator == "+" and isinstance(left, str | list) and isinstance(right, str | list):
            _bound(len(left) + len(right))
        return super().call_binop(context, operator, left, right)

    def join_texts(self, parts: Iterable[Any]) -> str:
        """``a ~ b``."""
        texts = [_text(part) for part in parts]
        _bound(sum(map(len, texts)))
        return "".join(texts)


def _bound_power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > _BITS_LIMIT:
        raise TooLargeError("the power is too large")


def _bound_product(left: Any, right: Any) -> None:
    for sequence, count in ((left, right), (right, left)):
        if isinstance(sequence, str | list | tuple) and isinstance(count, int):
            _bound(len(sequence) * count)
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > _BITS_LIMIT:
        raise TooLargeError("the product is too large")


TESTS: frozenset[str] = frozenset(Sandbox().tests)
