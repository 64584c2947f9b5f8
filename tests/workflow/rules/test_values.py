"""Schemas, defaults and files that a workflow names."""

from __future__ import annotations

from pathlib import Path

from kit.rule_text import findings, steps


def test_a_default_is_not_judged_by_a_schema_that_is_none(tmp_path: Path) -> None:
    body = "inputs: {n: {type: object, properties: {a: {type: objekt}}, default: 3}}\n" + steps(
        "task: '{{ inputs.n }}'"
    )
    assert [line.split(" | ")[0] for line in findings(tmp_path, body)] == [
        "BR226 3:51 `n.properties.a.type` is no legal JSON Schema: expected `array`, `boolean`, `integer`, `null`,"
        " `number`, `object` or `string`, got `objekt`"
    ]


def test_a_default_says_where_it_does_not_fit(tmp_path: Path) -> None:
    body = "inputs: {n: {type: array, items: {type: integer}, default: [1, x]}}\n" + steps("task: '{{ inputs.n }}'")
    assert findings(tmp_path, body) == [
        "BR233 3:64 the default of `n` does not fit at `[1]`: expected a whole number, got the text `x`"
    ]


def test_an_absent_client_file_and_an_absent_schema(tmp_path: Path) -> None:
    body = "mcp_servers: {m: {from: .mcp.json}}\n" + steps("mcp_servers: [m]\ntask: x\noutput: {schema: no.json}")
    assert findings(tmp_path, body) == [
        "BR232 3:25 there is no file `.mcp.json` | the path starts at the folder of the workflow file",
        "BR232 8:22 there is no file `no.json` | the path starts at the folder of the workflow file",
    ]


def test_into_what_a_broken_schema_file_describes_every_path_leads(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("{", encoding="utf-8")
    found = findings(tmp_path, steps("task: x\noutput: {schema: s.json}", 'task: "{{ steps.a.output.x.y }}"'))
    assert [line.split(" ")[0] for line in found] == ["BR226"]


def test_a_schema_may_be_true_or_false(tmp_path: Path) -> None:
    assert findings(tmp_path, steps("task: x\noutput: {type: object}", 'task: "{{ steps.a.output.x }}"')) == []


def test_a_picture_on_another_machine(tmp_path: Path) -> None:
    found = findings(
        tmp_path, steps('task: x\nimages: [a.png, "https://example.org/b.png", "DATA:image/png;base64,AA"]')
    )
    fetch = "fetch it in a `run` step of its own, and name the file"
    assert found == [
        f"BR235 6:21 the image `https://example.org/b.png` is an address, and only local files are sent | {fetch}",
        f"BR235 6:50 the image `DATA:image/png;base64,AA` is an address, and only local files are sent | {fetch}",
    ]


def test_a_picture_whose_name_is_not_known_yet_or_has_a_colon_is_not_judged(tmp_path: Path) -> None:
    body = "inputs: {p: {type: string}}\n" + steps('task: x\nimages: ["{{ inputs.p }}", "C:/a.png", "http.png"]')
    assert findings(tmp_path, body) == []
