"""Two runs at once on one server: they know nothing of each other, and load no model twice."""

from __future__ import annotations

import json

from kit.project import Project
from kit.simulator import simulator

MODEL = "qwen/qwen3-8b"
SCRIPT = {
    "models": {MODEL: {"size": "5GB", "load_time": "1500ms", "max_context_length": 32768, "turns": [{"say": "Hello."}]}}
}
FLOW = (
    f"version: 1\nname: ask\ndefaults: {{model: {MODEL}}}\nsteps:\n  - {{id: a, task: Hi.}}\n  - {{id: b, task: Ho.}}\n"
)


def test_two_programs_that_want_one_cold_model_load_it_once(project: Project) -> None:
    log = project.folder / "server.log"
    project.write("ask.yaml", FLOW)
    env = {"XDG_RUNTIME_DIR": str(project.folder)}
    with simulator(SCRIPT, log=log) as url:
        arguments = ("ask.yaml", "--endpoint", url, "--keep-loaded")
        programs = [project.start(*arguments, env=env) for _ in range(3)]
        assert [project.ended(program).code for program in programs] == [0, 0, 0]
    entries = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [entry["path"] for entry in entries].count("/api/v1/models/load") == 1
    journals = [(run / "journal.jsonl").read_text("utf-8").splitlines() for run in project.runs()]
    loaded = [one for lines in journals for line in lines if (one := json.loads(line))["type"] == "model_loaded"]
    assert sorted(bool(one.get("reused")) for one in loaded) == [False, True, True]
    assert {one["instance"] for one in loaded} == {MODEL}


def test_runs_that_unload_at_their_end_leave_nothing_and_fail_nobody(project: Project) -> None:
    log = project.folder / "server.log"
    project.write("ask.yaml", FLOW)
    env = {"XDG_RUNTIME_DIR": str(project.folder)}
    with simulator(SCRIPT, log=log) as url:
        programs = [project.start("ask.yaml", "--endpoint", url, env=env) for _ in range(2)]
        ended = [project.ended(program) for program in programs]
        assert [one.code for one in ended] == [0, 0], ended
        listed = json.loads(project.run("models", "ls", "--json", "--endpoint", url).out)
    assert [model["instances"] for model in listed["endpoints"][0]["models"]] == [[]]
    asked = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert {one["request"]["model"] for one in asked if one["path"].endswith("/completions")} == {MODEL}
    paths = [one["path"] for one in asked]
    assert paths.count("/api/v1/models/load") == paths.count("/api/v1/models/unload") <= 2
