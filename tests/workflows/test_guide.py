"""docs/guide.md: every file on it is the file, every output what its command says on the simulator."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from kit.page import ROOT, Page, headings
from kit.project import Project
from kit.simulator import simulator

GUIDE = ROOT / "workflows" / "guide"
EXAMPLES = (
    "pipeline",
    "fallback",
    "vision",
    "embeddings",
    "endpoints",
    "map-reduce",
    "judge",
    "extract",
    "approval",
    "matrix",
)
WITH_PROGRESS = ("fallback", "extract")
"""What happens on their way is what they are about; and nothing in them happens at once, so the order is certain."""
_PROGRESS = re.compile(r"^ +\d+(\.\d|m\d\d)s  ")


@pytest.fixture
def project(tmp_path: Path):
    shutil.copytree(ROOT / "workflows", tmp_path / "workflows", ignore=shutil.ignore_patterns("__pycache__"))
    project = Project(tmp_path)
    yield project
    project.close()


def seen(project: Project, *arguments: str, code: int = 0, progress: bool = False) -> str:
    """What a person sees who types this, stderr first."""
    ended = project.run(*arguments)
    assert ended.code == code, ended
    lines = [line for line in ended.err.splitlines() if progress or not _PROGRESS.match(line)]
    typed = " ".join(("bridge-run", *arguments))
    text = "\n".join((f"$ {project.stable(typed)}", *lines, *ended.out.splitlines()))
    return text.replace("127.0.0.1:PORT", "127.0.0.1:1234")


def simulated(name: str) -> tuple[str, ...]:
    return (f"workflows/guide/{name}.yaml", "--simulate", f"workflows/guide/{name}.sim.yaml")


@pytest.mark.parametrize("name", sorted(Page("guide.md").blocks("file")))
def test_a_file_on_the_page_is_the_file(name):
    Page("guide.md").shows("file", name, (ROOT / name).read_text("utf-8"))


def test_the_page_has_ten_examples_and_each_has_its_file_and_what_is_seen():
    page = Page("guide.md")
    assert [title.partition(". ")[0] for title in headings(page.text, 2)] == [str(number) for number in range(1, 11)]
    files = [name for name in page.blocks("file") if name.endswith(".yaml")]
    assert files == [f"workflows/guide/{name}.yaml" for name in (*EXAMPLES, "matrix-exam")]
    assert [name for name in page.blocks("seen") if name in EXAMPLES] == list(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_a_script_a_test_a_recording_and_says_how_to_edit_it(name):
    text = (GUIDE / f"{name}.yaml").read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=../../schemas/workflow.schema.json\n")
    assert (GUIDE / f"{name}.sim.yaml").exists()
    assert (GUIDE / f"{name}.test.yaml").exists()
    assert (GUIDE / f"{name}.recording.jsonl").exists()


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in ("embeddings", "approval")])
def test_an_example_says_on_the_simulator_what_the_page_shows(name, project):
    Page("guide.md").shows("seen", name, seen(project, *simulated(name), progress=name in WITH_PROGRESS))


def test_the_gate_waits_and_the_file_is_written_only_after_the_answer(project):
    notes = project.folder / "workflows/guide/desk/notes.txt"
    before = notes.read_text("utf-8")
    Page("guide.md").shows("seen", "approval", seen(project, *simulated("approval"), code=8))
    assert notes.read_text("utf-8") == before
    text = seen(project, "resume", "last", "--answer", "gate=yes")
    Page("guide.md").shows("seen", "approval-resumed", text)
    assert notes.read_text("utf-8") == "The meeting is on Thursday.\nBring the handbook.\n"


def test_the_embeddings_come_from_the_bridge(project):
    with simulator((GUIDE / "embeddings.sim.yaml").read_text("utf-8")) as url:
        project.environment["BRIDGE_RUN_ENDPOINT"] = url
        text = seen(project, "workflows/guide/embeddings.yaml", "-i", f"server={url}")
    Page("guide.md").shows("seen", "embeddings", text)


def test_two_endpoints_each_get_what_is_theirs(project):
    script = (GUIDE / "endpoints.sim.yaml").read_text("utf-8")
    logs = {name: project.folder / f"{name}.log" for name in ("laptop", "workstation")}
    with simulator(script, log=logs["laptop"]) as laptop, simulator(script, log=logs["workstation"]) as workstation:
        text = (GUIDE / "endpoints.toml").read_text("utf-8")
        text = text.replace("http://127.0.0.1:1234", laptop).replace("http://192.168.0.7:1234", workstation)
        project.write("here.toml", text)
        del project.environment["BRIDGE_RUN_ENDPOINT"]
        ended = project.run("workflows/guide/endpoints.yaml", "--config", "here.toml")
    assert ended.code == 0, ended
    asked = {
        name: {
            entry["request"]["model"]
            for line in log.read_text("utf-8").splitlines()
            if (entry := json.loads(line))["path"] == "/v1/chat/completions"
        }
        for name, log in logs.items()
    }
    assert asked == {"laptop": {"qwen/qwen3-4b"}, "workstation": {"openai/gpt-oss-120b"}}
