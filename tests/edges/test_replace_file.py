"""A file is replaced whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.edges.replace_file import replace_file
from runner.words.errors import UsageError


def test_the_file_has_all_of_the_new_and_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")
    file.chmod(0o604)
    replace_file(str(file), b"new\r\n")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"new\r\n", 0o604)
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*: No such file or directory"):
        replace_file(str(tmp_path / "a"), b"")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_replaced_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError, match="Is a directory"):
        replace_file(str(tmp_path / "a"), b"")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
