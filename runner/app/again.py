"""Command lines that do a run again: what a message tells a person to type, with all that shaped the run at hand."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.app.request import RunRequest

_NOTHING: Mapping[str, Any] = {}


def record_command(request: RunRequest, units: Sequence[str] = (), recorded: Mapping[str, Any] = _NOTHING) -> str:
    """What records these units anew, or the whole workflow for none; ``recorded`` are inputs that hold anyway."""
    words = ["bridge-run", request.file, "--record", *_shaped_by(request, recorded)]
    return shlex.join((*words, *(word for unit in units for word in ("--step", unit))))


def replay_command(request: RunRequest) -> str:
    """What replays the run once more."""
    mode = [] if request.replay in (None, "all") else [str(request.replay)]
    return shlex.join(["bridge-run", request.file, "--replay", *mode, *_shaped_by(request, request.bound or _NOTHING)])


def _shaped_by(request: RunRequest, recorded: Mapping[str, Any]) -> Iterator[str]:
    if request.recording is not None:
        yield from ("--recording", request.recording)
    if request.config is not None:
        yield from ("--config", request.config)
    if request.simulate is not None:
        yield from ("--simulate", request.simulate)
    for endpoint in request.endpoints:
        yield from ("--endpoint", endpoint)
    if request.inputs_file is not None:
        yield from ("--inputs", request.inputs_file)
    for name, value in (request.bound or {}).items():
        if name not in recorded or recorded[name] != value:
            yield from ("-i", f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    for option, texts in (("-i", request.inputs), ("--model", request.models), ("--answer", request.answers)):
        for text in texts:
            yield from (option, text)
    if request.yes:
        yield "--yes"
