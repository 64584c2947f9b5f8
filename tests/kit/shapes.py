"""What a run wrote, held against the schemas that machines read it by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from kit.project import Project

SCHEMAS = Path(__file__).parents[2] / "schemas"


def misfits(name: str, data: Any) -> list[str]:
    """What the schema of that name finds wrong, each with its place."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(data)]


def assert_shapes(project: Project) -> None:
    """The newest run's result and every line of its journal are what their schemas promise."""
    assert misfits("result", project.result()) == []
    assert [wrong for entry in project.journal() for wrong in misfits("journal", entry)] == []
