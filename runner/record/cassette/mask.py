"""What of a text belongs to one machine or one run, and what stands for it in a recording."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from runner.chat.catalogue import EndpointCatalogue, Instance, ModelEntry
from runner.chat.messages import ChatAnswer, ChatRequest, Message, ToolCall, ToolSpec, Usage
from runner.chat.toolbox import Blob, ServerFacts, Tool, ToolResult
from runner.words.redact import SHORTEST, Redactor

FOLDER = "[folder]"
RUN = "[run id]"
_MEANT = {FOLDER: f"[{FOLDER}]", RUN: f"[{RUN}]"}
"""What is written where somebody said just that: `[[folder]]`."""
_STANDS = re.compile("|".join(re.escape(text) for pair in _MEANT.items() for text in reversed(pair)))
_NOUNS = (
    ChatAnswer, ChatRequest, Message, ToolCall, ToolSpec, Usage, EndpointCatalogue, ModelEntry, Instance, Tool,
    ToolResult, Blob, ServerFacts,
)  # fmt: skip
_NAMES = frozenset(one.name for noun in _NOUNS for one in fields(noun)) | {
    "answer", "argv", "arguments", "cancelled", "catalogue", "changed", "choice", "choices", "class", "cwd", "empty",
    "env", "error", "exit_code", "facts", "hint", "instance", "kept", "kind", "message", "paths", "patterns",
    "question", "request", "result", "role", "seed", "server", "settings", "stderr", "stdin", "stdout", "stream",
}  # fmt: skip
"""Keys of the objects of a recording."""


class Mask:
    """Hides secrets, the folder where the steps work and the id of the run; shows the last two again.

    ``folder`` is where bridge-run was started; ``run`` is what ``run.id`` is in templates.
    """

    def __init__(self, secrets: Mapping[str, str], folder: str, run: str) -> None:
        self._secrets = secrets
        self._run = run
        self._folders = [folder]
        self._refresh()

    def works_in(self, folder: str) -> None:
        """The steps work in a workspace: it, too, is the folder."""
        if folder not in self._folders:
            self._folders.append(folder)
            self._refresh()

    def _refresh(self) -> None:
        also = {folder: FOLDER for folder in self._folders if len(folder) >= SHORTEST}
        self._redactor = Redactor(self._secrets, {**also, self._run: RUN, **_MEANT})
        self._shown = {**{doubled: text for text, doubled in _MEANT.items()}, FOLDER: self._folders[-1], RUN: self._run}

    def hidden(self, value: Any) -> Any:
        """A JSON value as it is recorded; names that the format itself gives stay, whatever a secret is called."""
        if isinstance(value, Mapping):
            return {key if key in _NAMES else self._redactor.text(str(key)): self.hidden(v) for key, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.hidden(item) for item in value]
        return self._redactor.value(value)

    def text(self, text: str) -> str:
        """A text as it is recorded."""
        return self._redactor.text(text)

    def pieces(self, pieces: Sequence[str]) -> tuple[str, ...]:
        """The pieces of one text as they are recorded."""
        return self._redactor.pieces(pieces)

    def shown(self, value: Any) -> Any:
        """A recorded value as this run meets it; secrets stay hidden."""
        if isinstance(value, str):
            return _STANDS.sub(lambda match: self._shown[match[0]], value)
        if isinstance(value, Mapping):
            return {self.shown(key): self.shown(item) for key, item in value.items()}
        return [self.shown(item) for item in value] if isinstance(value, list | tuple) else value
