"""``bridge-run schema``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner.cli.schema import SCHEMAS, command


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_printed_as_it_is_shipped(name: str) -> None:
    shipped = Path(__file__).parents[2] / "schemas" / f"{name}.schema.json"
    result = CliRunner().invoke(command, [name], standalone_mode=False)
    assert result.stdout == shipped.read_text("utf-8")
    assert json.loads(result.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_no_schema_is_forgotten() -> None:
    shipped = (Path(__file__).parents[2] / "schemas").glob("*.schema.json")
    assert sorted(SCHEMAS) == sorted(file.name.removesuffix(".schema.json") for file in shipped)


def test_without_a_name_it_is_that_of_workflows() -> None:
    assert CliRunner().invoke(command, [], standalone_mode=False).stdout.count("workflow") > 3
