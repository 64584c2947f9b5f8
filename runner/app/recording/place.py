"""The place where a recording is to be written: looked at before the run, for afterwards it is too late."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from runner.record.cassette.cassette import FORMAT, SUFFIX
from runner.words.errors import HistoryError, UsageError

_ANOTHER = "`--recording PATH` says another place"
_LOOKED_AT = 65_536
"""Bytes of a file that tell what it is; a first line that holds more is told by its name."""


def refuse_bad_place(path: Path, workflow: str, *, named: bool) -> None:
    """Whether a recording can be written there, and nothing else is lost by it.

    ``named``: the place was named, so that it may be that of another workflow's recording.

    Raises:
        UsageError: something else lies there.
        HistoryError: nothing can be written there.
    """
    if path.exists() and not path.is_dir():
        _refuse_other(path, workflow, named=named)
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        with tempfile.TemporaryFile(dir=path.resolve().parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def _refuse_other(path: Path, workflow: str, *, named: bool) -> None:
    if not path.is_file():
        raise UsageError(f"`{path}` is no file that a recording can replace", hint=_ANOTHER)
    try:
        with path.open("rb") as file:
            begin = file.read(_LOOKED_AT)
    except OSError:
        return  # it is no worse for being written anew
    if begin and FORMAT.encode() not in begin and not path.name.endswith(SUFFIX):
        wrong = f"`{path}` is no recording, and stays as it is"
        raise UsageError(wrong, hint=f"{_ANOTHER}; or delete the file first")
    holds = _workflow_in(begin)
    if named and holds not in (None, workflow):
        wrong = f"`{path}` is the recording of the workflow `{holds}`, and stays as it is"
        raise UsageError(wrong, hint=f"{_ANOTHER}; or delete the file first")


def _workflow_in(begin: bytes) -> str | None:
    """Whose recording it is, if the first line is one of a recording."""
    try:
        first = json.loads(begin.decode("utf-8-sig", "replace").split("\n", 1)[0])
        return str(first["workflow"]) if first["format"] == FORMAT else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def replace_recording(path: Path, data: bytes) -> None:
    """Write it in one piece: what was there stays until the new one is whole. A link stays one, and a mode, too.

    Raises:
        HistoryError: it cannot be written.
    """
    try:
        target = path.resolve()
        new = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            new.write_bytes(data)
            if target.exists():
                new.chmod(target.stat().st_mode & 0o777)
            new.replace(target)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> HistoryError:
    why = error.strerror or error
    return HistoryError(f"the recording `{path}` cannot be written: {why}", hint=_ANOTHER)
