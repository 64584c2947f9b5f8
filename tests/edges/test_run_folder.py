"""The folder of a run on a real disk, and what is said when the disk refuses."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.edges.run_folder import JournalFile, RunFolder, new_run_id
from runner.record.events import StepWarned
from runner.record.journal import Journal
from runner.record.wire import read_journal
from runner.words.errors import HistoryError


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder.open(run_id="r1", parent=str(tmp_path / "runs"))
    yield folder
    folder.close()


@pytest.mark.parametrize(
    ("workflow", "expected"),
    [
        ("refactor", "20261122-230501-refactor-3f2a"),
        ("../up & away", "20261122-230501-up-away-3f2a"),
        ("x" * 99, f"20261122-230501-{'x' * 40}-3f2a"),
        ("日本", "20261122-230501-unnamed-3f2a"),
    ],
)
def test_a_run_id_sorts_by_start_and_is_a_legal_name(workflow, expected):
    assert new_run_id(1_795_388_701.9, "3f2a", workflow) == expected


def test_a_new_run_has_a_folder_that_git_does_not_see(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = RunFolder.open(run_id="r1")
    folder.close()
    assert folder.path == ".bridge/runs/r1"
    assert Path(".bridge/.gitignore").read_text(encoding="utf-8") == "*\n"
    assert Path(".bridge/runs/r1/journal.jsonl").read_bytes() == b""


def test_a_gitignore_of_ones_own_stays(tmp_path):
    (tmp_path / ".bridge").mkdir()
    (tmp_path / ".bridge" / ".gitignore").write_text("runs/*/artifacts\n", encoding="utf-8")
    RunFolder.open(run_id="r1", parent=str(tmp_path / ".bridge" / "runs")).close()
    assert (tmp_path / ".bridge" / ".gitignore").read_text(encoding="utf-8") == "runs/*/artifacts\n"


def test_a_journal_in_a_folder_can_be_read_back(folder):
    journal = Journal(folder.journal, "r1", lambda: 0.0, lambda event: event)

    async def story():
        for text in ("one", "two\nlines", "\x1b[31m"):
            journal.append(StepWarned(step="a", message=text))
            await journal.sync()

    asyncio.run(story())
    journal.close()
    with Path(folder.path, "journal.jsonl").open("rb") as file:
        assert [entry.event.message for entry in read_journal(file)] == ["one", "two\nlines", "\x1b[31m"]


def test_artifacts_never_overwrite_and_never_leave_the_folder(folder):
    names = [
        folder.artifact("survey", "read.txt", "one"),
        folder.artifact("survey", "read.txt", "two"),
        folder.artifact("survey", "read.txt", b"\xff\x00"),
        folder.artifact("../../etc", "../pass wd/.x", "three"),
        folder.artifact("survey", "..", "four"),
        folder.artifact("survey", "a" * 300 + ".json", "\ud83d"),
    ]
    assert names == [
        "artifacts/survey/read.txt",
        "artifacts/survey/read-2.txt",
        "artifacts/survey/read-3.txt",
        "artifacts/etc/pass-wd-.x",
        "artifacts/survey/unnamed",
        f"artifacts/survey/{'a' * 95}.json",
    ]
    stored = [Path(folder.path, name).read_bytes() for name in names]
    assert stored == [b"one", b"two", b"\xff\x00", b"three", b"four", b"\\ud83d"]


def test_the_result_is_stored_whole(folder):
    path = folder.write_result({"status": "succeeded", "outputs": {"note": "é", "odd": float("nan")}})
    assert json.loads(Path(path).read_text(encoding="utf-8")) == {
        "status": "succeeded",
        "outputs": {"note": "é", "odd": "nan"},
    }
    assert sorted(path.name for path in Path(folder.path).iterdir()) == ["journal.jsonl", "result.json"]


def test_secrets_stay_out_of_artifacts_and_results(tmp_path):
    def hide(value):
        return json.loads(json.dumps(value).replace("hunter2", "***"))

    folder = RunFolder.open(run_id="r1", parent=str(tmp_path), mask=hide)
    names = [folder.artifact("a", "t", "my hunter2"), folder.artifact("a", "b", b"my hunter2")]
    path = folder.write_result({"outputs": {"x": "hunter2"}})
    folder.close()
    assert [Path(folder.path, name).read_text(encoding="utf-8") for name in names] == ["my ***", "my ***"]
    assert json.loads(Path(path).read_text(encoding="utf-8")) == {"outputs": {"x": "***"}}


def said(caught: pytest.ExceptionInfo[HistoryError], tmp_path: Path) -> str:
    return f"{caught.value} | {caught.value.hint}".replace(str(tmp_path), "TMP")


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / ".bridge").write_text("", encoding="utf-8")
    with pytest.raises(HistoryError) as caught:
        RunFolder.open(run_id="r1", parent=str(tmp_path / ".bridge" / "runs"))
    assert said(caught, tmp_path) == (
        "`TMP/.bridge` is a file, but the history of runs needs a folder there | move it away"
    )


def test_a_folder_that_is_there_already(tmp_path, folder):
    with pytest.raises(HistoryError) as caught:
        RunFolder.open(run_id="r1", parent=str(tmp_path / "runs"))
    assert said(caught, tmp_path) == (
        "the run folder `TMP/runs/r1` is there already | run again: a new run gets a new name"
    )


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root cannot write: /proc")
def test_a_folder_that_nobody_can_write():
    with pytest.raises(HistoryError) as caught:
        RunFolder.open(run_id="r1", parent="/proc/self/fd")
    assert re.match(r"cannot write `/proc/self/fd/r1`: ", str(caught.value))


@pytest.fixture
def nobody():
    """Root may write everywhere: be somebody else for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    yield
    if before == 0:
        os.seteuid(before)


def test_a_read_only_folder(tmp_path, nobody):
    shut = tmp_path / "shut"
    if os.access(tmp_path, os.W_OK, effective_ids=True):
        shut.mkdir(mode=0o555)
    with pytest.raises(HistoryError) as caught:
        RunFolder.open(run_id="r1", parent=str(shut / "runs"))
    assert said(caught, tmp_path) == (
        "cannot write `TMP/shut/runs/r1`: the folder is read-only for you"
        " | make it writable, or start bridge-run in a folder that is"
    )


def test_a_full_disk_is_named_and_leaves_a_readable_journal(folder):
    """A limit on file size makes the kernel refuse like a full disk: first a short write, then EFBIG."""
    journal = Journal(folder.journal, "r1", lambda: 0.0, lambda event: event)
    path = Path(folder.path, "journal.jsonl")
    journal.append(StepWarned(step="a", message="fits"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40, limits[1]))
    try:
        with pytest.raises(HistoryError) as caught:
            journal.append(StepWarned(step="a", message="does not fit"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert str(caught.value) == f"the disk is full: cannot write `{path}`"
    assert caught.value.hint == "free some space, then run again, or go on with `bridge-run resume last`"
    with path.open("rb") as file:
        assert [entry.event.message for entry in read_journal(file)] == ["fits"]


def test_a_closed_journal_file_says_so(folder):
    folder.close()
    folder.close()
    with pytest.raises(HistoryError, match=r"journal\.jsonl` is closed"):
        folder.journal.write(b"{}\n")
    folder.journal.sync()


LINE = b'{"seq":1,"at":"2026-11-22T23:05:01.250Z","run":"r1","type":"step_warned","step":"a","message":"one"}\n'
OF_ANOTHER_VERSION = b'{"seq":2,"at":"2026-11-22T23:05:01.250Z","run":"r1","type":"step_blessed","step":"a"}\n'


@pytest.mark.parametrize(
    ("torn", "kept"),
    [
        (b"", b""),
        (LINE, LINE),
        (LINE + LINE[:40], LINE),
        (LINE[:-1], b""),
        (LINE + LINE[:-1], LINE),
        (LINE + b"\0" * 40, LINE),
        (LINE + b"\0" * 40 + b"\n", LINE),
        (LINE + b'{"seq":2,\xff\n', LINE),
        (LINE + OF_ANOTHER_VERSION, LINE + OF_ANOTHER_VERSION),
    ],
    ids=[
        "empty",
        "whole",
        "half",
        "without its end",
        "second without its end",
        "zeros",
        "zeros and end",
        "no text",
        "odd",
    ],
)
def test_a_torn_end_is_cut_off_before_a_run_goes_on(tmp_path, torn, kept):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(torn)
    journal = JournalFile.reopen(path)
    assert b"".join(journal.lines()) == kept
    journal.write(b"next\n")
    journal.close()
    assert path.read_bytes() == kept + b"next\n"


def test_a_run_folder_goes_on_with_its_journal(tmp_path):
    RunFolder.open(run_id="r1", parent=str(tmp_path)).close()
    path = tmp_path / "r1"
    folder = RunFolder.reopen(path).masked(lambda text: text.replace("hunter2", "***"))
    folder.artifact("a", "t", "my hunter2")
    folder.journal.write(LINE)
    folder.close()
    assert (path / "artifacts" / "a" / "t").read_text() == "my ***"
    assert (path / "journal.jsonl").read_bytes() == LINE


def test_a_journal_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(HistoryError) as caught:
        JournalFile.reopen(tmp_path / "journal.jsonl")
    assert said(caught, tmp_path) == "cannot write `TMP/journal.jsonl`: No such file or directory | None"
    assert list(tmp_path.iterdir()) == []


def test_two_processes_never_write_one_journal(tmp_path):
    """The second is refused as long as the first lives, children of the first or not, and no longer."""
    program = (
        "import subprocess, sys\n"
        "from runner.edges.run_folder import RunFolder\n"
        "folder = RunFolder.open(run_id='r1', parent=sys.argv[1])\n"
        "print(subprocess.Popen(['sleep', '600']).pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        child = int(first.stdout.readline())
        try:
            with pytest.raises(HistoryError) as caught:
                JournalFile.reopen(tmp_path / "r1" / "journal.jsonl")
            assert said(caught, tmp_path) == (
                "another process is writing `TMP/r1/journal.jsonl`: the run is still going on"
                " | wait until it has ended, or end it with Ctrl-C where it runs"
            )
            first.kill()
            first.wait()
            JournalFile.reopen(tmp_path / "r1" / "journal.jsonl").close()
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_journal_that_is_closed_is_free(folder):
    path = Path(folder.path, "journal.jsonl")
    with pytest.raises(HistoryError, match="still going on"):
        JournalFile.reopen(path)
    folder.close()
    JournalFile.reopen(path).close()
