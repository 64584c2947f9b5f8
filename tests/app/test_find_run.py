"""Which run a command line means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.app.find_run import find_run, resume_command
from runner.words.errors import UsageError

RUNS = ".bridge/runs"
OLD, FIRST, SECOND = "20261120-080000-refactor-ffff", "20261122-230501-deploy-b111", "20261122-230501-deploy-a222"


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate((OLD, FIRST, SECOND)):
        Path(RUNS, name).mkdir(parents=True)
        journal = Path(RUNS, name, "journal.jsonl")
        journal.write_bytes(b"")
        os.utime(journal, (number, number))
    os.utime(Path(RUNS, OLD, "journal.jsonl"), (99, 99))  # it was resumed today
    Path(RUNS, "20270101-000000-no-journal-0000").mkdir()
    Path(RUNS, "notes.txt").write_text("")


def said(run: str, run_dir: str = RUNS) -> str:
    with pytest.raises(UsageError) as caught:
        find_run(run, run_dir)
    return f"{caught.value.message} | {caught.value.hint}"


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (FIRST, FIRST),
        ("20261120", OLD),
        (f"{RUNS}/{FIRST}", FIRST),
        (f"{RUNS}/{FIRST}/", FIRST),
        (f"{RUNS}/{FIRST}/journal.jsonl", FIRST),
        ("last", SECOND),
        ("last~0", SECOND),
        ("last~1", FIRST),
        ("last~2", OLD),
    ],
    ids=["id", "beginning", "folder", "folder with a slash", "journal", "last", "last~0", "last~1", "last~2"],
)
def test_a_run_is_found(run: str, name: str) -> None:
    assert find_run(run, RUNS) == Path(RUNS, name)


def test_a_run_in_another_place_is_found() -> None:
    assert find_run("last", str(Path(RUNS).resolve())) == Path(RUNS, SECOND).resolve()


def test_a_run_that_is_not_there() -> None:
    assert said("2026112-230501-deploy-b111") == (
        f"there is no run `2026112-230501-deploy-b111` in `.bridge/runs` | did you mean `{FIRST}`?"
    )
    assert said("zzz") == f"there is no run `zzz` in `.bridge/runs` | the last one is `{SECOND}`"
    assert said("20270101") == f"there is no run `20270101` in `.bridge/runs` | the last one is `{SECOND}`"


def test_more_runs_back_than_there_are() -> None:
    assert said("last~3") == (
        f"there is no run `last~3` in `.bridge/runs` | there are only 3 runs; the first is `{OLD}`"
    )
    for name in (FIRST, SECOND):
        Path(RUNS, name, "journal.jsonl").unlink()
    assert said("last~1") == f"there is no run `last~1` in `.bridge/runs` | there is only one run; the first is `{OLD}`"
    assert said("last~x").startswith("there is no run `last~x`")


def test_the_beginning_of_several_ids() -> None:
    assert said("20261122") == (f"the ids of 2 runs begin with `20261122` | write more of it: `{FIRST}`, `{SECOND}`")
    for number in range(6):
        Path(RUNS, f"20261123-00000{number}-x-0000").mkdir()
        Path(RUNS, f"20261123-00000{number}-x-0000", "journal.jsonl").write_bytes(b"")
    assert said("20261123").startswith("the ids of 6 runs begin with `20261123` | write more of it: `20261123-000001")
    assert said("20261123").endswith("`20261123-000005-x-0000`, and 1 more")


def test_no_runs_at_all() -> None:
    where = "runs are kept in `none` of the folder where they began; `--run-dir` names another place"
    assert said("last~1", "none") == f"there is no run in `none` | {where}"
    assert said("last", "none") == f"there is no run in `none` | {where}"
    assert said("2026", "none") == f"there is no run `2026` in `none` | {where}"


def test_what_is_typed_to_go_on() -> None:
    assert resume_command(OLD, RUNS) == f"bridge-run resume {OLD}"
    assert resume_command(OLD, "my runs") == f"bridge-run resume {OLD} --run-dir 'my runs'"
