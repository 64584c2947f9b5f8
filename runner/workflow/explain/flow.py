"""Codes about how work flows: fan-outs, calls, questions, and values that can never be right."""

from __future__ import annotations

from collections.abc import Mapping

from runner.workflow.explain.explanation import Explanation, example

CALLED = example(
    "inputs: {path: {type: string}}\nsteps:\n  - id: look\n"
    '    task: "Look at {{ inputs.path }}"\noutputs: {report: "{{ steps.look.output }}"}'
)
"""The file ``other.yaml`` of these examples."""


def _steps(**steps: str) -> str:
    """Steps of these ids with these lines."""
    text = "steps:\n"
    for name, lines in steps.items():
        text += f"  - id: {name}\n" + "".join(f"    {line}\n" for line in lines.splitlines())
    return example(text)


_TARGETS = "task: Look.\noutput:\n  type: object\n  properties:\n    targets: {type: array, items: {type: string}}"
_VERDICT = "task: Look.\noutput:\n  type: object\n  properties: {verdict: {enum: [good, bad]}}"

FLOW: Mapping[str, Explanation] = {
    "BR236": Explanation(
        title="workflows call each other without end",
        text="A `workflow` step runs another file. If that leads back to a file that is being run already, or goes "
        "more than 8 files deep, it would never end. The message shows the way from file to file.",
        wrong=_steps(call="workflow: ./example.yaml"),
        right=_steps(call="workflow: ./other.yaml\nwith: {path: src}"),
    ),
    "BR237": Explanation(
        title="an item is called by a name that is taken",
        text="`as` gives the items of `for_each` a name of their own. With the name of something else that templates "
        "know, they could not read that any more.",
        wrong=_steps(fix='for_each: [a.py, b.py]\nas: steps\ntask: "Fix {{ steps }}"'),
        right=_steps(fix='for_each: [a.py, b.py]\nas: file\ntask: "Fix {{ file }}"'),
    ),
    "BR238": Explanation(
        title="a key that has nothing to work on",
        text="`as` belongs to `for_each`; `max_parallel`, `fail_fast` and `order` belong to a step that runs many "
        "times; what is about models, tools and failures means nothing where a person is asked. A key that would be "
        "passed over is told, because somebody meant something by it.",
        wrong=_steps(fix="max_parallel: 1\ntask: Fix it."),
        right=_steps(fix='for_each: [a.py, b.py]\nmax_parallel: 1\ntask: "Fix {{ item }}"'),
    ),
    "BR239": Explanation(
        title="the default is none of the choices",
        text="`default` answers when nobody does, so it must be an answer that somebody could give. Without `choices` "
        "these are `yes` and `no`.",
        wrong=_steps(gate="approve: Go on?\ndefault: never", fix="when: steps.gate.output == 'yes'\ntask: Fix it."),
        right=_steps(gate="approve: Go on?\ndefault: no", fix="when: steps.gate.output == 'yes'\ntask: Fix it."),
    ),
    "BR240": Explanation(
        title="the rows of a matrix do not fit together",
        text="Every row has every name: one that `include` adds without it would fail where a template reads it. A "
        "matrix without rows is an error, as is one with more than 10,000. What `exclude` names and no row has, or an "
        "empty list, is a warning: it changes nothing, so something else was meant.",
        wrong=_steps(fix="matrix:\n  os: [linux, windows]\n  exclude: [{os: lunix}]\n" + 'task: "Try {{ matrix.os }}"'),
        right=_steps(fix="matrix:\n  os: [linux, windows]\n  exclude: [{os: linux}]\n" + 'task: "Try {{ matrix.os }}"'),
    ),
    "BR241": Explanation(
        title="a called workflow is given what it does not take",
        text="`with` gives the called file its `inputs`: all that have no default, none that it does not declare, each "
        "of the declared type. What a template brings is judged by what is known of it. Here `other.yaml` declares "
        "the one input `path`.",
        wrong=_steps(call="workflow: ./other.yaml\nwith: {pth: src}"),
        right=_steps(call="workflow: ./other.yaml\nwith: {path: src}"),
    ),
    "BR242": Explanation(
        title="a value of a kind that cannot be right here",
        text="`for_each` goes through a list; a folder, an address, an image and a model's name are one word each. A "
        "step without an `output` schema answers with text, which is no list.",
        wrong=_steps(scan=_TARGETS, fix='for_each: steps.scan.output\ntask: "Fix {{ item }}"'),
        right=_steps(scan=_TARGETS, fix='for_each: steps.scan.output.targets\ntask: "Fix {{ item }}"'),
    ),
    "BR243": Explanation(
        title="a comparison that always comes out the same",
        text="The value is never what it is compared with: not one of its `enum`, not a choice of the question, not a "
        "status, or of another kind, as a number and a text. Or the two cannot be put in order at all.",
        wrong=_steps(scan=_VERDICT, fix="when: steps.scan.output.verdict == 'baad'\ntask: Fix it."),
        right=_steps(scan=_VERDICT, fix="when: steps.scan.output.verdict == 'bad'\ntask: Fix it."),
    ),
    "BR244": Explanation(
        title="a status that cannot be when the step runs",
        text="A warning: a step runs when all it needs has succeeded, unless its `join` says otherwise, and reading a "
        "step is needing it. So it never runs with a failed one before it, and never asks.",
        wrong=_steps(scan="task: Look.", tell="when: steps.scan.status == 'failed'\nrun: [./tell]"),
        right=_steps(scan="task: Look.", tell="join: all_finished\nwhen: steps.scan.status == 'failed'\nrun: [./tell]"),
    ),
    "BR245": Explanation(
        title="nobody reads the answer to a question",
        text="A warning: an `approve` step succeeds whatever is answered. It is `when` of the steps behind it that "
        "makes a `no` count.",
        wrong=_steps(gate="approve: Shall I fix it?", fix="needs: [gate]\ntask: Fix it."),
        right=_steps(gate="approve: Shall I fix it?", fix="when: steps.gate.output == 'yes'\ntask: Fix it."),
    ),
}
