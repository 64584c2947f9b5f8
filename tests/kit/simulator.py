"""A running simulator for tests: ``with simulator(SCRIPT) as url: ...``, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runner.rehearse.simulator.reading import parse_script
from runner.rehearse.simulator.serve import start_in_thread


@contextmanager
def simulator(script: str | Mapping[str, Any], *, log: str | Path | None = None) -> Iterator[str]:
    """Serve a script given as YAML text or as its data; gives the address.

    ``log`` is a file that gets one JSON line for each finished request:
    ``{method, path, status, model, turn, seconds, request}``.
    """
    text = script if isinstance(script, str) else json.dumps(script)
    handle = start_in_thread(parse_script(text, "script.yaml"), log=None if log is None else str(log))
    try:
        yield handle.url
    finally:
        handle.close()
