"""The error of a recording that cannot be used; one of the family in ``words.errors``."""

from __future__ import annotations

from runner.words.errors import BridgeError, FailureKind
from runner.words.exits import Exit


class RecordingError(BridgeError):
    """The file of a recording is at fault; ``line`` counts from 1, 0 = the file as a whole."""

    kind: FailureKind = "request"
    exit_code = Exit.FILE
    facts = ("file", "line")

    def __init__(self, file: str, line: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}", hint=hint)
        self.file = file
        self.line = line
