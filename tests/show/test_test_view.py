"""How test cases are told: lines, failures, sums, JUnit."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

from runner.show.test_view import CaseReport, Failure, case_line, failures_text, junit_xml, tally_text

FAILED = CaseReport(
    file="a.test.yaml",
    name='one & "two"',
    verdict="failed",
    failures=(Failure(place="a.test.yaml:3", head="status", lines=("expected: 1", "got:      <2>\x00")),),
    seconds=0.25,
)
PASSED = CaseReport(file="a.test.yaml", name="good", verdict="passed")
UPDATED = CaseReport(file="b.test.yaml", name="new", verdict="updated", notes=("wrote x.txt\n",))
BROKEN = CaseReport(
    file="b.test.yaml", name="broken", verdict="error", failures=(Failure(place="b.test.yaml", head="no"),)
)


def test_a_line_a_case() -> None:
    assert case_line(PASSED, 30) == "a.test.yaml::good               passed"
    assert case_line(FAILED, 5) == 'a.test.yaml::one & "two"  FAILED'
    assert case_line(BROKEN, 5, colour=True).endswith("ERROR\x1b[0m")
    assert case_line(replace(PASSED, name="two\nlines"), 5) == "a.test.yaml::two lines  passed"


def test_failures_with_their_place_and_what_was_written() -> None:
    assert failures_text([PASSED]) == ""
    assert failures_text([FAILED, UPDATED]) == (
        'one & "two": status\n  --> a.test.yaml:3\n  expected: 1\n  got:      <2>␀\n\nwrote x.txt\n'
    )


def test_the_sum_names_only_what_there_was() -> None:
    assert (
        tally_text([PASSED, FAILED, BROKEN, BROKEN, UPDATED], 0.44) == "1 passed, 1 updated, 1 failed, 2 errors in 0.4s"
    )
    assert tally_text([BROKEN], 0) == "1 error in 0.0s"
    assert tally_text([], 0) == "no cases in 0.0s"


def test_junit_is_legal_whatever_was_said() -> None:
    root = ET.fromstring(junit_xml([FAILED, PASSED, BROKEN]).encode())
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in root] == [
        ("a.test.yaml", "2", "1", "0"),
        ("b.test.yaml", "1", "0", "1"),
    ]
    (failure,) = root[0][0]
    assert (failure.tag, failure.get("message"), failure.text) == (
        "failure",
        "status",
        "a.test.yaml:3\nexpected: 1\ngot:      <2>�",
    )
    assert root[0][0].get("name") == 'one & "two"'
    assert root[1][0][0].tag == "error"


def test_what_failed_in_one_case_is_one_element_that_every_reader_shows() -> None:
    failures = (*FAILED.failures, Failure(place="a.test.yaml:5", head="calls"))
    root = ET.fromstring(junit_xml([replace(FAILED, failures=failures)]))
    (failure,) = root[0][0]
    assert (failure.get("type"), failure.get("message")) == ("failed", "status (and 1 more)")
    assert failure.text == "status\na.test.yaml:3\nexpected: 1\ngot:      <2>�\n\ncalls\na.test.yaml:5"
