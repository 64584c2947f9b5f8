"""Every script in the guide is one, and the guide tells of every key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from runner.rehearse.simulator.reading import parse_script
from runner.workflow.schema import schema_text

GUIDE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("text", SCRIPTS)
def test_scripts_of_the_guide(text: str) -> None:
    assert parse_script(text, "docs/simulator.md").models


def test_every_key_is_told() -> None:
    def keys(node: object) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(keys, node))
        if not isinstance(node, dict):
            return set()
        own = set(node.get("properties", {}))
        return own.union(*map(keys, node.values()))

    told = set(re.findall(r"\w+", GUIDE))
    assert sorted(keys(json.loads(schema_text("simulator"))) - told) == []
