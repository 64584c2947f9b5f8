"""A bench in a fresh folder for every test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.virtual_time import LoopClock, run_virtually
from kit.world import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    """``bench(backend=…, boxes=…, clock=…)``."""

    def make(**parts: Any) -> Bench:
        return Bench(tmp_path / "place", **parts)

    return make


@pytest.fixture
def timeless(tmp_path: Path) -> Callable[..., Bench]:
    """As ``bench``, in virtual time."""

    def make(**parts: Any) -> Bench:
        return Bench(tmp_path / "place", clock=LoopClock(), start=run_virtually, **parts)

    return make
