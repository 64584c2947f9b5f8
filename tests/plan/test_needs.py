"""What a step asks of its model, read off the file."""

from __future__ import annotations

import pytest

from runner.chat.messages import ToolSpec
from runner.chat.tool_schema import offered_schema
from runner.chat.toolbox import Tool
from runner.chat.trim import estimate
from runner.edges.files.box import EVERYTHING, READING
from runner.plan.grants import grants_for
from runner.plan.needs import IMAGE_TOKENS, known_text, needs_of
from runner.plan.plan import Needs
from runner.plan.tool_room import EVERY_TOOL_TOKENS, FILES_TOKENS, NAMED_TOOL_TOKENS, NOTHING_LISTED, ToolRoom
from runner.workflow.model import Server, Step, StepLimits, TaskWork

SERVERS = (
    Server(name="files", path=(), builtin="files"),
    Server(name="edits", path=(), builtin="files", write=True),
    Server(name="git", path=(), command="git-server", tools=("git_diff", "git_log")),
    Server(name="web", path=(), url="https://example.org"),
)
ANSWER = 1_024


@pytest.fixture
def needs(workflow):
    """``needs(TaskWork(…), max_tokens=…)``: of one step, with the rest as its sampling; ``step`` are its own keys."""

    def make(work: TaskWork, inputs=None, step=None, listed=(), **sampling) -> Needs:
        one = Step(id="a", path=("steps", 0), work=work, **(step or {}))
        file = workflow(one, servers={server.name: server for server in SERVERS})
        grants = grants_for(one, file.servers)
        room = ToolRoom((file, name, tools) for name, tools in listed) if listed else NOTHING_LISTED
        return needs_of(one, work, file, grants=grants, sampling=sampling, inputs=inputs or {}, room=room)

    return make


def test_a_plain_prompt_needs_its_text_and_room_for_the_answer(needs):
    assert needs(TaskWork(task="x" * 3_500)) == Needs(context=1_000 + 6 + ANSWER, reserve=ANSWER)
    both = needs(TaskWork(task="x" * 3_500, system="y" * 350))
    assert both.context == 1_000 + 100 + 2 * 6 + ANSWER


def test_every_kind_of_need(needs):
    schema = {"type": "object", "properties": {"why": {"type": "string"}}}
    work = TaskWork(task="Look.", servers=("files",), images=("a.png", "b.png"))
    need = needs(work, step={"output_schema": schema}, reasoning="off", max_tokens=50)
    assert (need.tools, need.vision, need.schema, need.reasoning, need.reserve) == (True, True, True, "off", 50)
    assert need.opening > 2 * IMAGE_TOKENS + 50


@pytest.mark.parametrize(("most", "reserve"), [(4_096, 4_096), (-1, ANSWER), (None, ANSWER)])
def test_the_reserve_is_what_the_file_bounds_the_answer_with(needs, most, reserve):
    assert needs(TaskWork(task="x"), max_tokens=most).reserve == reserve


@pytest.mark.parametrize(
    ("servers", "tools", "tokens"),
    [
        (("files",), None, sum(FILES_TOKENS[name] for name in ("list", "read", "search"))),
        (("edits",), None, sum(FILES_TOKENS.values())),
        (("edits",), ("edits.read", "edits.e*"), FILES_TOKENS["read"] + FILES_TOKENS["edit"]),
        (("git",), None, 2 * NAMED_TOOL_TOKENS),
        (("git",), ("git.git_log",), NAMED_TOOL_TOKENS),
        (("git",), ("git.git_*",), 2 * NAMED_TOOL_TOKENS),
        (("web",), None, EVERY_TOOL_TOKENS),
        (("web",), ("web.fetch", "web.find_*"), NAMED_TOOL_TOKENS + EVERY_TOOL_TOKENS),
        (("web",), ("web.fetch", "web.find_*", "web.s*"), NAMED_TOOL_TOKENS + EVERY_TOOL_TOKENS),
        (("web", "git"), None, EVERY_TOOL_TOKENS + 2 * NAMED_TOOL_TOKENS),
    ],
)
def test_the_schemas_of_tools_take_room(needs, servers, tools, tokens):
    bare = needs(TaskWork(task="x"))
    need = needs(TaskWork(task="x", servers=servers, tools=tools))
    assert need.opening - bare.opening == tokens


def offered(server: str, *tools: Tool) -> int:
    """The tokens of these tools as a request has them."""
    return estimate([], [ToolSpec(f"{server}__{t.name}", t.description, offered_schema(t.input_schema)) for t in tools])


def some_tool(name: str, length: int = 700) -> Tool:
    schema = {"type": "object", "properties": {"path": {"type": "string", "title": "Path", "pattern": "^x*$"}}}
    return Tool(name=name, description="x" * length, input_schema=schema)


TOOLS = tuple(map(some_tool, ("fetch", "find_all", "find_one", "post")))


@pytest.mark.parametrize(
    ("tools", "left"),
    [
        (None, TOOLS),
        (("web.fetch",), TOOLS[:1]),
        (("web.find_*",), TOOLS[1:3]),
        (("web.fetch", "web.find_*"), TOOLS[:3]),
        (("web.nothing*",), ()),
    ],
)
def test_what_a_server_has_listed_is_counted_as_it_is_offered(needs, tools, left):
    bare = needs(TaskWork(task="x"))
    need = needs(TaskWork(task="x", servers=("web",), tools=tools), listed=[("web", TOOLS)])
    assert need.opening - bare.opening == offered("web", *left)


def test_the_allow_list_of_a_server_cuts_down_what_it_listed(needs):
    listed = [("git", [*map(some_tool, ("git_diff", "git_push"))])]
    need = needs(TaskWork(task="x", servers=("git",)), listed=listed)
    assert need.opening - needs(TaskWork(task="x")).opening == offered("git", some_tool("git_diff"))


def test_a_server_that_is_not_listed_yet_is_guessed_beside_one_that_is(needs):
    need = needs(TaskWork(task="x", servers=("web", "git")), listed=[("web", TOOLS)])
    assert need.opening - needs(TaskWork(task="x")).opening == offered("web", *TOOLS) + 2 * NAMED_TOOL_TOKENS


def test_of_a_server_that_is_started_in_two_ways_the_larger_counts(needs):
    listed = [("web", TOOLS[:1]), ("web", TOOLS), ("web", TOOLS[:2])]
    need = needs(TaskWork(task="x", servers=("web",)), listed=listed)
    assert need.opening - needs(TaskWork(task="x")).opening == offered("web", *TOOLS)


def test_only_what_was_guessed_before_makes_a_new_plan(workflow):
    file = workflow(Step(id="a", path=(), work=TaskWork(task="x")), servers={one.name: one for one in SERVERS})
    assert not NOTHING_LISTED.corrects(file)
    assert not ToolRoom([(file, "files", READING)]).corrects(file)
    assert ToolRoom([(file, "files", READING), (file, "web", TOOLS)]).corrects(file)


@pytest.mark.parametrize(("longest", "room"), [(1_400, 400), (3_500, 1_000), (7_000, 1_000)])
def test_a_step_with_tools_wants_room_for_one_result_of_theirs_yet_not_for_the_longest(needs, longest, room):
    need = needs(TaskWork(task="x", servers=("git",)), step={"limits": StepLimits(tool_result=longest)})
    assert need.result == room
    assert need.context - need.opening == room


def test_the_tokens_of_the_built_in_files_are_those_of_their_schemas():
    specs = {t.name: ToolSpec(f"files__{t.name}", t.description, offered_schema(t.input_schema)) for t in EVERYTHING}
    assert {name: estimate([], [spec]) for name, spec in specs.items()} == FILES_TOKENS
    assert [tool.name for tool in READING] == ["list", "read", "search"]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("plain", "plain"),
        ("in {{ inputs.path }}!", "in src!"),
        ("n = {{ inputs.n }}", "n = 3"),
        ("{{ inputs.later }}, {{ steps.a.output }}", ", "),
        ("{% if inputs.path %}x{% endif %} {{ inputs.path | upper }}{# why #}", "x "),
        ("{{ inputs.path ~ 'x' }} y", " y"),
        ("{{ broken", "{{ broken"),
    ],
)
def test_what_is_known_of_a_text_now(text, known):
    assert known_text(text, {"path": "src", "n": 3}) == known


def test_inputs_count_as_soon_as_they_are_known(needs):
    work = TaskWork(task="{{ inputs.text }}")
    assert needs(work, inputs={"text": "x" * 700}).context - needs(work).context == 200
