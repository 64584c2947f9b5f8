"""Legal workflows of every shape, made up: fan-outs, calls, joins, rounds, conditions, failures over a few models."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

MODELS = ("a", "b", "c")
JOINS = ("all_succeeded", "all_succeeded", "none_failed", "any_succeeded", "all_finished")


@dataclass(frozen=True)
class Made:
    """``text`` is the file, ``callee`` the one that it may call; ``needs`` by step, with the join and the most items
    that may be at work.
    """

    text: str
    callee: str
    needs: dict[str, tuple[str, ...]]
    joins: dict[str, str]
    caps: dict[str, int]
    parallel: int


@st.composite
def flows(draw: st.DrawFn, most: int = 7) -> Made:
    """A workflow of up to ``most`` steps. A task that says ``fail`` fails; every model is one of ``MODELS``."""
    parallel = draw(st.integers(1, 4))
    count = draw(st.integers(1, most))
    lines, needs, joins, caps = [], {}, {}, {}
    for number in range(count):
        name = f"s{number}"
        above = tuple(draw(st.sets(st.sampled_from([f"s{n}" for n in range(number)]), max_size=3))) if number else ()
        needs[name] = tuple(sorted(above))
        joins[name] = draw(st.sampled_from(JOINS))
        lines.append(f"  - id: {name}\n    needs: [{', '.join(needs[name])}]\n    join: {joins[name]}\n")
        lines += _work(draw, name, caps)
        if draw(st.integers(0, 9)) == 0:
            lines.append(f"    when: {draw(st.sampled_from(['true', 'false']))}\n")
        lines.append(f"    on_error: {draw(st.sampled_from(['fail', 'fail', 'continue', '{output: instead}']))}\n")
    head = f"version: 1\nname: made\nlimits: {{parallel: {parallel}}}\nsteps:\n"
    return Made(head + "".join(lines), _callee(draw), needs, joins, caps, parallel)


def _work(draw: st.DrawFn, name: str, caps: dict[str, int]) -> list[str]:
    kind = draw(st.sampled_from(["task", "task", "task", "each", "matrix", "repeat", "call", "calls"]))
    words = draw(st.sampled_from(["go", "go", "go", "fail"]))
    model = draw(st.sampled_from(MODELS))
    retry = "    retry: {attempts: 1}\n"
    task = f"    model: {model}\n    task: {words} {name}\n{retry}"
    if kind == "each":
        items = list(range(draw(st.integers(0, 4))))
        cap = draw(st.sampled_from([0, 1, 2]))
        caps[name] = cap
        more = f"    max_parallel: {cap}\n" if cap else draw(st.sampled_from(["", "    order: items\n"]))
        return [f"    for_each: {items}\n{more}    model: {model}\n    task: '{words} {{{{ item }}}}'\n{retry}"]
    if kind == "matrix":
        return [
            f"    matrix: {{m: [a, b], n: [1, 2]}}\n    model: '{{{{ matrix.m }}}}'\n    task: {words} {name}\n{retry}"
        ]
    if kind == "repeat":
        return [f"    repeat: {{until: loop.index >= 2, max: 3}}\n{task}"]
    if kind == "call":
        return ["    workflow: callee.yaml\n"]
    if kind == "calls":
        return [
            "    for_each: [1, 2, 3]\n    workflow: callee.yaml\n",
            *draw(st.sampled_from([[], ["    max_parallel: 1\n"]])),
        ]
    return [task]


def _callee(draw: st.DrawFn) -> str:
    first, second = draw(st.sampled_from(MODELS)), draw(st.sampled_from(MODELS))
    words = draw(st.sampled_from(["go", "go", "go", "fail"]))
    return (
        "version: 1\nname: callee\nsteps:\n"
        f"  - {{id: draft, model: {first}, task: {words} draft, retry: {{attempts: 1}}}}\n"
        f"  - {{id: review, needs: [draft], model: {second}, task: go review}}\n"
        f"  - {{id: tidy, needs: [review], join: all_finished, model: {first}, task: go tidy}}\n"
    )
