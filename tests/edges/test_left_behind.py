"""What a killed run has left at work: written down, known again, ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kit.project import wait_until

from runner.edges.left_behind import PROCESSES, Ledger, end_left_behind
from runner.edges.process_group import Offspring, ProcessGroup

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says when a process was born")


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["/bin/sleep", "300"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_it_is_written_down_as_long_as_it_lives(tmp_path: Path, sleeper: subprocess.Popen[bytes]):
    offspring, group = Offspring(), ProcessGroup(sleeper.pid)
    offspring.add(group)
    offspring.write_down(Ledger(tmp_path))
    assert (tmp_path / PROCESSES).read_text().startswith(f"{sleeper.pid} ")
    offspring.discard(group)
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_is_ended_once(tmp_path: Path, sleeper: subprocess.Popen[bytes]):
    Ledger(tmp_path).begun(sleeper.pid)
    assert end_left_behind(tmp_path) == ("sleep",)
    wait_until(lambda: sleeper.poll() is not None, "it has ended")
    assert end_left_behind(tmp_path) == ()


@pytest.mark.parametrize("line", ["{pid} 0 another-birth\n", "{pid}", "{pid} ", "", "x y\n", "1 0\n", "\x00\xff\n"])
def test_another_process_with_its_id_and_a_torn_line_are_let_be(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], line: str
):
    (tmp_path / PROCESSES).write_text(line.format(pid=sleeper.pid), "latin-1")
    assert end_left_behind(tmp_path) == ()
    assert sleeper.poll() is None


def test_a_folder_that_takes_nothing_harms_nobody(tmp_path: Path, sleeper: subprocess.Popen[bytes]):
    ledger = Ledger(tmp_path / "gone")
    ledger.begun(sleeper.pid)
    ledger.ended(sleeper.pid)
    assert end_left_behind(tmp_path / "gone") == ()
