"""Findings as JUnit: every file is a test case, and fails if there is anything wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.show.problems import Source, count, render
from runner.show.xml_text import attribute, content
from runner.words.diagnostics import Diagnostic, has_errors, in_file_order


def findings_junit(
    diagnostics: Iterable[Diagnostic], files: Sequence[str], source: Source, *, strict: bool = False
) -> str:
    """One suite; a case for each of the files, and for each other file that something was found in.

    A file fails by its errors, with ``strict`` by its warnings too; all that was found is in the text of its failure.
    What fails nothing stands in the case's output.
    """
    found = in_file_order(diagnostics)
    own = {file: [one for one in found if one.file == file] for file in (*files, *(one.file for one in found))}
    failed = [file for file, about in own.items() if _fails(about, strict=strict)]
    sums = f'tests="{len(own)}" failures="{len(failed)}" errors="0"'
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f"<testsuites {sums}>",
        f'  <testsuite name="bridge-run check" {sums}>',
        *(line for file, about in own.items() for line in _case(file, about, source, fails=file in failed)),
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _fails(about: Sequence[Diagnostic], *, strict: bool) -> bool:
    return bool(about) if strict else has_errors(about)


def _case(file: str, about: Sequence[Diagnostic], source: Source, *, fails: bool) -> Iterator[str]:
    head = f'    <testcase classname="bridge-run check" name={attribute(file)}'
    if not about:
        yield f"{head}/>"
        return
    yield f"{head}>"
    text = content(render(about, source))
    if fails:
        codes = ", ".join(dict.fromkeys(one.code for one in about))
        yield f"      <failure message={attribute(count(about))} type={attribute(codes)}>{text}</failure>"
    else:
        yield f"      <system-out>{text}</system-out>"
    yield "    </testcase>"
