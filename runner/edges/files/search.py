"""Finding text in files. An expression that could run for ever runs in a process of its own, under a clock."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from runner.edges.files.confine import Confined, Parts, refusal, show
from runner.edges.files.glob import compile_glob
from runner.edges.files.match import Match, matching_lines
from runner.edges.files.text import decode
from runner.edges.files.walk import walk
from runner.words.errors import StepError

MAXIMUM = 100  # matches that are shown unless more are asked for
MOST = 1_000
SHOWN = 300  # characters of a line that are shown
PATTERN_LIMIT = 1_000  # characters
TEXT_LIMIT = 200 * 1024 * 1024  # characters that one search reads
SECONDS = 10.0  # an expression may take
DEEPEST = 50
_ESCAPED = re.compile(r"\\[^\d]|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPEATED = re.compile(r"(?<!\()[*+?{]")
_DANGEROUS = re.compile(r"\)[*+?{]|\\\d|\(\?P=")


def search_files(room: Confined, pattern: str, *, path: str, glob: str | None, regex: bool, maximum: int | None) -> str:
    """The matching lines as ``file:line: text``, in the order of the files."""
    if not pattern:
        raise refusal("`pattern` is empty; give the text to look for")
    if len(pattern) > PATTERN_LIMIT:
        raise refusal(f"`pattern` is longer than {PATTERN_LIMIT:,} characters")
    most = min(maximum or MAXIMUM, MOST)
    files = _texts(room, room.locate(path), glob)
    found = _by_expression(pattern, files, most + 1) if regex else _by_text(pattern, files, most + 1)
    return _shown(found, most) or _nothing(pattern, regex=regex)


def _shown(found: list[Match], most: int) -> str:
    lines = [f"{name}:{number}: {_cut(line)}" for name, number, line in found[:most]]
    if len(found) > most:
        lines.append(f"[only the first {most} matches: narrow `path` or `glob`, or raise `max` (at most {MOST})]")
    return "\n".join(lines)


def _cut(line: str) -> str:
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"


def _nothing(pattern: str, *, regex: bool) -> str:
    if not regex and re.search(r"[\\|*+?^$\[(]", pattern):
        return "[nothing found: `pattern` was taken as plain text; set `regex` to true if it is an expression]"
    return "[nothing found]"


def _texts(room: Confined, parts: Parts, glob: str | None) -> Iterator[tuple[str, str]]:
    """Name and text of every file to look at; binary, huge and unreadable ones are passed over."""
    if parts and not room.is_folder(parts):
        yield show(parts), decode(room.read_bytes(parts)[0], show(parts)).text
        return
    pattern = compile_glob(glob) if glob else None
    left = TEXT_LIMIT
    for entry in walk(room, parts, depth=DEEPEST):
        if entry.is_folder or (pattern is not None and not pattern.fullmatch(entry.path)):
            continue
        inside = (*parts, *entry.path.split("/"))
        if (text := _text(room, inside)) is not None:
            yield show(inside), text
            left -= len(text)
        if left < 0:
            raise refusal("there is too much to search in one go; narrow `path` or `glob`")


def _text(room: Confined, parts: Parts) -> str | None:
    try:
        return decode(room.read_bytes(parts)[0], show(parts)).text
    except StepError:
        return None


def _by_text(wanted: str, files: Iterator[tuple[str, str]], most: int) -> list[Match]:
    """Plain text; one that spans lines is reported where it begins."""
    found: list[Match] = []
    for name, text in files:
        at = text.find(wanted)
        while at >= 0:
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            found.append((name, text.count("\n", 0, at) + 1, text[text.rfind("\n", 0, at) + 1 : end]))
            if len(found) == most:
                return found
            at = text.find(wanted, max(end, at + len(wanted)))
    return found


def _by_expression(pattern: str, files: Iterator[tuple[str, str]], most: int) -> list[Match]:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise refusal(f"`{pattern}` is no regular expression: {error}; or set `regex` to false") from error
    if _is_tame(pattern):
        return matching_lines(pattern, files, most)
    return _in_a_process(pattern, list(files), most)


def _is_tame(pattern: str) -> bool:
    """One repeated character at most, no repeated group, no reference: no line takes longer than its length squared."""
    plain = _ESCAPED.sub("x", pattern)
    return len(_REPEATED.findall(plain)) <= 1 and _DANGEROUS.search(plain) is None


def _in_a_process(pattern: str, files: list[tuple[str, str]], most: int) -> list[Match]:
    import subprocess
    import sys

    question = json.dumps({"pattern": pattern, "files": files, "max": most})
    program = str(Path(__file__).with_name("match.py"))
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own file
            [sys.executable, "-I", "-S", program],
            input=question, capture_output=True, text=True, encoding="utf-8", timeout=SECONDS, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise refusal(
            f"`{pattern}` took longer than {SECONDS:.0f} s and was stopped; use a simpler expression"
        ) from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise refusal(f"the search with `{pattern}` failed; use a simpler expression") from error
    return [(name, number, line) for name, number, line in json.loads(done.stdout)]
