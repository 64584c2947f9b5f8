"""Codes about the text and the shape of a file: what can be said before its meaning is looked at."""

from __future__ import annotations

from collections.abc import Mapping

from runner.workflow.explain.explanation import Explanation, example

_STEP = "steps:\n  - id: greet\n    task: Say hello.\n"
_RIGHT = example(_STEP)

TEXT: Mapping[str, Explanation] = {
    "BR200": Explanation(
        title="the file cannot be read as a workflow",
        text="There is no such file, it may not be read, it is empty, binary, not UTF-8, larger than 5 MB, or its "
        "top is not a mapping of keys. Nothing else is looked at until this is right.",
        wrong="- id: greet\n  task: Say hello.\n",
        right=_RIGHT,
    ),
    "BR201": Explanation(
        title="the file is no YAML",
        text="The YAML grammar is broken here. Most often: a tab, a missing space after a colon, a line that is not as "
        "far to the right as its neighbours, or a text that begins with `{`, `[`, `*`, `&` or `@` and has no quotes.",
        wrong=example("steps:\n  - id: greet\n    task: {{ inputs.text }}"),
        right=example('inputs: {text: {type: string}}\nsteps:\n  - id: greet\n    task: "{{ inputs.text }}"'),
    ),
    "BR202": Explanation(
        title="a key is written twice",
        text="One mapping has the same key twice. YAML readers silently take one of them; bridge-run asks which is "
        "meant.",
        wrong=example("steps:\n  - id: greet\n    task: Say hello.\n    task: Say goodbye."),
        right=_RIGHT,
    ),
    "BR215": Explanation(
        title="a duration or size cannot be read",
        text="A duration is a whole number and a unit: `500ms`, `30s`, `10m`, `2h`. A size is a whole number and `B`, "
        "`KB` or `MB`.",
        wrong=example("steps:\n  - id: greet\n    task: Say hello.\n    timeout: 10 minutes"),
        right=example("steps:\n  - id: greet\n    task: Say hello.\n    timeout: 10m"),
    ),
    "BR217": Explanation(
        title="a key is unknown",
        text="The format has no such key in this place. Nothing is ignored, because a misspelt key that is ignored is "
        "a setting that silently does nothing.",
        wrong=example("steps:\n  - id: greet\n    taks: Say hello."),
        right=_RIGHT,
    ),
    "BR218": Explanation(
        title="a key is missing",
        text="A file needs `version`, `name` and `steps`; a step needs `id` and one of the keys that say what it does.",
        wrong="version: 1\n" + _STEP,
        right=_RIGHT,
    ),
    "BR219": Explanation(
        title="a value is of the wrong type",
        text="A text stands where a list is expected, a list where a number is, and so on. A number or a word such as "
        "`true` becomes a text by quotes.",
        wrong=example("steps:\n  - id: greet\n    task: [Say, hello]"),
        right=_RIGHT,
    ),
    "BR220": Explanation(
        title="a value is not one of those allowed",
        text="The type is right, the value is not: a number out of its range, a word that is not among the choices, an "
        "`id` with letters that an id may not have.",
        wrong=example("steps:\n  - id: Greet Them\n    task: Say hello."),
        right=_RIGHT,
    ),
    "BR222": Explanation(
        title="the version of the format is unknown",
        text="`version` says which format the file is written in. This bridge-run understands version 1.",
        wrong="version: 7\nname: example\n" + _STEP,
        right=_RIGHT,
    ),
    "BR223": Explanation(
        title="the file is nested too deeply, or its aliases unfold to too much",
        text="At most 100 levels, and a bounded number of values when all aliases are written out. A file beyond "
        "that is a mistake or an attack.",
        wrong=example("steps:\n  - id: greet\n    task: Say hello.\n    arguments: " + "[" * 120 + "]" * 120),
        right=_RIGHT,
    ),
    "BR224": Explanation(
        title="not exactly one kind",
        text="A step is exactly one of `task`, `tool`, `run`, `workflow`, `approve`. An MCP server is exactly one of "
        "`command`, `url`, `builtin`, `from`.",
        wrong=example("steps:\n  - id: greet\n    task: Say hello.\n    run: [echo, hello]"),
        right=_RIGHT,
    ),
    "BR227": Explanation(
        title="an unquoted yes, no, on or off",
        text="In YAML 1.2 these words are texts, in YAML 1.1 they were booleans. Write `true` or `false` for a "
        "boolean, and quotes around the word if the word is meant.",
        wrong=example("steps:\n  - id: greet\n    run: [make]\n    env: {VERBOSE: yes}"),
        right=example('steps:\n  - id: greet\n    run: [make]\n    env: {VERBOSE: "yes"}'),
    ),
}
