"""What is known of a value before anything runs: its JSON Schema, as far as the file says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.workflow.rules.view import View


def output_schemas(view: View) -> Mapping[str, Any]:
    """The JSON Schema of each output that a caller of this file may read; ``{}`` where nothing is known."""
    outputs = view.document.data.get("outputs")
    names = outputs if isinstance(outputs, dict) else view.by_id
    return {name: {} for name in names}
