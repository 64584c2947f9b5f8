"""Changing files: whole, or by an exact replacement; always in one step, so that nobody ever sees half a file."""

from __future__ import annotations

import os
from pathlib import Path

from runner.edges.files.confine import Confined, Parts, explain, refusal, show
from runner.edges.files.diff import unified_diff
from runner.edges.files.text import TextFile, decode

CONTENT_LIMIT = 5 * 1024 * 1024  # characters that one call may write
PLACES = 8  # line numbers that are named when a text stands in several places


def write(room: Confined, path: str, content: str) -> str:
    """Create or replace a file; missing folders are made. Gives a diff, or for a new file its size."""
    parts = room.locate_for_change(path)
    if len(content) > CONTENT_LIMIT:
        raise refusal(f"the content has {len(content):,} characters, more than the {CONTENT_LIMIT:,} that are allowed")
    if not Path(room.root, *parts).exists():
        _replace(room, parts, content.encode(), None)
        return f"created {show(parts)} ({_count(content)})"
    data, mode = room.read_bytes(parts)
    before = _old_text(data, show(parts))
    _replace(room, parts, before.encode(content), mode)
    return _report(before.text, content.replace("\r\n", "\n") if before.windows else content, parts)


def edit(room: Confined, path: str, old: str, new: str) -> str:
    """Replace the one place where ``old`` stands, exactly; refused if there is none or more than one."""
    parts = room.locate_for_change(path)
    data, mode = room.read_bytes(parts)
    before = decode(data, show(parts))
    if before.windows:
        old, new = old.replace("\r\n", "\n"), new.replace("\r\n", "\n")
    _demand_one(before.text, old, new, show(parts))
    after = before.text.replace(old, new)
    if len(after) > CONTENT_LIMIT + len(before.text):
        raise refusal("the file would grow too large")
    _replace(room, parts, before.encode(after), mode)
    return _report(before.text, after, parts)


def _old_text(data: bytes, place: str) -> TextFile:
    """The old content as far as it is text; a binary file may not be overwritten by accident."""
    return decode(data, place) if data else TextFile(text="")


def _report(before: str, after: str, parts: Parts) -> str:
    return unified_diff(before, after, show(parts)) or f"{show(parts)} is unchanged: it held exactly this already"


def _count(text: str) -> str:
    lines = len(text.splitlines())
    return f"{lines} line{'' if lines == 1 else 's'}"


def _demand_one(text: str, old: str, new: str, place: str) -> None:
    if not old:
        raise refusal("`old` is empty; give the exact text to replace, or use write for a whole file")
    if old == new:
        raise refusal("`old` and `new` are the same; nothing would change")
    found = text.count(old)
    if found == 0:
        raise refusal(f"`old` does not stand in {place}{_nearly(text, old)}; nothing was changed")
    if found > 1:
        lines = ", ".join(str(line) for line in _line_numbers(text, old))
        more = "" if found <= PLACES else " and more"
        raise refusal(
            f"`old` stands {found} times in {place}, beginning on lines {lines}{more}; "
            "nothing was changed; add lines around it until it is unique"
        )


def _line_numbers(text: str, old: str) -> list[int]:
    numbers: list[int] = []
    at = text.find(old)
    while at >= 0 and len(numbers) < PLACES:
        numbers.append(text.count("\n", 0, at) + 1)
        at = text.find(old, at + len(old))
    return numbers


def _nearly(text: str, old: str) -> str:
    """Where it would stand but for white space, or where at least its first line is."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    wanted = [" ".join(line.split()) for line in old.strip("\n").splitlines()]
    for start in range(len(lines) - len(wanted) + 1):
        if lines[start : start + len(wanted)] == wanted:
            return f", but with other white space from line {start + 1} on: read these lines and copy them exactly"
    first = next((line for line in wanted if line), "")
    near = [number for number, line in enumerate(lines, 1) if first and first in line][:PLACES]
    if near and len(wanted) > 1:
        at = ", ".join(str(number) for number in near)
        return f"; its first line is found on line {at}, but what follows differs: read it again"
    return "; read the file and copy the text exactly"


def _replace(room: Confined, parts: Parts, data: bytes, mode: int | None) -> None:
    """Write beside, then put it in place; ``mode`` None leaves the permissions of a new file to the umask."""
    temporary = f".{parts[-1][:100]}.{os.urandom(6).hex()}.tmp"
    with room.folder(parts[:-1], create=True) as folder:
        try:
            _write_new(folder, temporary, data, mode)
            os.replace(temporary, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            _remove(folder, temporary)
            raise explain(error, parts) from error


def _write_new(folder: int, name: str, data: bytes, mode: int | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o666, dir_fd=folder), "wb") as file:
        file.write(data)
        if mode is not None:
            os.fchmod(file.fileno(), mode)


def _remove(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        return
