"""Snapshots of test cases: compared, written, and those that nobody uses found."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.app.cases.read import ENDINGS, SNAPSHOTS, stem_of
from runner.words.errors import UsageError
from runner.words.noun import noun

_MOST_LINES = 200


@noun
class Compared:
    """``lines`` and ``head`` say what differs, empty where nothing does; ``note`` says what was written."""

    head: str = ""
    lines: tuple[str, ...] = ()
    note: str = ""


class Snapshots:
    """``update``: what differs is written and told, and fails nothing."""

    def __init__(self, *, update: bool = False) -> None:
        self.update = update

    def compare(self, path: str, picture: str, *, is_good: bool = True) -> Compared:
        """Compare a picture with the one that is kept; a case that fails otherwise (``is_good`` False) writes none.

        Raises:
            UsageError: it cannot be read or written.
        """
        kept = _read(path)
        if kept == picture:
            return Compared()
        lines = difference(kept or "", picture, path, "this run")
        if self.update and is_good:
            _write(path, picture)
            did = "wrote" if kept is None else "changed"
            return Compared(note="\n".join([f"{did} {path}", *(f"  {line}".rstrip() for line in lines)]))
        if kept is None:
            hint = f"`bridge-run test --update` writes `{path}`"
            return Compared(head="it has no snapshot yet", lines=(hint,))
        return Compared(head="it differs from its snapshot", lines=(*lines, "", "`--update` keeps it as it is now"))


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
