"""The lock file of a project: where it lies, how it is read and written.

``bridge.lock`` stands where the configuration of the project stands: the nearest one from the working folder upwards
counts, up to the root of the git repository or to the home folder. A new one is written beside ``bridge.toml``, else at
the root of the repository, else here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from runner.plan.lock.lock import Lock
from runner.plan.lock.read import read_lock
from runner.words.diagnostics import Diagnostic
from runner.words.errors import UsageError, WorkflowError

FILE: Final = "bridge.lock"
CONFIGURATION: Final = "bridge.toml"


def lock_place(given: str | None, environment: Mapping[str, str]) -> Path:
    """The file of ``--file`` or ``--locked``; without one that of the project, whether it is there yet or not."""
    if given:
        return Path(given).expanduser()
    folders = list(_upwards(Path.cwd(), environment))
    for name in (FILE, CONFIGURATION):
        for folder in folders:
            if (folder / name).is_file():
                return folder / FILE
    root = next((folder for folder in folders if (folder / ".git").exists()), Path.cwd())
    return root / FILE


def shown(path: Path) -> str:
    """The path as a person finds it from where they are."""
    return os.path.relpath(path)


def read_lock_file(given: str | None, environment: Mapping[str, str]) -> Lock:
    """The lock that ``given`` or the place names.

    Raises:
        UsageError: there is no such file.
        WorkflowError: it cannot be read, or is no lock (BR510).
    """
    path = lock_place(given, environment)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        ways = "`bridge-run lock` writes it, where the model servers can be asked"
        raise UsageError(f"the lock file `{shown(path)}` {what}", hint=ways)
    try:
        text = path.read_bytes()
    except OSError as error:
        message = f"the lock file cannot be read: {error.strerror}"
        raise WorkflowError([Diagnostic(code="BR510", message=message, file=shown(path))]) from error
    return read_lock(text, shown(path))


def write_lock_file(path: Path, text: str) -> None:
    """Replace the file: whoever reads sees all of the old or all of the new.

    Raises:
        UsageError: it cannot be written there.
    """
    draft: Path | None = None
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        draft = Path(name)
        with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        draft.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        draft.replace(path)
    except OSError as error:
        if draft is not None:
            draft.unlink(missing_ok=True)
        why = error.strerror or str(error)
        raise UsageError(f"cannot write `{shown(path)}`: {why}", hint="`--file` names another place") from error


def _upwards(start: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """The folders to look into, from ``start`` to the one that bounds the search."""
    home = environment.get("HOME") or environment.get("USERPROFILE")
    folders = [start, *start.parents]
    for index, folder in enumerate(folders):
        if (folder / ".git").exists() or (home and folder == Path(home)):
            yield from folders[: index + 1]
            return
    yield start
