"""Replacing a file: whoever reads it sees all of the old or all of the new."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from runner.words.errors import UsageError


def replace_file(name: str, content: bytes) -> None:
    """Write the content in place of what the file holds; its mode stays, and of a link the file that it leads to.

    Raises:
        UsageError: it cannot be written.
    """
    draft: Path | None = None
    try:
        path = Path(name).resolve(strict=True)
        number, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        draft = Path(made)
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    except OSError as error:
        if draft is not None:
            draft.unlink(missing_ok=True)
        why = error.strerror or str(error)
        raise UsageError(f"cannot write `{name}`: {why}", hint="nothing in it was changed") from error
