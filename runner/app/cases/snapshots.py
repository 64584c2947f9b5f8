"""Snapshots of test cases: compared, written, and those that nobody uses found."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from runner.app.cases.read import ENDINGS, SNAPSHOTS, stem_of
from runner.words.errors import UsageError
from runner.words.noun import noun

_MOST_LINES = 200
_BEGINNING = "workflow: "
"""How every picture of a run begins."""
UPDATE = "bridge-run test --update"


@noun
class Compared:
    """``lines`` and ``head`` say what differs, empty where nothing does; ``note`` says what was written."""

    head: str = ""
    lines: tuple[str, ...] = ()
    note: str = ""


class Snapshots:
    """``update``: what differs is written and told, and fails nothing. ``command`` is what a person types for that."""

    def __init__(self, *, update: bool = False, command: str = UPDATE) -> None:
        self.update = update
        self.command = command

    def compare(self, path: str, picture: str, *, is_good: bool = True) -> Compared:
        """Compare a picture with the one that is kept; a case that fails otherwise (``is_good`` False) writes none.

        Raises:
            UsageError: it cannot be read or written, or what would be written over is no picture of a run.
        """
        kept = _read(path)
        if kept == picture:
            return Compared()
        lines = difference(kept or "", picture, path, "this run")
        if self.update and is_good:
            if kept is not None and not _is_ours(kept):
                hint = "name another file in `snapshot`, or delete this one"
                raise UsageError(f"`{path}` is no snapshot of a run, so it is not written over", hint=hint)
            _write(path, picture)
            did = "wrote" if kept is None else "changed"
            return Compared(note="\n".join([f"{did} {path}", *(f"  {line}".rstrip() for line in lines)]))
        if self.update:
            hint = "nothing is written while the case fails for something else"
        elif kept is None:
            hint = f"`{self.command}` writes `{path}`"
        else:
            hint = f"`{self.command}` keeps it as it is now"
        if kept is None:
            return Compared(head="it has no snapshot yet", lines=(hint,))
        return Compared(head="it differs from its snapshot", lines=(*lines, "", hint))


def unused_beside(file: str, wanted: Sequence[str]) -> Iterator[str]:
    """The snapshots that bear the name of a test file, and that are none of ``wanted``.

    Where ``a.test.yaml`` stands beside ``a.b.test.yaml``, what is called ``a.b…`` belongs to the latter.
    """
    folder, stem = Path(file).parent, stem_of(file)
    known = {Path(path).resolve() for path in wanted}
    others = [stem_of(name) for ending in ENDINGS for name in map(str, folder.glob(f"*{ending}"))]
    longer = tuple(f"{other}." for other in others if other.startswith(f"{stem}."))
    for path in sorted((folder / SNAPSHOTS).glob("*.txt")):
        own = path.name.startswith(f"{stem}.") and not path.name.startswith(longer)
        if own and path.resolve() not in known:
            yield str(path)


def strays_in(folder: Path, wanted: Iterable[str]) -> Iterator[str]:
    """The snapshots in a folder of tests that bear the name of no test file there, and that are none of ``wanted``.

    What is there and is no picture of a run is somebody else's.
    """
    known = {Path(path).resolve() for path in wanted}
    stems = tuple(f"{stem_of(name)}." for ending in ENDINGS for name in map(str, folder.glob(f"*{ending}")))
    for path in sorted((folder / SNAPSHOTS).glob("*.txt")):
        if not path.name.startswith(stems) and path.resolve() not in known and is_picture(path):
            yield str(path)


def is_picture(path: Path) -> bool:
    """Whether a file is a picture of a run."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING.encode()
    except OSError:
        return False


def _is_ours(text: str) -> bool:
    """Whether a text may be written over: a picture, also one with the marks of a merge, or nothing."""
    return text.startswith((_BEGINNING, "<<<<<<< ")) or not text.strip()


def difference(before: str, after: str, name: str, other: str) -> tuple[str, ...]:
    """A unified diff as lines, cut where it is long."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), name, other, lineterm=""))
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"… and {len(lines) - _MOST_LINES:,} lines more"]
    return tuple(lines)


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not written in UTF-8"
        raise UsageError(f"the snapshot `{path}` cannot be read: {reason}") from error


def _write(path: str, text: str) -> None:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the snapshot `{path}` cannot be written: {error.strerror or error}") from error
