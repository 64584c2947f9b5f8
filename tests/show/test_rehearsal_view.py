"""The report of a rehearsal, whole."""

from __future__ import annotations

from runner.show.rehearsal_view import Fault, RehearsalReport, SeenStep, rehearsal_json, rehearsal_text

GOOD = RehearsalReport(file="f.yaml", walks=1, steps=(SeenStep(path="a", kind="task", ran=True),))
BAD = RehearsalReport(
    file="f.yaml",
    walks=12,
    steps=(
        SeenStep(path="gate", kind="approve", ran=True, ways=(("answer yes", True), ("answer no", False))),
        SeenStep(path="call/draft", kind="task", ran=False, why="no walk came to it"),
    ),
    faults=(
        Fault(path="gate", kind="request", message="no `x`\nsecond line", part="when `a` answers 1"),
        Fault(path="outputs", kind="request", message="none"),
        Fault(path="gate", kind="limit", message="never"),
    ),
    missing=("gate",),
    unused=(("call/draft", 7),),
    stub_file="f.stubs.yaml",
)


def test_a_good_rehearsal_is_its_steps_and_a_line() -> None:
    assert GOOD.good
    assert rehearsal_text(GOOD) == "  ✓ a  task\n\nrehearsed f.yaml in 1 walk: 1 of 1 steps ran\n"


def test_everything_that_is_wrong_is_said_with_what_to_do() -> None:
    assert not BAD.good
    assert rehearsal_text(BAD) == (
        "  ✓ gate        approve  ✓ answer yes  · answer no\n"
        "  · call/draft  task\n"
        "\n"
        "error: `call/draft` was never reached: no walk came to it\n"
        "\n"
        "error: `gate` failed (request): no `x`\n"
        "  second line\n"
        "  = note: when `a` answers 1\n"
        "error: `outputs` failed (request): none\n"
        "error: `gate` failed (limit): never\n"
        "  = help: no answer that was made up is good enough; write a stub for it\n"
        "\n"
        "error: nothing that fits the `output` of `gate` could be made up\n"
        "  = help: write a stub for it: `bridge-run f.yaml --rehearse --stubs-init`, then `--stubs FILE`\n"
        "error: f.stubs.yaml:7: the stub of `call/draft` was never used\n"
        "  = help: delete it, or see above why its step was not reached\n"
        "\n"
        "rehearsed f.yaml in 12 walks: 1 of 2 steps ran, 1 of 2 ways taken\n"
    )


def test_machines_get_the_same() -> None:
    assert rehearsal_json(BAD, 1) == {
        "file": "f.yaml",
        "walks": 12,
        "steps": [
            {
                "step": "gate",
                "kind": "approve",
                "ran": True,
                "ways": [{"way": "answer yes", "taken": True}, {"way": "answer no", "taken": False}],
                "why": None,
            },
            {"step": "call/draft", "kind": "task", "ran": False, "ways": [], "why": "no walk came to it"},
        ],
        "faults": [
            {"step": "gate", "kind": "request", "message": "no `x`\nsecond line", "with": "when `a` answers 1"},
            {"step": "outputs", "kind": "request", "message": "none", "with": None},
            {"step": "gate", "kind": "limit", "message": "never", "with": None},
        ],
        "missing_stubs": ["gate"],
        "unused_stubs": [{"step": "call/draft", "line": 7}],
        "exit_code": 1,
    }
