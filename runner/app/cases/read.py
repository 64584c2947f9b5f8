"""Test files: found, read and judged, and made into cases. Every problem has its line."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from runner.words.diagnostics import Diagnostic, in_file_order
from runner.words.errors import UsageError, WorkflowError
from runner.words.noun import noun
from runner.words.schemas import Complaint, complaints
from runner.words.spans import Path as Way
from runner.words.spans import show_path
from runner.words.suggest import did_you_mean
from runner.workflow.document import Document, read_document
from runner.workflow.schema import schema_text

ENDINGS = (".test.yaml", ".test.yml")
SNAPSHOTS = "__snapshots__"
_LONGEST = 180
"""Bytes of a case's name in that of its snapshot, as no file system takes more than 255; a longer one is cut."""
_CODES = {"additionalProperties": "BR217", "required": "BR218", "type": "BR219"}
_START = "begin with `workflow: FILE` and `expect:`"


@noun
class Case:
    """One case. ``file`` is its test file as it was given, ``workflow`` the path of the file that it runs.

    ``stubs`` are the paths of files, and the ways to mappings in ``document``, of which later ones win; ``own_stubs``
    says that the last is the case's own. ``expect_at`` is the way to ``expect``. ``snapshot`` is the path of the
    picture to compare with, None = none. ``strict``: every line of the recording has to be used.
    """

    file: str
    name: str
    document: Document
    workflow: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    recording: str | None = None
    strict: bool = True
    stubs: tuple[str | Way, ...] = ()
    own_stubs: bool = False
    expect: Mapping[str, Any] = field(default_factory=dict)
    expect_at: Way = ()
    snapshot: str | None = None
    at: Way = ()

    @property
    def id(self) -> str:
        """``workflows/review.test.yaml::a change is reviewed``."""
        return f"{self.file}::{self.name}"

    def line(self, path: Way) -> int:
        """The line of what stands at a way of the file."""
        return self.document.key_span(path).line


def stem_of(file: str) -> str:
    """The name of a test file without its ending."""
    name = Path(file).name
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), Path(file).stem)


def is_test_file(name: str) -> bool:
    """Whether a file of that name holds cases."""
    return name.endswith(ENDINGS) and not name.startswith(".")


def find_test_files(paths: Sequence[str]) -> tuple[str, ...]:
    """Every test file among ``paths``, each once; folders are searched through and through; none: where we are.

    Raises:
        UsageError: a path does not exist, or there is no test file.
    """
    found: dict[str, None] = {}
    for path in paths or (".",):
        if Path(path).is_dir():
            found.update(dict.fromkeys(_search(path)))
        elif os.path.lexists(path):
            found[os.path.normpath(path)] = None
        else:
            raise UsageError(f"there is no file `{path}`", hint=_near(path))
    if not found:
        where = ", ".join(f"`{path}`" for path in paths) or "this folder"
        hint = "a test file ends in .test.yaml; `bridge-run schema test` says what it holds"
        raise UsageError(f"there is no test file in {where}", hint=hint)
    return tuple(found)


def _near(path: str) -> str | None:
    """What may have been meant: a file beside it, or a case as `bridge-run test` tells it."""
    file, is_case, _ = path.partition("::")
    if is_case and Path(file).is_file():
        return f"`bridge-run test {shlex.quote(file)} -k {shlex.quote(path)}` runs one case"
    return did_you_mean(path, list(_search(str(Path(path).parent)))) if Path(path).parent.is_dir() else None


def snapshot_folders(paths: Sequence[str]) -> tuple[str, ...]:
    """Every folder of snapshots below those of ``paths`` that are folders themselves; none: below where we are."""
    below = (parent for path in paths or (".",) for parent, _ in _walk(path) if Path(parent).name == SNAPSHOTS)
    return tuple(dict.fromkeys(map(os.path.normpath, below)))


def _search(folder: str) -> Iterator[str]:
    for parent, names in _walk(folder):
        for name in sorted(names):
            if is_test_file(name):
                yield os.path.normpath(os.path.join(parent, name))  # noqa: PTH118 - pathlib has no normpath


def _walk(folder: str) -> Iterator[tuple[str, list[str]]]:
    """Every folder of ours with the names of its files."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in ("node_modules", "venv")
        )
        yield parent, names


def read_cases(path: str) -> tuple[Case, ...]:
    """The cases of a test file, in order.

    Raises:
        WorkflowError: it cannot be read, or is at fault; with every finding.
    """
    document = read_document(path, start=_START)
    findings = [*_shape(document)] or [*_meaning(document)]
    if findings:
        raise WorkflowError(in_file_order(findings))
    data = document.data
    if "cases" not in data:
        return (_case(document, data, (), data.get("name", stem_of(path)), alone=True),)
    merged = ((_merged(data, given), ("cases", index), given["name"]) for index, given in enumerate(data["cases"]))
    cases = tuple(_case(document, both, at, name, alone=False) for both, at, name in merged)
    if shared := shared_snapshots(cases):
        raise WorkflowError(shared)
    return cases


def shared_snapshots(cases: Iterable[Case], taken: dict[str, Case] | None = None) -> list[Diagnostic]:
    """The cases whose snapshot is that of one before them: `--update` would write now this, now that.

    ``taken`` are the snapshots of cases before, and gets those of these.
    """
    taken = {} if taken is None else taken
    findings: list[Diagnostic] = []
    for case in cases:
        if case.snapshot is None:
            continue
        other = taken.setdefault(os.path.abspath(case.snapshot), case)  # noqa: PTH100 - links stay as they are written
        if other is not case:
            message = f"`{case.snapshot}` is the snapshot of `{other.id}` already"
            at = (*case.at, "snapshot")
            findings.append(_finding(case.document, "BR220", at, message, "give each case a snapshot of its own"))
    return findings


def _merged(whole: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A case with what its file says for all; inputs and answers are merged name by name."""
    both = {**whole, **own}
    if "recording" in own:
        both.pop("stubs", None)
    if "stubs" in own:
        both.pop("recording", None)
    for key in ("inputs", "answers"):
        if key in whole and key in own:
            both[key] = {**whole[key], **own[key]}
    return both


def _case(document: Document, given: Mapping[str, Any], at: Way, name: str, *, alone: bool) -> Case:
    folder = Path(document.file).parent
    made = Case(
        file=document.file,
        name=name,
        document=document,
        workflow=_beside(folder, given["workflow"]),
        inputs=given.get("inputs", {}),
        answers=given.get("answers", {}),
        expect=given.get("expect", {}),
        expect_at=_way(document, at, "expect"),
        strict=given.get("strict", True),
        at=at,
    )
    if "recording" in given:
        made = replace(made, recording=_beside(folder, given["recording"]))
    if "stubs" in given:
        places = [place for place in ((), at) if document.has((*place, "stubs"))]
        made = replace(
            made,
            stubs=tuple(_stubs(document, folder, (*place, "stubs")) for place in dict.fromkeys(places)),
            own_stubs=document.has((*at, "stubs")),
        )
    if given.get("snapshot"):
        said = given["snapshot"]
        stem = stem_of(document.file)
        usual = f"{SNAPSHOTS}/{stem}.txt" if alone else f"{SNAPSHOTS}/{stem}.{_slug(name)}.txt"
        made = replace(made, snapshot=_beside(folder, said if isinstance(said, str) else usual))
    return made


def _stubs(document: Document, folder: Path, at: Way) -> str | Way:
    value: Any = document.data
    for part in at:
        value = value[part]
    return _beside(folder, value) if isinstance(value, str) else at


def _way(document: Document, at: Way, key: str) -> Way:
    """Where a key stands: in the case itself, else among what holds for all."""
    return (*at, key) if document.has((*at, key)) else (key,)


def _beside(folder: Path, path: str) -> str:
    return os.path.normpath(folder / path)


def _slug(name: str) -> str:
    slug = re.sub(r"[^\w.-]+", "-", name.casefold()).strip("-.") or "case"
    if len(slug.encode()) <= _LONGEST:
        return slug
    return f"{slug[: _LONGEST // 4]}-{sha256(slug.encode()).hexdigest()[:8]}"


# --- what is wrong with a file ------------------------------------------------------------------------------------


def _shape(document: Document) -> Iterator[Diagnostic]:
    schema = json.loads(schema_text("test"))
    for complaint in complaints(schema, document.data):
        if complaint.keyword == "additionalProperties":
            yield from _unknown_keys(document, schema, complaint)
        else:
            where = show_path(complaint.path) or "the test"
            code = _CODES.get(complaint.keyword, "BR220")
            yield _finding(document, code, complaint.path, f"{where}: {complaint.message}", None)


def _unknown_keys(document: Document, schema: Mapping[str, Any], complaint: Complaint) -> Iterator[Diagnostic]:
    node: Any = schema
    for part in complaint.schema_path[:-1]:
        node = node[part]
        if isinstance(node, dict) and "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    known = sorted(node.get("properties", {}))
    for name in complaint.names:
        message = f"{show_path(complaint.path) or 'the test'}: unknown key `{name}`"
        hint = did_you_mean(name, known) or f"known here: {', '.join(known)}"
        yield _finding(document, "BR217", (*complaint.path, name), message, hint)


def _meaning(document: Document) -> Iterator[Diagnostic]:
    data = document.data
    cases = data.get("cases")
    for at, given in [((), data)] if cases is None else [(("cases", n), case) for n, case in enumerate(cases)]:
        if "workflow" not in data and "workflow" not in given:
            yield _finding(document, "BR218", at, "the test names no workflow", "add `workflow: FILE`")
        if "stubs" in given and "recording" in given:
            hint = "keep one of them: a run is either rehearsed or replayed"
            yield _finding(document, "BR220", (*at, "stubs"), "`stubs` and `recording` exclude each other", hint)
    names: dict[str, str] = {}
    seen: set[str] = set()
    for index, case in enumerate(cases or ()):
        slug = _slug(case["name"])
        other = names.setdefault(slug, case["name"])
        if slug in seen:
            message = f"a case before is called `{other}` as well, or nearly so"
            yield _finding(document, "BR220", ("cases", index, "name"), message, "give each case a name of its own")
        seen.add(slug)
    for key in ("expect", "snapshot", "name"):
        if cases is not None and key in data:
            message = f"`{key}` stands beside `cases`"
            yield _finding(document, "BR220", (key,), message, "write it in the case that it belongs to")


def _finding(document: Document, code: str, at: Way, message: str, hint: str | None) -> Diagnostic:
    return Diagnostic(code=code, message=message, file=document.file, span=document.key_span(at), help=hint)
