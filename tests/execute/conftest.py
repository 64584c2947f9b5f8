"""A bench in a fresh folder for every test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.world import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    """``bench(backend=…, boxes=…, clock=…)``."""

    def make(**parts: Any) -> Bench:
        return Bench(tmp_path / "place", **parts)

    return make
