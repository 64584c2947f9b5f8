"""docs/troubleshooting.md: what the page shows is what a person sees, made by the simulator's faults."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from kit.page import Page
from kit.project import Project
from kit.stage import CODER, THINKER, Stage, model
from kit.stdio_host import StdioHost

PAGE = "troubleshooting.md"
ASK = f"version: 1\nname: ask\ndefaults: {{model: {CODER}, retry: {{attempts: 2, wait: 1ms}}}}\nsteps:\n"
STEP = "  - id: answer\n    task: Say something.\n"
FILES = "mcp_servers:\n  files: {builtin: files, root: .}\n"
LOOK = "  - id: look\n    mcp_servers: [files]\n    task: Read notes.txt and say what it is about.\n"
TEXT = "inputs:\n  text: {type: string}\n"
LOADED: dict[str, object] = {"loaded": {"context_length": 16384}, "tool_use": True}
_PROGRESS = re.compile(r"^ +\d+(\.\d|m\d\d)s  ")

Scenario = Callable[[Project, Stage], str]
SCENARIOS: dict[str, Scenario] = {}


def scenario(made: Scenario) -> Scenario:
    """What the page shows under the name of the function."""
    SCENARIOS[made.__name__.replace("_", "-")] = made
    return made


def seen(project: Project, *typed: str, code: int, progress: str | None = None) -> str:
    """The command and what it says: its report, of its progress only what ``progress`` finds."""
    ended = project.run(*typed)
    assert ended.code == code, ended
    lines = [line for line in ended.err.splitlines() if _keeps(line, progress)]
    text = "\n".join((f"$ bridge-run {' '.join(typed)}", *lines, *ended.out.splitlines()))
    return text.replace("127.0.0.1:PORT", "127.0.0.1:1234")


def _keeps(line: str, progress: str | None) -> bool:
    return not _PROGRESS.match(line) or (progress is not None and re.search(progress, line) is not None)


@scenario
def model_not_found(project: Project, stage: Stage) -> str:
    stage.serve({CODER: model(**LOADED), THINKER: model()})
    project.write("ask.yaml", ASK.replace(CODER, "qwen3-coder") + STEP)
    return seen(project, "ask.yaml", code=4)


@scenario
def wrong_model(project: Project, stage: Stage) -> str:
    stage.serve({CODER: model(**LOADED, faults=[{"name": "wrong-model", "on": "every"}])})
    project.write("ask.yaml", ASK + STEP)
    return seen(project, "ask.yaml", code=1)


@scenario
def load_refused(project: Project, stage: Stage) -> str:
    stage.serve({CODER: model()}, memory="16GB")
    project.write("ask.yaml", ASK + STEP)
    return seen(project, "ask.yaml", code=1, progress="could not load")


@scenario
def call_as_text(project: Project, stage: Stage) -> str:
    project.write("notes.txt", "buy milk\n")
    turns = [
        {"when": {"turn": 1}, "call": [{"tool": "files__read", "arguments": {"path": "notes.txt"}}]},
        {"say": "It is a shopping list."},
    ]
    stage.serve(
        {CODER: model(loaded={"context_length": 16384}, tool_use=False, turns=turns, faults=["markup-qwen-xml"])}
    )
    project.write("look.yaml", ASK.replace("steps:", FILES + "steps:") + LOOK)
    return seen(project, "look.yaml", code=0, progress="look ")


@scenario
def context_too_small(project: Project, stage: Stage) -> str:
    stage.serve({CODER: model(max_context_length=4096)})
    project.write("ask.yaml", ASK + STEP.replace("Say something.", '"Sum up: {{ inputs.text }}"') + TEXT)
    project.write("long.txt", "All work and no play. " * 1200)
    return seen(project, "ask.yaml", "-i", "text=@long.txt", code=4)


@scenario
def context_full(project: Project, stage: Stage) -> str:
    stage.serve(_long_way())
    for number in range(6):
        project.write(f"data/f{number}.txt", f"line {number} of a long file\n" * 300)
    project.write("look.yaml", ASK.replace("steps:", FILES + "steps:") + LOOK.replace("Read notes.txt", "Read data"))
    return seen(project, "look.yaml", code=0, progress="shorten")


def _long_way() -> dict[str, object]:
    calls = [
        {"call": [{"tool": "files__read", "arguments": {"path": f"data/f{number}.txt"}}], "times": 1}
        for number in range(6)
    ]
    return {
        CODER: model(tool_use=True, loaded={"context_length": 8192}, turns=[*calls, {"say": "Lines, all of them."}])
    }


@scenario
def silent_truncation(project: Project, stage: Stage) -> str:
    faults = [{"name": "overflow-cut", "on": "every"}]
    stage.serve({CODER: model(loaded={"context_length": 8192}, faults=faults)})
    project.write("ask.yaml", ASK + STEP.replace("Say something.", '"Sum up: {{ inputs.text }}"') + TEXT)
    project.write("long.txt", "Every line says something of its own. " * 150)
    return seen(project, "ask.yaml", "-i", "text=@long.txt", code=1)


@scenario
def host_cut(project: Project, stage: Stage) -> str:
    stage.serve({CODER: model("Done at last.", **LOADED)})
    project.write("workflows/ask.yaml", ASK + STEP)
    with StdioHost(project) as host:
        answers = [host.call("workflow_ask", wait=0)]
        task = answers[0]["structuredContent"]["task_id"]
        answers.append(host.call("task_result", task_id=task))
    said = [answer["content"][0]["text"].replace(task, "task-3f9a51c07be2") for answer in answers]
    return f"workflow_ask(wait=0)\n  {said[0]}\ntask_result(task_id=task-3f9a51c07be2)\n  {said[1]}"


@scenario
def no_server(project: Project, stage: Stage) -> str:
    project.write("ask.yaml", ASK + STEP)
    return seen(project, "ask.yaml", code=5)


@scenario
def token_refused(project: Project, stage: Stage) -> str:
    stage.serve({CODER: model(**LOADED)}, token="sk-lm-right")
    project.environment["LM_API_TOKEN"] = "sk-lm-wrong"
    project.write("ask.yaml", ASK + STEP)
    return seen(project, "ask.yaml", code=5)


@scenario
def tool_server_ends(project: Project, stage: Stage) -> str:
    stage.serve({CODER: model(**LOADED)})
    servers = FILES.replace("{builtin: files, root: .}", '{command: python3, args: [-c, "import nothing_like_it"]}')
    project.write("look.yaml", ASK.replace("steps:", servers + "steps:") + LOOK)
    return seen(project, "look.yaml", code=5)


@scenario
def tool_server_missing(project: Project, stage: Stage) -> str:
    stage.serve({CODER: model(**LOADED)})
    servers = FILES.replace("{builtin: files, root: .}", "{command: mcp-server-nowhere}")
    project.write("look.yaml", ASK.replace("steps:", servers + "steps:") + LOOK)
    return seen(project, "look.yaml", code=4)


@scenario
def empty_answers(project: Project, stage: Stage) -> str:
    stage.serve({CODER: model(**LOADED, faults=[{"name": "empty-answer", "on": "every"}])})
    project.write("ask.yaml", ASK + STEP)
    return seen(project, "ask.yaml", code=1)


@scenario
def waits(project: Project, stage: Stage) -> str:
    project.write("release.yaml", "version: 1\nname: release\nsteps:\n  - id: gate\n    approve: Publish this?\n")
    return seen(project, "release.yaml", code=8)


@scenario
def slow_first_token(project: Project, stage: Stage) -> str:
    served = stage.serve({CODER: model(**LOADED, faults=[{"name": "silence", "on": "every"}])})
    stage.configure(f'[endpoints.here]\nurl = "{served.url}"\nfirst_byte_timeout = "200ms"\n')
    project.write("ask.yaml", ASK + STEP)
    return seen(project, "ask.yaml", code=1)


@scenario
def swapped(project: Project, stage: Stage) -> str:
    stage.serve({CODER: model(), THINKER: model()})
    steps = "".join(
        f"  - {{id: s{number}, model: {each}, needs: [{f's{number - 1}' if number else ''}], task: Go on.}}\n"
        for number, each in enumerate((CODER, THINKER) * 2)
    )
    project.write("ask.yaml", ASK + steps)
    return seen(project, "ask.yaml", "--dry-run", code=0)


@scenario
def no_recording(project: Project, stage: Stage) -> str:
    project.write("ask.yaml", ASK + STEP)
    return seen(project, "ask.yaml", "--replay", code=2)


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_page_shows_what_is_seen(name: str, project: Project, stage: Stage) -> None:
    Page(PAGE).shows("seen", name, SCENARIOS[name](project, stage))


def test_every_message_on_the_page_is_made_here() -> None:
    assert sorted(Page(PAGE).blocks("seen")) == sorted(SCENARIOS)
