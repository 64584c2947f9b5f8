"""Rendering through the sandbox, every failure in plain words. Imported late, with Jinja."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from runner.words.errors import TemplateError
from runner.words.inspection import Inspection, Reference
from runner.words.sandbox import (
    FORBIDDEN_TAGS,
    OUTPUT_LIMIT,
    Parser,
    Sandbox,
    SecurityError,
    Template,
    TemplateSyntaxError,
    TooLargeError,
    UndefinedError,
    lexer,
    missing_words,
    nodes,
    plain,
)  # fmt: skip
from runner.words.spans import show_path
from runner.words.template_check import check_expression, check_template
from runner.words.template_value import typed_hole

_RANGE_LIMIT = 100_000

_LONGEST = 80


def run_template(source: str, names: Mapping[str, Any]) -> Any:
    """The value or text of a template.

    Raises:
        TemplateError: it cannot be rendered with these names.
    """
    return _run(source, names, compile_template, check_template)


def run_expression(source: str, names: Mapping[str, Any]) -> Any:
    """The value of a bare expression.

    Raises:
        TemplateError: it cannot be worked out with these names.
    """
    return _run(source, names, compile_expression, check_expression)


def _run(
    source: str,
    names: Mapping[str, Any],
    compiler: Callable[[str], Compiled],
    check: Callable[[str], Inspection],
) -> Any:
    try:
        return compiler(source).value(names)
    except UndefinedError as error:
        raise TemplateError(_missing(str(error), check(source).references, names), hint=_HINT) from error
    except RecursionError as error:
        raise TemplateError(f"the template {_short(source)} is nested too deeply") from error
    # Filters and operators raise whatever Python raises; for a person all of it is one thing: it does not work out.
    except Exception as error:
        raise TemplateError(f"the template {_short(source)} cannot be rendered: {error}") from error


_HINT = "say what stands in for it, such as `| default('')`, or read it only `when` it is there"


def _missing(message: str, references: tuple[Reference, ...], names: Mapping[str, Any]) -> str:
    """The message with the whole path of what is missing, where it can be told."""
    for reference in references:
        value: Any = names
        for index, key in enumerate(reference.path):
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                if index and missing_words("it", value, key) == message:
                    return missing_words(show_path(reference.path[:index]), value, key)
                break
    return message


def _short(source: str) -> str:
    line = " ".join(source.split())
    return f"`{line}`" if len(line) <= _LONGEST else f"`{line[:_LONGEST]}…`"


class _Budget:
    """The numbers that the ``range`` calls of one rendering may give out."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _RANGE_LIMIT

    def range(self, *arguments: int) -> range:
        numbers = range(*arguments)
        self.left -= len(numbers)
        if self.left < 0:
            raise TooLargeError(f"`range` gives at most {_RANGE_LIMIT:,} numbers in one template")
        return numbers


class Compiled:
    """A template ready to be rendered: a value if it is exactly one ``{{ expression }}``, else a text."""

    __slots__ = ("is_value", "template")

    def __init__(self, template: Template, *, is_value: bool) -> None:
        self.template = template
        self.is_value = is_value

    def value(self, names: Mapping[str, Any]) -> Any:
        """The JSON value of an expression, or the text."""
        names = {"range": _Budget().range, **names}
        return self._result(names) if self.is_value else self._text(names)

    def _result(self, names: dict[str, Any]) -> Any:
        context = self.template.new_context(names)
        for _ in self.template.root_render_func(context):
            pass
        result = plain(context.vars["result"])
        if isinstance(result, str):
            _limit_output(len(result))
        return result

    def _text(self, names: dict[str, Any]) -> str:
        parts: list[str] = []
        size = 0
        for part in self.template.root_render_func(self.template.new_context(names)):
            size += len(part)
            _limit_output(size)
            parts.append(part)
        return "".join(parts)


def _limit_output(size: int) -> None:
    if size > OUTPUT_LIMIT:
        raise TooLargeError(f"the template gives more than {OUTPUT_LIMIT // OUTPUT_LIMIT} MB of text")


def _refuse(tree: nodes.Node) -> None:
    for node in tree.find_all(tuple(FORBIDDEN_TAGS)):
        raise SecurityError(f"the tag `{FORBIDDEN_TAGS[type(node)]}` is not allowed in a workflow")


def _as_value(environment: Sandbox, expression: nodes.Expr) -> Compiled:
    body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)]
    tree = nodes.Template(body, lineno=1)
    tree.set_environment(environment)
    return Compiled(environment.from_string(tree), is_value=True)


_SANDBOX = Sandbox()


@lru_cache(maxsize=1024)
def compile_template(source: str) -> Compiled:
    """The template, kept for the next time.

    Raises:
        TemplateSyntaxError, SecurityError, RecursionError, ValueError, SyntaxError: it cannot be compiled.
    """
    tree = Parser(_SANDBOX, source).parse()
    _refuse(tree)
    expression = typed_hole(source, tree)
    if expression is not None:
        return _as_value(_SANDBOX, expression)
    return Compiled(_SANDBOX.from_string(tree), is_value=False)


@lru_cache(maxsize=1024)
def compile_expression(source: str) -> Compiled:
    """A bare expression, likewise."""
    parser = Parser(_SANDBOX, source, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        token = parser.stream.current
        raise TemplateSyntaxError(f"unexpected {lexer.describe_token(token)!r}", token.lineno)
    return _as_value(_SANDBOX, expression)
