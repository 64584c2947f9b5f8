"""What a document misses of the workflow schema, in the words of the file: codes, places, what to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.words.complaint import Complaint, describe, listed, quoted
from runner.words.diagnostics import Diagnostic, Note
from runner.words.spans import Path, Span
from runner.words.suggest import nearest
from runner.words.units import DURATION_HINT, SIZE_HINT
from runner.workflow.document import Document
from runner.workflow.shape_hint import PATTERN_HELP, value_hint
from runner.workflow.synonyms import DENYING, SAMPLING, SYNONYMS

_NOUNS = {"task": "step", "command": "MCP server", "that": "check"}
"""What a mapping is called, by the first of the kinds that exclude each other in it."""
_AN = {"step": "a step", "MCP server": "an MCP server", "check": "a check"}


def word_complaints(document: Document, schema: Mapping[str, Any], found: Sequence[Complaint]) -> Iterator[Diagnostic]:
    """Findings for complaints, less those that only follow from another one."""
    version = [complaint for complaint in found if complaint.path == ("version",)]
    if version:  # what a file of another version may hold, nobody here knows
        yield _unknown_version(document)
        return
    shape = _Shape(document, schema)
    shape.learn(found)
    for complaint in found:
        if shape.stands(complaint):
            yield from shape.word(complaint)


def _unknown_version(document: Document) -> Diagnostic:
    said, span = document.data["version"], document.span(("version",))
    if isinstance(said, str) and said.strip() == "1":
        message, hint = "the version is a number, not a text", "write `version: 1`, without quotes"
    else:
        message = f"version {quoted(said)} of the file format is not understood"
        hint = "write `version: 1`, the only one so far"
    return Diagnostic(code="BR222", message=message, file=document.file, span=span, help=hint)


@dataclass(slots=True)
class _Shape:
    document: Document
    schema: Mapping[str, Any]
    meant: dict[Path, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Legal keys that unknown keys of a mapping stand for, by the mapping's path."""
    wrong_type: dict[Path, Complaint] = field(default_factory=dict)
    no_kind: set[Path] = field(default_factory=set)
    known: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    """Nearest legal keys that were looked up before, by the wrong key and all legal ones."""

    def learn(self, found: Iterable[Complaint]) -> None:
        """Note what makes other complaints of the same mapping or value needless."""
        for complaint in found:
            if complaint.keyword == "type":
                self.wrong_type.setdefault(complaint.path, complaint)
            elif complaint.keyword == "oneOf":
                self.no_kind.add(complaint.path)
            elif complaint.keyword == "additionalProperties":
                for name in complaint.names:
                    self.meant[complaint.path].update(self._meant_by(name, self._legal_keys(complaint)))

    def stands(self, complaint: Complaint) -> bool:
        """Whether a complaint says something that no other one says better."""
        if complaint.path in self.wrong_type:
            return self.wrong_type[complaint.path] is complaint
        meant = self.meant.get(complaint.path, set())
        if complaint.keyword == "required":
            return complaint.names[0] not in meant
        if complaint.keyword == "oneOf":
            return not any(kind in meant for kind in _kinds(complaint))
        return not (complaint.keyword == "dependentRequired" and complaint.path in self.no_kind)

    def word(self, complaint: Complaint) -> Iterator[Diagnostic]:
        """The findings of one complaint."""
        if complaint.keyword == "additionalProperties":
            yield from (self._unknown_key(complaint, name) for name in complaint.names)
        elif complaint.keyword == "required":
            yield self._missing_key(complaint)
        elif complaint.keyword == "oneOf":
            yield self._kind(complaint)
        elif complaint.keyword == "dependentRequired":
            yield self._misplaced_key(complaint)
        elif complaint.keyword == "propertyNames":
            yield self._bad_name(complaint)
        elif complaint.keyword == "not":
            yield self._excluding(complaint)
        else:
            yield self._value(complaint)

    def _finding(
        self, code: str, message: str, span: Span, hint: str | None = None, notes: tuple[Note, ...] = ()
    ) -> Diagnostic:
        return Diagnostic(code=code, message=message, file=self.document.file, span=span, help=hint, notes=notes)

    # --- keys -------------------------------------------------------------------------------------------------------

    def _unknown_key(self, complaint: Complaint, name: str) -> Diagnostic:
        legal = self._legal_keys(complaint)
        meant = self._meant_by(name, legal)
        hint = f"did you mean {listed(map(quoted, meant))}?" if meant else None
        if name in SAMPLING and "sampling" in legal:
            hint = f"write `sampling: {{{name}: …}}`"
        if name in DENYING and "tools" in legal:
            hint = "nothing is excluded: list those that may be used, as `tools`"
        if hint is None and legal:
            hint = f"allowed here: {', '.join(legal)}"
        span = self.document.key_span((*complaint.path, name))
        return self._finding("BR217", f"unknown key {quoted(name)}", span, hint)

    def _missing_key(self, complaint: Complaint) -> Diagnostic:
        name = complaint.names[0]
        example = self._property(complaint, name).get("examples", [None])[0]
        shown = f"{name}: {example}" if isinstance(example, str | int) else f"{name}:"
        return self._finding("BR218", complaint.message, self._head(complaint.path), f"add `{shown}`")

    def _misplaced_key(self, complaint: Complaint) -> Diagnostic:
        key, companion = complaint.names
        holder = self._value_at(complaint.path)
        kinds = [kind for kind in _all_kinds(self._holder(complaint)) if kind in holder]
        noun = _NOUNS[_all_kinds(self._holder(complaint))[0]]
        message = f"{quoted(key)} belongs to {_article(noun, companion)}"
        hint = f"this is {_article(noun, kinds[0])}: delete {quoted(key)}" if kinds else None
        return self._finding("BR217", message, self.document.key_span((*complaint.path, key)), hint)

    def _bad_name(self, complaint: Complaint) -> Diagnostic:
        name = complaint.names[0]
        span = self.document.key_span((*complaint.path, name))
        message = f"{quoted(name)} cannot be a name in `{complaint.path[-1]}`"
        return self._finding("BR220", message, span, PATTERN_HELP.get(str(complaint.expected)))

    def _kind(self, complaint: Complaint) -> Diagnostic:
        kinds = _kinds(complaint)
        noun = _NOUNS[kinds[0]]
        present = [key for key in self._value_at(complaint.path) if key in kinds]
        wanted = f"this {noun} needs exactly one of {listed(map(quoted, kinds))}"
        if not present:
            return self._finding("BR224", f"{wanted}; it has none", self._head(complaint.path))
        first, second = (self.document.key_span((*complaint.path, key)) for key in present[:2])
        message = f"{wanted}; it has {listed(map(quoted, present), 'and')}"
        hint = f"keep one of them, or make two {noun}s of it"
        return self._finding("BR224", message, second, hint, (Note(message="the first is here", span=first),))

    def _excluding(self, complaint: Complaint) -> Diagnostic:
        keys = list(complaint.expected.get("required", ()))
        spans = sorted(self.document.key_span((*complaint.path, key)) for key in keys)
        message = f"{listed(map(quoted, keys), 'and')} exclude each other"
        span = spans[-1] if spans else self._head(complaint.path)
        return self._finding("BR220", message, span, "keep one of them")

    # --- values -----------------------------------------------------------------------------------------------------

    def _value(self, complaint: Complaint) -> Diagnostic:
        span = self.document.span(complaint.path)
        value = self._value_at(complaint.path)
        unit, hint = self._unit(complaint)
        if complaint.keyword == "pattern" and unit:
            return self._finding("BR215", f"{quoted(value)} is not {unit}", span, hint)
        code = "BR219" if complaint.keyword == "type" else "BR220"
        said = complaint.message
        if complaint.keyword == "type" and unit:
            said = f"expected {unit}, got {describe(value)}"
        elif complaint.keyword == "pattern" and complaint.expected in PATTERN_HELP:
            said, hint = f"{quoted(value)} is not allowed", PATTERN_HELP[complaint.expected]
        return self._finding(
            code,
            f"{_subject(complaint.path)}: {said}",
            span,
            hint or value_hint(complaint, value, self._holder(complaint)),
        )

    def _unit(self, complaint: Complaint) -> tuple[str | None, str | None]:
        """``a duration`` or ``a size`` if the schema asks for one, and how to write it."""
        definitions, pattern = self.schema["$defs"], self._holder(complaint).get("pattern")
        if pattern == definitions["duration"]["pattern"]:
            return "a duration", DURATION_HINT
        if pattern == definitions["size"]["pattern"]:
            return "a size", SIZE_HINT
        return None, None

    # --- looking things up ------------------------------------------------------------------------------------------

    def _holder(self, complaint: Complaint) -> Mapping[str, Any]:
        """The part of the schema that holds the keyword of a complaint; empty if its path cannot be followed."""
        held: Any = self.schema
        for part in complaint.schema_path[:-1]:
            try:
                held = self._referred(held)[part]
            except (KeyError, IndexError, TypeError):
                return {}
        return self._referred(held) if isinstance(held, Mapping) else {}

    def _referred(self, held: Any) -> Any:
        """A part of the schema with what its ``$ref`` leads to; error paths of jsonschema leave ``$ref`` out."""
        if isinstance(held, Mapping) and isinstance(held.get("$ref"), str):
            return {**self.schema["$defs"][held["$ref"].rpartition("/")[2]], **held}
        return held

    def _legal_keys(self, complaint: Complaint) -> list[str]:
        return list(self._holder(complaint).get("properties", ()))

    def _property(self, complaint: Complaint, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._holder(complaint).get("properties", {}).get(name, {})
        return found

    def _meant_by(self, name: str, legal: Sequence[str]) -> tuple[str, ...]:
        """The legal key that was meant; a slip of the pen is often repeated in every step, so it is asked for once."""
        asked = (name, *legal)
        if asked not in self.known:
            synonyms = tuple(word for word in SYNONYMS.get(name, ()) if word in legal)
            self.known[asked] = synonyms or nearest(name, legal, 1)
        return self.known[asked]

    def _value_at(self, path: Path) -> Any:
        value: Any = self.document.data
        for part in path:
            value = value[part]
        return value

    def _head(self, path: Path) -> Span:
        """Where a mapping begins: its own key, else its first one."""
        if path and isinstance(path[-1], str):
            return self.document.key_span(path)
        value = self._value_at(path)
        first = next(iter(value), None) if isinstance(value, Mapping) else None
        return self.document.span(path) if first is None else self.document.key_span((*path, first))


def _kinds(complaint: Complaint) -> list[str]:
    return [branch["required"][0] for branch in complaint.expected]


def _all_kinds(holder: Mapping[str, Any]) -> list[str]:
    return [branch["required"][0] for branch in holder.get("oneOf", ())]


def _article(noun: str, kind: str) -> str:
    return f"a {quoted(kind)} step" if noun == "step" else f"{_AN[noun]} with {quoted(kind)}"


def _subject(path: Path) -> str:
    """What a finding is about: the key, or which item of it."""
    items = [part + 1 for part in path if isinstance(part, int)]
    if path and isinstance(path[-1], int):
        keys = [part for part in path if isinstance(part, str)]
        return f"item {items[-1]} of `{keys[-1] if keys else 'the file'}`"
    return f"`{path[-1]}`" if path else "the file"
