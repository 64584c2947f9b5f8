"""What loads and steps took in earlier runs, kept in the user's cache: better numbers for the next plan, nothing else.

``bridge-run/measured.json`` in ``XDG_CACHE_HOME``. Nothing depends on it: what cannot be read counts as nothing, what
cannot be written is left. Runs that end in the same moment take turns, where files can be locked.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from runner.plan.agenda import NO_COSTS, Costs

FILE: Final = "measured.json"
VERSION: Final = 1
MOST_ENTRIES: Final = 2_000
"""Of each kind; what was not met for longest is forgotten."""
PATIENCE_SECONDS: Final = 2.0
"""Nobody waits longer for his turn: rather a number lost than a run that does not end."""
_LARGEST: Final = 4 * 1024**2
"""Bytes; a file that is larger is not ours."""


def read_costs(environment: Mapping[str, str]) -> Costs:
    """What is remembered, in seconds; never fails."""
    path = _path(environment)
    return NO_COSTS if path is None else _read(path)


def remember(
    environment: Mapping[str, str], loads: Mapping[tuple[str, str], float], steps: Mapping[str, float]
) -> None:
    """Add what a run measured, in seconds: ``loads`` by ``(endpoint, model)``, ``steps`` by ``workflow/step``.

    Half of the new number goes in and half of the old one stays, so that one odd run changes little. Never fails.
    """
    path = _path(environment)
    if path is None or not (loads or steps):
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _turn(path):
            before = _read(path)
            _replace(path, _text(Costs(loads=_mixed(before.loads, loads), steps=_mixed(before.steps, steps))))
    except OSError:
        return  # a read-only or full disk: the next plan reckons as this one did


def _mixed(before: Mapping[Any, float], new: Mapping[Any, float]) -> dict[Any, float]:
    """Both together, what is new at the end."""
    met = {key: (before.get(key, seconds) + seconds) / 2 for key, seconds in new.items() if _is_time(seconds)}
    mixed = {**{key: seconds for key, seconds in before.items() if key not in met}, **met}
    return dict(list(mixed.items())[-MOST_ENTRIES:])


def _read(path: Path) -> Costs:
    try:
        if path.stat().st_size > _LARGEST:
            return NO_COSTS
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return NO_COSTS
    if not isinstance(data, dict) or data.get("version") != VERSION:
        return NO_COSTS
    loads = {
        (one["endpoint"], one["model"]): float(one["seconds"])
        for one in _entries(data.get("loads"))
        if isinstance(one.get("endpoint"), str) and isinstance(one.get("model"), str)
    }
    steps = {
        one["step"]: float(one["seconds"]) for one in _entries(data.get("steps")) if isinstance(one.get("step"), str)
    }
    return Costs(loads=loads, steps=steps)


def _entries(value: object) -> list[dict[str, Any]]:
    """Those that hold a time."""
    entries = value if isinstance(value, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and _is_time(entry.get("seconds"))]


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9


def _text(costs: Costs) -> str:
    loads = [{"endpoint": at, "model": model, "seconds": round(s, 3)} for (at, model), s in costs.loads.items()]
    steps = [{"step": step, "seconds": round(seconds, 3)} for step, seconds in costs.steps.items()]
    return json.dumps({"version": VERSION, "loads": loads, "steps": steps}, ensure_ascii=False, indent=1) + "\n"


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Wait until no other run reads and writes; where files cannot be locked, do not."""
    file = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while not _lock(file) and time.monotonic() < until:
            time.sleep(0.01)
        yield
    finally:
        os.close(file)


def _lock(file: int) -> bool:
    try:
        import fcntl  # not on every system

        fcntl.flock(file, fcntl.LOCK_NB | fcntl.LOCK_EX)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return True
    return True


def _replace(path: Path, text: str) -> None:
    """Whoever reads sees all of the old or all of the new."""
    number, name = tempfile.mkstemp(prefix=f".{FILE}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _path(environment: Mapping[str, str]) -> Path | None:
    """https://specifications.freedesktop.org/basedir-spec: a relative XDG_CACHE_HOME is to be ignored."""
    base = Path(environment.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        home = environment.get("HOME") or environment.get("USERPROFILE")
        if not home:
            return None
        base = Path(home) / ".cache"
    return base / "bridge-run" / FILE
