"""What a server is started with, and where its command is found."""

from __future__ import annotations

import subprocess

from kit.servers import left_of

from runner.edges.process_group import Offspring, ProcessGroup, child_environment, find_command


def test_the_environment_of_a_child_is_small_and_stated():
    ours = {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "AWS_SECRET": "x", "LANG": "C.UTF-8", "PYTHONPATH": "y"}
    assert child_environment(ours, {"HOME": "/other", "KEY": "k"}) == {
        "PATH": "/bin",
        "HOME": "/other",
        "LC_ALL": "C",
        "LANG": "C.UTF-8",
        "KEY": "k",
    }


def test_a_bare_name_is_looked_up_in_path_and_one_with_a_slash_in_the_folder(tmp_path):
    program = tmp_path / "bin" / "srv"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    assert find_command("bin/srv", folder=str(tmp_path), path="") is None  # not executable yet
    program.chmod(0o755)
    assert find_command("bin/srv", folder=str(tmp_path), path="") == str(program)
    assert find_command("srv", folder=str(tmp_path), path=str(program.parent)) == str(program)
    assert find_command("srv", folder=str(program.parent), path="/nowhere") is None


def test_a_command_in_the_very_folder_where_it_is_started(tmp_path, monkeypatch):
    program = tmp_path / "srv"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert find_command("./srv", folder=".", path="/nowhere") == str(program)


def test_a_group_ends_with_its_children():
    process = subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"], start_new_session=True)
    offspring = Offspring()
    offspring.add(ProcessGroup(process.pid))
    assert ProcessGroup(process.pid).exists()
    offspring.kill_all_now()
    offspring.kill_all_now()
    process.wait()
    assert left_of(process.pid) == []
    ProcessGroup(process.pid).terminate()  # nobody is left, and that is fine
