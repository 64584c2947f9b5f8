"""The report of a look at this machine, as people and as machines read it."""

from __future__ import annotations

import pytest

from runner.show.doctor_view import Check, doctor_json, doctor_text, exit_code, problem
from runner.words.exits import Exit

WELL = Check(group="this machine", name="python", health="ok", text="3.11.7", facts={"version": "3.11.7"})
LATE = Check(group="model servers", name="default model", health="warning", text="none", help="name one")
DEAD = problem("tool servers", "git", "it ended with 3", exit=Exit.OUTSIDE, detail=("\x1b[2Jstarting", "no key"))
BROKEN = problem("workflows", "a.yaml", "BR217: unknown key", exit=Exit.FILE, help="`bridge-run check a.yaml`")
LACKING = problem("workflows", "b.yaml", "BR301: no such model", exit=Exit.CANNOT_SERVE)


def test_checks_stand_under_their_headings_with_what_to_do_below():
    assert doctor_text([WELL, LATE, BROKEN, LACKING, DEAD]) == (
        "this machine\n"
        "  ok       python  3.11.7\n"
        "\n"
        "model servers\n"
        "  warning  default model  none\n"
        "           help: name one\n"
        "\n"
        "workflows\n"
        "  problem  a.yaml  BR217: unknown key\n"
        "           help: `bridge-run check a.yaml`\n"
        "  problem  b.yaml  BR301: no such model\n"
        "\n"
        "tool servers\n"
        "  problem  git  it ended with 3\n"
        "           | ␛[2Jstarting\n"
        "           | no key\n"
        "\n"
        "3 problems, 1 warning\n"
    )


@pytest.mark.parametrize(
    ("checks", "closing"),
    [
        ([WELL], "all is well"),
        ([WELL, LATE], "1 warning"),
        ([DEAD], "1 problem"),
        ([LATE, DEAD], "1 problem, 1 warning"),
    ],
)
def test_the_last_line_counts(checks, closing):
    assert doctor_text(checks).splitlines()[-1] == closing


def test_a_long_name_has_a_line_of_its_own_and_long_texts_wrap():
    name = "http://models.example.org:1234/behind/a/proxy"
    text = "LM Studio 0.4 or later, 12 models, answers in 3 ms"
    lines = doctor_text([Check(group="model servers", name=name, health="ok", text=text)], width=50).splitlines()
    assert lines == [
        "model servers",
        f"  ok       {name}",
        "             LM Studio 0.4 or later, 12 models,",
        "             answers in 3 ms",
        "",
        "all is well",
    ]


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ([WELL, LATE], Exit.OK),
        ([LACKING], Exit.CANNOT_SERVE),
        ([LACKING, DEAD], Exit.OUTSIDE),
        ([LACKING, DEAD, BROKEN], Exit.FILE),
    ],
)
def test_the_worst_problem_gives_the_exit_code(checks, code):
    assert exit_code(checks) == code
    assert doctor_json(checks)["exit_code"] == code


def test_machines_get_every_field():
    assert doctor_json([LATE])["checks"] == [
        {
            "group": "model servers",
            "name": "default model",
            "health": "warning",
            "text": "none",
            "help": "name one",
            "detail": [],
            "facts": {},
        }
    ]


def test_colours_mark_the_health():
    assert "\x1b[32mok     \x1b[0m" in doctor_text([WELL], colour=True)
    assert "\x1b[1;31mproblem\x1b[0m" in doctor_text([DEAD], colour=True)
