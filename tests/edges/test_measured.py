"""What loads and steps took, remembered from run to run: real files, real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.edges.measured import MOST_ENTRIES, read_costs, remember
from runner.plan.agenda import NO_COSTS, Costs

LOADS = {("http://one", "qwen/qwen3-8b"): 3.1}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path / "home")}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cache/bridge-run/measured.json"
    path.parent.mkdir(parents=True)
    return path


def test_nothing_is_known_at_first(environment: dict[str, str]) -> None:
    assert read_costs(environment) == NO_COSTS


def test_what_is_remembered_is_read_again(environment: dict[str, str]) -> None:
    remember(environment, LOADS, {"w/draft": 12.3456})
    assert read_costs(environment) == Costs(loads=LOADS, steps={"w/draft": 12.346})


def test_half_of_the_old_number_stays(environment: dict[str, str]) -> None:
    remember(environment, LOADS, {"w/draft": 10.0})
    remember(environment, {}, {"w/draft": 20.0, "w/review": 1.0})
    assert read_costs(environment) == Costs(loads=LOADS, steps={"w/draft": 15.0, "w/review": 1.0})


def test_it_lies_in_the_cache_of_the_home_folder_where_nothing_else_is_said(tmp_path: Path) -> None:
    for environment in ({"HOME": str(tmp_path)}, {"HOME": str(tmp_path), "XDG_CACHE_HOME": "not/absolute"}):
        remember(environment, LOADS, {})
        assert read_costs(environment).loads == LOADS
    assert [path.name for path in (tmp_path / ".cache/bridge-run").glob("*.json")] == ["measured.json"]
    assert not (tmp_path / "not").exists()


def test_without_any_folder_nothing_is_kept() -> None:
    remember({}, LOADS, {})
    assert read_costs({}) == NO_COSTS


def test_a_run_that_measured_nothing_leaves_no_file(environment: dict[str, str]) -> None:
    remember(environment, {}, {})
    assert not Path(environment["XDG_CACHE_HOME"]).exists()


@pytest.mark.parametrize(
    "text",
    [
        "", "no JSON", "[]", "[" * 100_000, '{"version": 2, "steps": [{"step": "w/a", "seconds": 1}]}',
        '{"version": 1, "loads": {"a": 1}, "steps": null}', " " * 5_000_000,
        '{"version": 1, "steps": [1, {"step": 2, "seconds": 1}, {"step": "w/a", "seconds": "1"}, {"step": "w/a"}]}',
        '{"version": 1, "steps": [{"step": "w/a", "seconds": true}, {"step": "w/a", "seconds": NaN}]}',
        '{"version": 1, "steps": [{"step": "w/a", "seconds": -1}, {"step": "w/a", "seconds": 1e400}]}',
        '{"version": 1, "loads": [{"endpoint": 1, "model": "a", "seconds": 1}, {"endpoint": "a", "seconds": 1}]}',
    ],
)  # fmt: skip
def test_a_foreign_file_counts_as_nothing_and_is_written_anew(
    text: str, environment: dict[str, str], file: Path
) -> None:
    file.write_text(text)
    assert read_costs(environment) == NO_COSTS
    remember(environment, LOADS, {})
    assert read_costs(environment) == Costs(loads=LOADS)


def test_bytes_that_are_no_text_count_as_nothing(environment: dict[str, str], file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    assert read_costs(environment) == NO_COSTS


def test_a_time_that_is_none_is_not_kept(environment: dict[str, str]) -> None:
    remember(environment, {}, {"w/a": float("nan"), "w/b": -1.0, "w/c": 1.0})
    assert read_costs(environment).steps == {"w/c": 1.0}


def test_a_name_that_no_file_can_hold_hurts_nobody(environment: dict[str, str]) -> None:
    remember(environment, {}, {"w/\ud800": 1.0, "w/é": 2.0})
    assert read_costs(environment).steps["w/é"] == 2.0


def test_a_cache_that_cannot_be_written_is_left(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    remember(environment, LOADS, {})
    assert read_costs(environment) == NO_COSTS


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(environment: dict[str, str], file: Path) -> None:
    file.mkdir()
    remember(environment, LOADS, {})
    assert read_costs(environment) == NO_COSTS
    assert sorted(path.name for path in file.parent.iterdir()) == ["measured.json", "measured.lock"]


def test_what_was_not_met_for_longest_is_forgotten(environment: dict[str, str]) -> None:
    remember(environment, {}, {"w/old": 1.0, "w/met": 1.0})
    remember(environment, {}, {"w/met": 1.0, **{f"w/{n}": 1.0 for n in range(MOST_ENTRIES - 1)}})
    steps = read_costs(environment).steps
    assert len(steps) == MOST_ENTRIES
    assert "w/met" in steps
    assert "w/old" not in steps


def test_runs_at_the_same_time_lose_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom runner.edges.measured import remember\nsys.stdin.read()\n"
        "for n in range(20): remember(os.environ, {('http://one', f'{sys.argv[1]}{n}'): 1.0}, {})"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", script, name], stdin=subprocess.PIPE, env={**os.environ, **environment})
        for name in "ab"
    ]
    for run in runs:
        assert run.stdin is not None
        run.stdin.close()
    assert [run.wait() for run in runs] == [0, 0]
    assert {model for _, model in read_costs(environment).loads} == {f"{name}{n}" for name in "ab" for n in range(20)}


def test_a_lock_that_nobody_gives_back_is_not_waited_for(
    environment: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr("runner.edges.measured.PATIENCE_SECONDS", 0.05)
    with file.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        remember(environment, LOADS, {})
    assert read_costs(environment).loads == LOADS
