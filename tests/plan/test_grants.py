"""Which tools a step may use, and what a model calls them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.chat.toolbox import Tool
from runner.plan.grants import granted, grants_for, missing_tools, offer_names
from runner.words.spans import Span
from runner.workflow.model import RunWork, Server, Step, ToolWork, Workflow

MakeStep = Callable[..., Step]
GIT = Server(name="git", path=("mcp_servers", "git"), tools=("git_diff*", "git_log"))
FILES = Server(name="files", path=("mcp_servers", "files"))
SERVERS = {"git": GIT, "files": FILES}
OFFERED = [Tool(name=name) for name in ("git_diff", "git_diff_staged", "git_log", "git_push")]


def usable(step: Step) -> dict[str, list[str]]:
    return {
        grant.server: [tool.name for tool in granted(OFFERED, grant, SERVERS[grant.server])]
        for grant in grants_for(step, SERVERS)
    }


@pytest.mark.parametrize(
    ("tools", "left"),
    [
        (None, ["git_diff", "git_diff_staged", "git_log"]),
        (("git",), ["git_diff", "git_diff_staged", "git_log"]),
        (("git.git_log",), ["git_log"]),
        (("git.*_staged", "git.git_push"), ["git_diff_staged"]),
        (("gi*.git_diff",), ["git_diff"]),
    ],
)
def test_both_lists_must_admit_a_tool(step: MakeStep, tools: tuple[str, ...] | None, left: list[str]) -> None:
    assert usable(step("a", servers=("git",), tools=tools)) == {"git": left}


def test_a_server_of_which_nothing_is_left_is_out(step: MakeStep) -> None:
    assert usable(step("a", servers=("git", "files"), tools=("git.git_push", "files.read"))) == {"files": []}


def test_a_tool_step_is_granted_its_tool() -> None:
    one = Step(id="t", path=("steps", 0), work=ToolWork(server="git", tool="git_log"))
    assert usable(one) == {"git": ["git_log"]}


def test_names_that_no_server_offers(step: MakeStep, workflow: Callable[..., Workflow]) -> None:
    file = workflow(
        step("a", servers=("git",), tools=("git.git_dif", "git.git_lo*", "git.git_x*")),
        Step(id="t", path=("steps", 1), work=ToolWork(server="git", tool="git_log")),
        step("u", servers=("files",), index=2),
        servers={
            "git": Server(name="git", path=("mcp_servers", "git"), tools=("git_*", "git_bisect_all")),
            "files": FILES,
        },
        spans={("steps", 0, "tools", 0): Span(5, 9, 5, 20)},
    )
    found = missing_tools(file, {"git": OFFERED})
    assert [(one.level, one.code, one.span, one.message, one.help) for one in found] == [
        ("error", "BR402", Span(5, 9, 5, 20), "server `git` offers no tool `git_dif`", "did you mean `git_diff`?"),
        (
            "warning",
            "BR402",
            Span(10, 5, 10, 9),
            "server `git` offers no tool that matches `git_x*` and its allow-list",
            None,
        ),
        ("warning", "BR402", None, "server `git` offers no tool `git_bisect_all`, which its allow-list names", None),
    ]
    assert found[0].notes[0].message == "`git` offers `git_diff`, `git_diff_staged`, `git_log`, `git_push`"


def test_offered_names_are_plain_where_they_can_be() -> None:
    assert offer_names([("git", "git_log"), ("files", "read")]) == {
        "files__read": ("files", "read"),
        "git__git_log": ("git", "git_log"),
    }


def test_offered_names_that_must_be_altered_say_so_with_digits() -> None:
    pairs = [("a", "b.c"), ("s", "x" * 80), ("a__b", "c"), ("a", "b__c")]
    names = offer_names(pairs)
    assert names == {  # the digits: printf 'a\0b.c\0' | sha256sum | cut -c1-8
        "a__b__c_dedd698d": ("a", "b__c"),
        "a__b__c_eeae3f8b": ("a__b", "c"),
        "a__b_c_7881597f": ("a", "b.c"),
        "s__" + "x" * 52 + "_fcd1ef52": ("s", "x" * 80),
    }


@given(st.lists(st.tuples(st.text(min_size=1, max_size=70), st.text(min_size=1, max_size=70)), max_size=8))
def test_offered_names_are_legal_unique_and_stable(pairs: list[tuple[str, str]]) -> None:
    names = offer_names(pairs)
    assert sorted(names.values()) == sorted(set(pairs))
    assert all(0 < len(name) <= 64 and all(c.isascii() and (c.isalnum() or c in "_-") for c in name) for name in names)
    assert list(names) == sorted(names)
    assert names == offer_names(reversed(pairs))


def test_an_altered_name_avoids_a_tool_that_bears_it_already() -> None:
    """A tool may be called just as another would be called in short: both are offered, under two names."""
    long = ("s", "x" * 80)
    (short,) = offer_names([long])
    names = offer_names([long, ("s", short.removeprefix("s__"))])
    assert names[short] == ("s", short.removeprefix("s__"))
    (other,) = [name for name, pair in names.items() if pair == long]
    assert other != short
    assert len(other) <= 64


def test_a_command_names_no_tools(workflow: Callable[..., Workflow]) -> None:
    step = Step(id="c", path=("steps", 0), work=RunWork(argv=("ls",)))
    assert missing_tools(workflow(step, servers=SERVERS), {"files": []}) == ()
