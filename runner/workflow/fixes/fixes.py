"""Fixes of findings: what a program may write in place of what is wrong, where there is no doubt what that is.

They are worked out apart from the rules, from what a finding says and where: a check of files that are right pays for
none of it. A name is put right only if the words of the finding offer the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.words.diagnostics import Diagnostic, Edit, Fix
from runner.words.edits import text_at
from runner.words.slip import meant_by
from runner.words.spans import Path, Span
from runner.workflow.document import Document
from runner.workflow.fixes.comments import without_codes
from runner.workflow.fixes.removal import removal
from runner.workflow.node import MappingNode, Node, SequenceNode, unpack
from runner.workflow.rules.places import ROOTS
from runner.workflow.rules.tools import FILE_TOOLS
from runner.workflow.schema import workflow_schema
from runner.workflow.schema_walk import keys_at, words_at

_STEP_ATTRIBUTES = ("output", "status", "error", "artifacts", "exit_code", "stderr")
_DECLARING = frozenset(("inputs", "models", "mcp_servers", "secrets"))
_WORD = re.compile(r"""[\w./*-]+|"[^"\\]*"|'[^']*'""")
_BRACES = re.compile(r"""(["'])\{\{\s*((?:(?!\{\{|\}\}).)*?)\s*\}\}\1""")
_BARE = re.compile(r"write `([^`]+)`(?:, without quotes)?")


def with_fixes(document: Document, findings: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The findings about a document, each with its fix if it has one; those about other files as they are."""
    found = tuple(findings)
    work = _Work(document, found)
    return tuple(work.fixed(one) if one.file == document.file else one for one in found)


class _Work:
    """A document with the paths of its keys and values by their places."""

    def __init__(self, document: Document, findings: Sequence[Diagnostic]) -> None:
        self.document = document
        self.data = document.data
        self.findings = findings
        self.keys: dict[Span, Path] = {}
        self.values: dict[Span, Path] = {}
        self._walk(document.root, ())

    def fixed(self, finding: Diagnostic) -> Diagnostic:
        fixer = _FIXERS.get(finding.code)
        if fixer is None or finding.span is None:
            return finding
        return replace(finding, fix=fixer(self, finding, finding.span))

    def at(self, span: Span) -> str:
        return text_at(self.document.text, span)

    def value(self, path: Path) -> Any:
        value: Any = self.data
        for part in path:
            value = value[part]
        return value

    def section(self, name: str) -> tuple[str, ...]:
        """The names that a mapping or a list at the top has."""
        return tuple(map(str, self.data.get(name) or ()))

    def steps(self) -> tuple[str, ...]:
        return tuple(str(step.get("id", "")) for step in self.data.get("steps", ()))

    def _walk(self, node: Node, path: Path) -> None:
        self.values[self.document.span(path)] = path
        if isinstance(node, MappingNode):
            for key, stretch in node.keys.items():
                self.keys[self.document.lines.span(*unpack(stretch))] = (*path, key)
                self._walk(node.values[key], (*path, key))
        elif isinstance(node, SequenceNode):
            for index, item in enumerate(node.items):
                self._walk(item, (*path, index))


def _put(title: str, span: Span, text: str) -> Fix:
    return Fix(title=title, edits=(Edit(span=span, text=text),))


def _renamed(work: _Work, span: Span, word: str, meant: str) -> Fix | None:
    """``meant`` for the one ``word`` at a span of one line."""
    found = list(re.finditer(rf"(?<![\w-]){re.escape(word)}(?![\w-])", work.at(span)))
    if len(found) != 1 or span.line != span.end_line:
        return None
    start = span.column + found[0].start()
    inner = Span(span.line, start, span.line, start + len(word))
    return _put(f"write `{meant}` for `{word}`", inner, meant)


# --- keys and values of the wrong shape -----------------------------------------------------------------------------


def _key(work: _Work, finding: Diagnostic, span: Span) -> Fix | None:
    path = work.keys.get(span)
    if path is None or not finding.message.startswith("unknown key"):
        return None
    holder, name = work.value(path[:-1]), str(path[-1])
    meant = meant_by(name, keys_at(workflow_schema(), path[:-1]))
    if meant is None or meant in holder or not _offers(finding, meant):
        return None
    return _renamed(work, span, name, meant)


def _offers(finding: Diagnostic, meant: str) -> bool:
    return finding.help == f"did you mean `{meant}`?"


def _choice(work: _Work, finding: Diagnostic, span: Span) -> Fix | None:
    path = work.values.get(span)
    value = None if path is None else work.value(path)
    if path is None or not isinstance(value, str):
        return None
    meant = meant_by(value, words_at(workflow_schema(), path))
    return _renamed(work, span, value, meant) if meant is not None and _offers(finding, meant) else None


def _type(work: _Work, finding: Diagnostic, span: Span) -> Fix | None:
    """``"true"`` or ``yes`` for a boolean, ``"3"`` for a number, a word where a list of them stands."""
    source = work.at(span)
    if not _WORD.fullmatch(source):
        return None
    if (finding.help or "").startswith("write it as a list: "):
        return _put("write it as a list", span, f"[{source}]")
    found = _BARE.fullmatch(finding.help or "")
    path = work.values.get(span)
    if found is None or path is None or not isinstance(work.value(path), str):
        return None
    return _put(f"write `{found[1]}` for `{source}`", span, found[1])


def _version(work: _Work, _: Diagnostic, span: Span) -> Fix | None:
    source = work.at(span)
    return _put(f"write `1` for `{source}`", span, "1") if source in ('"1"', "'1'") else None


def _no_braces(work: _Work, _: Diagnostic, span: Span) -> Fix | None:
    found = _BRACES.fullmatch(work.at(span))
    return _put("take the braces away", span, f"{found[1]}{found[2]}{found[1]}") if found and found[2] else None


# --- names ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Names:
    """``pattern`` finds the misspelt name in a message; ``options`` are the names that there are."""

    pattern: str
    options: Callable[[_Work, Span], Iterable[str]]


def _choices(work: _Work, span: Span) -> Iterable[str]:
    path = work.values.get(span, ())
    step = work.value(path[:-1]) if path else {}
    return tuple(map(str, step.get("choices", ("yes", "no"))))


_MISSPELT: Mapping[str, tuple[_Names, ...]] = {
    "BR204": (_Names(r"step `.+` needs `(.+)`, which", lambda work, _: work.steps()),),
    "BR206": (_Names(r"there is no input `(.+)`", lambda work, _: work.section("inputs")),),
    "BR207": (
        _Names(r"there is no step `(.+)`", lambda work, _: work.steps()),
        _Names(r"`steps\..+` has no `([^`]+)`", lambda _, __: _STEP_ATTRIBUTES),
        _Names(r"`(.+)` is not defined", lambda _, __: ROOTS),
    ),
    "BR211": (_Names(r"there is no secret `(.+)`", lambda work, _: work.section("secrets")),),
    "BR213": (_Names(r"there is no MCP server `(.+)`", lambda work, _: work.section("mcp_servers")),),
    "BR214": (_Names(r"the built-in files have no tool `(.+)`", lambda _, __: FILE_TOOLS),),
    "BR239": (_Names(r"`(.+)` is none of the choices", _choices),),
}


def _name(work: _Work, finding: Diagnostic, span: Span) -> Fix | None:
    for names in _MISSPELT[finding.code]:
        found = re.match(names.pattern, finding.message)
        meant = meant_by(found[1], names.options(work, span)) if found else None
        if found and meant is not None and _offers(finding, meant):
            return _renamed(work, span, found[1], meant)
    return None


# --- what is not needed ---------------------------------------------------------------------------------------------


def _unused(work: _Work, _: Diagnostic, span: Span) -> Fix | None:
    path = work.keys.get(span) or work.values.get(span)
    if not path or path[0] not in _DECLARING:  # what stands here for another place by an alias is used here
        return None
    edit = removal(work.document, path)
    if edit is None:
        return None
    name = path[-1] if isinstance(path[-1], str) else work.value(path)
    return Fix(title=f"take out `{name}`", edits=(edit,), unsafe=True)


def _stale(work: _Work, finding: Diagnostic, span: Span) -> Fix | None:
    """All codes of a comment that allow nothing go at once, so all findings about it have the same fix."""
    beside = [one.message for one in work.findings if one.code == finding.code and one.span == span]
    codes = [found[1] for message in beside if (found := re.match(r"this comment allows `(\w+)`", message))]
    edit = without_codes(work.document.text, span, codes)
    shown = ", ".join(f"`{code}`" for code in codes)
    return None if edit is None else Fix(title=f"take {shown} out of the comment", edits=(edit,))


_FIXERS: Mapping[str, Callable[[_Work, Diagnostic, Span], Fix | None]] = {
    "BR217": _key,
    "BR219": _type,
    "BR220": _choice,
    "BR222": _version,
    "BR225": _no_braces,
    "BR230": _unused,
    "BR231": _unused,
    "BR329": _stale,
    **dict.fromkeys(_MISSPELT, _name),
}
FIXABLE = frozenset(_FIXERS)
"""Codes of findings that may have a fix."""
