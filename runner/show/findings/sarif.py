"""Findings as SARIF 2.1.0 (OASIS), for code scanning and for editors that read it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from runner.show.problems import Source
from runner.words.diagnostics import Diagnostic, Edit, in_file_order
from runner.words.spans import Span
from runner.workflow.explain.explanation import Explanation

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
"""The name of the format; nobody fetches it."""
ROOT = "%SRCROOT%"
"""What paths count from: the root of the repository."""
FINGERPRINT = "bridgeRunFinding/v1"
_BREAK = re.compile(r"\r\n|\n|\r")


def findings_sarif(
    diagnostics: Iterable[Diagnostic],
    rules: Mapping[str, Explanation],
    source: Source,
    place: Mapping[str, str],
    *,
    version: str,
) -> dict[str, Any]:
    """One log of one run. ``rules`` are all that ``explain`` knows; ``place`` has the path of every file from the root
    of the repository, with ``/``.

    Lines and columns count from 1, in code points. A fingerprint is made of code, file and the words of the line, so
    it stays when lines above come or go; the second of two alike says so.
    """
    codes = sorted(rules)
    index = {code: number for number, code in enumerate(codes)}
    seen: Counter[str] = Counter()
    results = [_result(finding, index, place, source, seen) for finding in in_file_order(diagnostics)]
    driver = {
        "name": "bridge-run",
        "version": version,
        "semanticVersion": version,
        "rules": [_rule(code, rules[code]) for code in codes],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, explanation: Explanation) -> dict[str, Any]:
    text = explanation.text.strip()
    examples = [
        f"{name}:\n\n```yaml\n{example.strip(chr(10))}\n```"
        for name, example in (("Wrong", explanation.wrong), ("Right", explanation.right))
        if example
    ]
    plain = [part.replace("```yaml\n", "").replace("\n```", "") for part in examples]
    return {
        "id": code,
        "shortDescription": {"text": explanation.title},
        "fullDescription": {"text": text},
        "help": {"text": "\n\n".join([text, *plain]), "markdown": "\n\n".join([text, *examples])},
    }


def _result(
    finding: Diagnostic, index: Mapping[str, int], place: Mapping[str, str], source: Source, seen: Counter[str]
) -> dict[str, Any]:
    notes = [note for note in finding.notes if note.span is not None]
    made: dict[str, Any] = {
        "ruleId": finding.code,
        "level": finding.level,
        "message": {"text": "\n".join(_said(finding))},
        "locations": [_location(finding.file, finding.span, place)],
        "partialFingerprints": {FINGERPRINT: _fingerprint(finding, place, source, seen)},
    }
    if finding.code in index:
        made["ruleIndex"] = index[finding.code]
    if notes:
        made["relatedLocations"] = [
            _location(finding.file, note.span, place) | {"message": {"text": note.message}} for note in notes
        ]
    if finding.fix is not None:
        change = {
            "artifactLocation": _artifact(finding.file, place),
            "replacements": [_replacement(edit) for edit in finding.fix.edits],
        }
        made["fixes"] = [{"description": {"text": finding.fix.title}, "artifactChanges": [change]}]
    return made


def _said(finding: Diagnostic) -> Iterator[str]:
    yield finding.message
    yield from (f"note: {note.message}" for note in finding.notes if note.span is None)
    if finding.help:
        yield f"help: {finding.help}"


def _location(file: str, span: Span | None, place: Mapping[str, str]) -> dict[str, Any]:
    # GitHub wants a line of every result, also of one that is about the whole file.
    region = {"startLine": 1} if span is None else _region(span)
    return {"physicalLocation": {"artifactLocation": _artifact(file, place), "region": region}}


def _artifact(file: str, place: Mapping[str, str]) -> dict[str, str]:
    path = place[file]
    if path.startswith("/"):
        return {"uri": f"file://{quote(path, errors='replace')}"}
    return {"uri": quote(path, errors="replace"), "uriBaseId": ROOT}


def _region(span: Span) -> dict[str, int]:
    return dict(zip(("startLine", "startColumn", "endLine", "endColumn"), span, strict=True))


def _replacement(edit: Edit) -> dict[str, Any]:
    made: dict[str, Any] = {"deletedRegion": _region(edit.span)}
    return made | ({"insertedContent": {"text": edit.text}} if edit.text else {})


def _fingerprint(finding: Diagnostic, place: Mapping[str, str], source: Source, seen: Counter[str]) -> str:
    text = source(finding.file) if finding.span is not None else None
    words = ""
    if text is not None and finding.span is not None:
        lines = _BREAK.split(text)
        words = " ".join(lines[finding.span.line - 1].split()) if finding.span.line <= len(lines) else ""
    parts = (finding.code, place[finding.file], words)
    mark = sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
    seen[mark] += 1
    return f"{mark}:{seen[mark]}"
