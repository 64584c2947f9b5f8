"""The live picture: frames at chosen moments, drawn on a terminal of chosen size."""

from __future__ import annotations

import io
import re

import pytest

from runner.chat.messages import Delta
from runner.record.events import (
    ApprovalAnswered,
    ApprovalAsked,
    ModelAsked,
    ModelLoaded,
    ModelLoadStarted,
    RunResumed,
    RunStarted,
    StepFinished,
    StepRepeated,
    StepRetried,
    StepStarted,
    StepWarned,
    ToolCalled,
)
from runner.show.cell import width
from runner.show.live import LivePicture


class Stage:
    """A picture on a terminal in memory, with a clock that is moved by hand."""

    def __init__(self, columns: int = 100, lines: int = 20, **environment: str) -> None:
        self.now = 1_000.0
        self.stream = io.StringIO()
        size = {"TERM": "xterm", "COLUMNS": str(columns), "LINES": str(lines)}
        self.picture = LivePicture(self.stream, size | environment, clock=lambda: self.now)

    def play(self, entries, seconds: float = 0.5) -> None:
        for entry in entries:
            self.now += seconds
            self.picture.entry(entry)

    def say(self, step: str, pieces: list[str], seconds: float = 0.05) -> None:
        for piece in pieces:
            self.picture.delta(step, Delta("content", piece))
            self.now += seconds

    @property
    def frame(self) -> str:
        return self.picture._picture().plain

    @property
    def scrolled(self) -> str:
        """What was printed above the picture, without colours and cursor movements."""
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.stream.getvalue())
        return "\n".join(line.rstrip() for line in re.split(r"[\r\n]+", text) if re.match(r" [·✓!✗] ", line)) + "\n"


@pytest.fixture
def stage():
    stages = []

    def make(*args, **rest):
        stages.append(Stage(*args, **rest))
        return stages[-1]

    yield make
    for each in stages:
        each.picture.close()


def test_frames_of_a_run(stage, story, snapshot):
    scene = stage()
    frames = []
    for until in (5, 8, 11):
        scene.play(story[frames[-1][0] if frames else 0 : until])
        frames.append((until, scene.frame))
    scene.play(story[11:15])
    scene.say("survey", ["Two ", "functions ", "are \x1b[31mworth\x1b[0m\n", "[bold]it"] * 5)
    frames.append((15, scene.frame))
    scene.play(story[15:20])
    frames.append((20, scene.frame))
    assert "\n".join(f"--- after {number} entries\n{frame}" for number, frame in frames) == snapshot


def test_what_is_over_scrolls_away(stage, story, snapshot):
    scene = stage()
    scene.play(story)
    assert scene.scrolled == snapshot
    assert scene.stream.getvalue().endswith("\x1b[?25h") or "\x1b[?25h" in scene.stream.getvalue()


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (50, 8), (38, 5), (12, 2), (3, 1), (1, 1)])
def test_every_frame_fits_its_terminal(stage, story, columns, lines):
    scene = stage(columns, lines)
    for entry in story:
        scene.play([entry])
        scene.say("survey", ["日本語\t"] * 9)
        rows = scene.frame.split("\n")
        assert len(rows) <= max(lines - 1, 1)
        assert max(map(width, rows)) <= max(columns - 1, 1)


def test_more_steps_than_lines(stage, entries):
    steps = tuple(f"step_{number}" for number in range(30))
    scene = stage(60, 7)
    start = RunStarted(workflow="wide", file="wide.yaml", inputs={}, steps=steps)
    scene.play(entries([start, *(StepStarted(step=step, kind="run") for step in steps)]), seconds=0)
    assert re.sub(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "*", scene.frame) == (
        " * step_0    0.0s  run\n"
        " * step_1    0.0s  run\n"
        " * step_2    0.0s  run\n"
        "   and 27 more at work\n"
        " wide  0 of 30 steps done, 0.0s"
    )


def test_a_slow_beginning_says_what_it_waits_for(stage, entries):
    scene = stage()
    start, first = entries(
        [
            RunStarted(workflow="slow", file="slow.yaml", inputs={}, steps=("a", "b")),
            StepStarted(step="a", kind="run"),
        ]
    )
    scene.play([start])
    assert scene.frame == " slow  0 of 2 steps done, 0.0s"
    scene.now += 1.5
    assert scene.frame == " slow  0 of 2 steps done, waiting for tool servers, 1.5s"
    scene.play([first])
    assert scene.frame.split("\n")[-1] == " slow  0 of 2 steps done, 2.0s"


def test_tokens_per_second_need_half_a_second(stage, story):
    scene = stage()
    scene.play(story[:5])
    scene.say("survey", ["word "] * 4, seconds=0.1)
    assert "tok/s" not in scene.frame
    scene.say("survey", ["word "] * 16, seconds=0.1)
    assert "  10 tok/s  " in scene.frame


def test_no_colour_draws_without_colours(stage, story):
    scene = stage(NO_COLOR="1")
    scene.play(story)
    assert re.search(r"\x1b\[[0-9;]*3[0-7][0-9;]*m", scene.stream.getvalue()) is None
    assert scene.scrolled.startswith(" ! run     tool server files died")


def test_it_may_be_closed_before_it_began_and_twice(stage):
    scene = stage()
    scene.picture.close()
    scene.picture.close()
    assert "Traceback" not in scene.stream.getvalue()


def test_a_model_that_loads_has_a_row_of_its_own(stage, entries):
    scene = stage(90)
    at = {"endpoint": "http://one", "model": "qwen/qwen3-8b"}
    loading = ModelLoadStarted(settings={"context_length": 8_192}, size_bytes=4_700_000_000, **at)
    ready = ModelLoaded(instance="qwen/qwen3-8b", seconds=12, context_length=8_192, **at)
    second = ModelLoadStarted(endpoint="http://one", model="qwen/qwen3-14b", size_bytes=9_400_000_000)
    start = RunStarted(workflow="w", file="w.yaml", inputs={}, steps=("fix",))
    begun = StepStarted(step="fix", kind="task", model="qwen/qwen3-8b", endpoint="http://one")
    asked = ModelAsked(step="fix", attempt=1, round=1, model="qwen/qwen3-8b", messages=())
    frames = []
    for events in ([start, loading, begun], [ready, asked], [second]):
        scene.play(entries(events), seconds=4)
        frames.append(scene.frame)
    assert [[row[3:].rstrip() for row in frame.split("\n")[:-1]] for frame in frames] == [
        ["qwen/qwen3-8b   4.0s  is being loaded, 4.4 GB", "fix   0.0s  qwen/qwen3-8b  waiting for its model to load"],
        ["fix   8.0s  qwen/qwen3-8b  round 1  waiting for the model"],
        [
            "qwen/qwen3-14b   0.0s of about 24s  is being loaded, 8.8 GB",
            "fix    12s  qwen/qwen3-8b  round 1  waiting for the model",
        ],
    ]
    assert scene.scrolled == " · run  loaded qwen/qwen3-8b in 12s, context 8,192\n"


MODEL = "mistralai/magistral-small-2509"


def run_of(*steps: str) -> RunStarted:
    return RunStarted(workflow="release", file="r.yaml", inputs={}, steps=steps)


def begin(step: str, item: int | None = None, items: int | None = None, kind: str = "task") -> StepStarted:
    return StepStarted(step=step, kind=kind, model=MODEL if kind == "task" else None, item=item, items=items)


def done(step: str, item: int | None = None, status: str = "succeeded") -> StepFinished:
    return StepFinished(step=step, item=item, status=status, attempts=1, seconds=1.0)


def ask(step: str, item: int | None = None) -> ModelAsked:
    return ModelAsked(step=step, item=item, attempt=1, round=2, model=MODEL, messages=())


def rows(scene: Stage) -> list[str]:
    return [row[3:].rstrip() for row in scene.frame.split("\n")]


def test_a_fan_out_is_one_row_whatever_it_has(stage, entries):
    scene = stage(130)
    events = [run_of("fix"), begin("fix", items=5_000)]
    for item in range(120):
        events += [begin("fix", item), done("fix", item, "failed" if item % 40 == 0 else "succeeded")]
    events += [done("fix", 200, "skipped"), begin("fix", 120), begin("fix", 121), ask("fix", 120), ask("fix", 121)]
    scene.play(entries(events), seconds=0)
    facts = "121/5,000 items, 3 failed, 1 skipped, 2 at work"
    assert rows(scene)[0] == f"fix   0.0s  mistralai/magistral-small-2509  {facts}  [121] waiting for the model"
    scene.say("fix[120]", ["all is well "] * 20, seconds=0.1)
    scene.say("fix[121]", ["and good "] * 20, seconds=0.1)
    assert rows(scene)[0].endswith(f"{facts}  15 tok/s  [121] …nd good and good")
    scene.play(entries([done("fix", 121)]), seconds=0)
    assert "[120] " in scene.frame
    assert scene.scrolled.splitlines() == [f" ✗ fix[{item}]  failed in 1.0s" for item in (0, 40, 80)]


def test_a_fan_out_says_what_its_freshest_item_is_at(stage, entries):
    scene = stage(100)
    tool = ToolCalled(step="fix", item=1, attempt=1, call="c", server="files", tool="read", arguments={})
    scene.play(entries([run_of("fix"), begin("fix", items=3), begin("fix", 0), begin("fix", 1), tool]), seconds=0)
    assert rows(scene)[0] == "fix   0.0s  mistralai/magistral-sma…  0/3 items, 2 at work  [1] files.read"
    scene.play(entries([done("fix", 1), StepWarned(step="fix", item=0, message="slow"), done("fix", 0)]), seconds=0)
    assert rows(scene)[0] == "fix   0.0s  mistralai/magistral-sma…  2/3 items"
    assert scene.scrolled == (" ✓ fix[1]  succeeded in 1.0s\n ! fix[0]  warning: slow\n ✓ fix[0]  succeeded in 1.0s\n")


def test_a_called_workflow_is_one_row_that_says_which_of_its_steps_is_at_work(stage, entries):
    scene = stage(100)
    events = [run_of("call", "call/draft", "call/review", "call/note"), begin("call", kind="workflow")]
    events += [begin("call/draft"), done("call/draft"), begin("call/review", items=4), begin("call/review", 2)]
    scene.play(entries([*events, ask("call/review", 2)]), seconds=0)
    assert rows(scene)[0] == "call   0.0s  workflow  1/3 steps  review[2] waiting for the model"
    again = [StepRepeated(step="call", number=2, attempt=2), begin("call/draft"), done("call/draft", status="failed")]
    scene.play(entries(again), seconds=0)
    assert rows(scene)[0] == "call   0.0s  workflow  1/3 steps, 1 failed  repeat 2"


def test_a_narrow_terminal_cuts_the_model_before_the_items(stage, entries):
    scene = stage(70)
    scene.play(entries([run_of("fix"), begin("fix", items=3), begin("fix", 0)]), seconds=0)
    assert rows(scene)[0] == "fix   0.0s  mistralai/magist…  0/3 items, 1 at work  [0]"


def test_the_narrowest_row_has_a_name_and_a_time(stage, entries):
    scene = stage(20)
    scene.play(entries([run_of("fix"), begin("fix"), ask("fix")]), seconds=0)
    assert rows(scene)[0] == "fix   0.0s"


def test_attempts_are_told_of_a_step_that_is_tried_again(stage, entries):
    scene = stage(100)
    retried = StepRetried(step="fix", attempt=1, kind="crash", message="gone", wait=1.0)
    scene.play(entries([run_of("fix"), begin("fix"), retried]), seconds=0)
    assert rows(scene)[0] == f"fix   0.0s  {MODEL}  attempt 2"


def test_a_question_that_stands_is_there_to_see(stage, entries):
    scene = stage(80, 9)
    asked = [
        ApprovalAsked(step="gate", item=item, question="Ship\nit?", choices=("yes", "no"), default="no")
        for item in range(5)
    ]
    events = [run_of("gate", "work"), begin("gate", items=5, kind="approve"), begin("work", kind="run")]
    scene.play(entries([*events, asked[0]]), seconds=0)
    assert scene.frame.split("\n")[0] == " ? gate[0]  Ship it? (yes, no; default: no)"
    assert scene.frame.split("\n")[-1] == " release  0 of 2 steps done, waiting for 1 answer, 0.0s"
    scene.play(entries(asked[1:]), seconds=0)
    assert [row.rstrip() for row in scene.frame.split("\n")][2:5] == [
        " ? gate[2]  Ship it? (yes, no; default: no)",
        "   and 2 more questions",
        " ⠋ gate   0.0s  approve  0/5 items",
    ]
    scene.play(entries([ApprovalAnswered(step="gate", item=0, choice="yes", by="terminal")]), seconds=0)
    assert "waiting for 4 answers" in scene.frame
    assert scene.scrolled == " · gate[0]  answered at the terminal: `yes`\n"


def test_a_question_of_a_step_stands_in_its_row(stage, entries):
    scene = stage(80)
    asked = ApprovalAsked(step="gate", question="Ship it?", choices=("yes", "no"))
    scene.play(entries([run_of("gate"), begin("gate", kind="approve"), asked]), seconds=0)
    assert scene.frame.split("\n")[:-1] == [" ? gate  Ship it? (yes, no)"]


def test_the_picture_of_a_resumed_run_begins_with_what_is_known(stage, entries):
    scene = stage(80)
    for entry in entries([run_of("a", "b"), begin("a"), done("a"), begin("b")]):
        scene.picture.remember(entry)
    scene.play(entries([RunResumed()]))
    assert scene.frame == " release  1 of 2 steps done, 0.0s"
    assert scene.scrolled == "\n"


def test_a_picture_that_is_closed_while_it_stands_aside_stays_closed(stage, entries):
    scene = stage(80)
    scene.play(entries([run_of("a"), begin("a", kind="run")]))
    with scene.picture.step_aside():
        scene.play(entries([done("a")]))
        scene.picture.close()
    assert not scene.picture._live.is_started
    assert scene.scrolled == " ✓ a  succeeded in 1.0s\n"
