"""Values of a kind that can never be right where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, steps

HEAD = """\
inputs:
  path: {type: string, default: x}
  paths: {type: array, items: {type: string}, default: []}
  map: {type: object, properties: {n: {type: integer}}, default: {}}
  free: {default: 1}
"""
LISTED = "task: x\noutput: {type: object, properties: {n: {type: integer}, spots: {type: array}}}"


def found_of(folder: Path, body: str) -> list[str]:
    found = findings(folder, HEAD + body)
    return [line.split(" ", 2)[2] for line in found if not line.startswith(("BR230", "BR231"))]


@pytest.mark.parametrize(
    ("first", "items", "expected"),
    [
        (LISTED, "steps.a.output.spots", ""),
        (LISTED, "steps.a.output.unknown", ""),
        (LISTED, "inputs.free", ""),
        (LISTED, "inputs.free or inputs.path", ""),
        (LISTED, "inputs.map | items", ""),
        (
            LISTED,
            "steps.a.output",
            "`for_each` needs a list, and `steps.a.output` is a mapping"
            " | go through a list in it: `steps.a.output.spots`",
        ),
        (
            LISTED,
            "inputs.map",
            "`for_each` needs a list, and `inputs.map` is a mapping"
            " | a list of its keys with their values is `inputs.map | items`",
        ),
        (
            LISTED,
            "inputs.path",
            "`for_each` needs a list, and `inputs.path` is a text | declare the input as a list: `{type: array}`",
        ),
        (LISTED, "steps.a.output.n", "`for_each` needs a list, and `steps.a.output.n` is a whole number"),
        (LISTED, "inputs.path | upper", "`for_each` needs a list, and `inputs.path | upper` is a text"),
        (LISTED, "inputs.path ~ 'x'", "`for_each` needs a list, and this is a text"),
        (LISTED, "run.id", "`for_each` needs a list, and `run.id` is a text"),
        (
            "task: x",
            "steps.a.output",
            "`for_each` needs a list, and `steps.a.output` is a text"
            " | give step `a` an `output` schema with a list in it, so that it answers with one",
        ),
        (
            "task: x\noutput: {type: string}",
            "steps.a.output",
            "`for_each` needs a list, and `steps.a.output` is a text",
        ),
        ("task: x", "steps.a.status", "`for_each` needs a list, and `steps.a.status` is a text"),
        ("approve: x", "steps.a.output", "`for_each` needs a list, and `steps.a.output` is a text"),
    ],
)
def test_what_for_each_goes_through(tmp_path: Path, first: str, items: str, expected: str) -> None:
    found = found_of(tmp_path, steps(first, f"for_each: {items}\ntask: x"))
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("server", "step", "expected"),
    [
        ("builtin: files, root: '{{ inputs.path }}'", "task: x", ""),
        ("builtin: files, root: '{{ inputs.free }}'", "task: x", ""),
        (
            "builtin: files, root: '{{ inputs.paths }}'",
            "task: x",
            "one word is wanted here, and `inputs.paths` is a list | take one of its items",
        ),
        (
            "builtin: files, root: 'src/{{ inputs.map }}/x'",
            "task: x",
            "one word is wanted here, and `inputs.map` is a mapping | take one of its parts",
        ),
        ("command: c, cwd: '{{ inputs.paths | first }}', env: {A: '{{ inputs.paths }}'}", "task: x", ""),
        ("command: c, args: ['{{ inputs.paths | join(\" \") }}']", "task: x", ""),
        (
            "command: c, args: [x, '{{ inputs.paths | sort }}']",
            "task: x",
            "one word is wanted here, and `inputs.paths | sort` is a list"
            " | take one of its items, or write `| tojson` if JSON is meant",
        ),
        (
            "command: c",
            "task: x\nimages: ['{{ inputs.paths }}']",
            "one word is wanted here, and `inputs.paths` is a list"
            " | take one of its items, or give the step `for_each`",
        ),
        (
            "command: c",
            "task: x\nmodel: '{{ [inputs.path] }}'",
            "one word is wanted here, and this is a list | take one of its items",
        ),
        (
            "command: c",
            "run: [ls]\ncwd: '{{ inputs.map }}'",
            "one word is wanted here, and `inputs.map` is a mapping | take one of its parts",
        ),
        ("command: c", "run: [ls, '{{ inputs.paths }}']\nstdin: '{{ inputs.map }}'", ""),
        ("command: c", "run: [ls]\ncwd: '{{ none }}'", ""),
    ],
)
def test_where_one_word_is_wanted(tmp_path: Path, server: str, step: str, expected: str) -> None:
    found = found_of(tmp_path, f"mcp_servers: {{s: {{{server}}}}}\n" + steps(step))
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize("name", ["matrix.m", "inputs.model"])
def test_a_model_named_by_a_template_is_used(tmp_path: Path, name: str) -> None:
    """One that the template can name: all of them if that is not known."""
    inputs = "inputs: {model: {type: string, default: one}, pick: {enum: [one, two], default: one}}\n"
    models = "models: {one: x, two: y, three: z}\n"
    used = steps(f"matrix: {{m: [one, two]}}\ntask: '{{{{ inputs | length }}}}'\nmodel: '{{{{ {name} }}}}'")
    found = findings(tmp_path, inputs + models + used)
    unused = ["BR231 4:26 nothing uses the model `three` | take it out"]
    assert found == ([] if name == "inputs.model" else unused)
