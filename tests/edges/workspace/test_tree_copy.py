"""Copying where the system does not help, and removing what resists."""

from __future__ import annotations

import os
import threading

import pytest

from runner.edges.workspace.git import Stopped
from runner.edges.workspace.tree_copy import TreeCopy, copy_file, pour, remove_tree


def test_what_the_system_cannot_copy_is_read_and_written(tmp_path):
    data = os.urandom(3_000_000)
    read, write = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(write, data[:50_000]), os.close(write)))
    writer.start()
    with (tmp_path / "copy").open("wb") as copy:
        assert pour(read, copy.fileno()) == 50_000
    writer.join()
    os.close(read)
    assert (tmp_path / "copy").read_bytes() == data[:50_000]


@pytest.mark.parametrize("most", [0, 7, 2_500_000, 3_000_000, 4_000_000])
def test_no_more_is_copied_than_asked_for(tmp_path, most):
    data = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb") as file, (tmp_path / "copy").open("wb") as copy:
        assert pour(file.fileno(), copy.fileno(), most) == min(most, len(data))
    assert (tmp_path / "copy").read_bytes() == data[:most]


def test_a_copy_is_a_file_of_its_own(tmp_path):
    (tmp_path / "file").write_text("one")
    copy_file(tmp_path / "file", tmp_path / "copy")
    with (tmp_path / "copy").open("r+") as copy:
        copy.write("two")
    assert (tmp_path / "file").read_text() == "one"


def test_a_copy_overwrites_nothing_and_follows_no_link(tmp_path):
    (tmp_path / "file").write_text("one")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(FileExistsError):
        copy_file(tmp_path / "file", tmp_path / "link")
    with pytest.raises(OSError, match="symbolic links"):
        copy_file(tmp_path / "link", tmp_path / "copy")


def test_it_stops_in_the_middle(tmp_path):
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a").write_text("a")
    stop = threading.Event()
    stop.set()
    copy = TreeCopy(tmp_path / "from", tmp_path / "to", ignored=None, run_folder=tmp_path / "run", stop=stop)
    with pytest.raises(Stopped):
        copy.run()


def test_folders_that_may_not_be_written_are_removed(tmp_path):
    (tmp_path / "tree" / "shut" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "shut" / "x").write_text("x")
    (tmp_path / "tree" / "shut" / "link").symlink_to("/")
    for name in ("tree/shut/deep", "tree/shut", "tree"):
        (tmp_path / name).chmod(0o555)
    remove_tree(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []
    remove_tree(tmp_path / "tree")
