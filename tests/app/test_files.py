"""Which files a command line means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.app.files import one_file, script_file, workflow_files
from runner.words.errors import UsageError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plant(*files: str) -> None:
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text("")


def test_folders_are_searched_for_workflows_alone() -> None:
    plant(
        "w/b.yaml", "w/a.yml", "w/deep/c.yaml", "w/a.test.yaml", "w/a.sim.yaml", "w/a.sim.yml", "w/notes.md",
        "w/.hidden/d.yaml", "w/.e.yaml", "w/node_modules/f.yaml",
    )  # fmt: skip
    assert workflow_files(["w"]) == ("w/a.yml", "w/b.yaml", "w/deep/c.yaml")
    assert workflow_files(["./w/"]) == ("w/a.yml", "w/b.yaml", "w/deep/c.yaml")


def test_what_is_no_file_is_left_out_of_a_folder_and_a_link_that_leads_nowhere_is_not() -> None:
    plant("w/a.yaml")
    os.mkfifo("w/pipe.yaml")
    Path("w/gone.yaml").symlink_to("nowhere.yaml")
    Path("w/round.yaml").symlink_to("round.yaml")
    assert workflow_files(["w"]) == ("w/a.yaml", "w/gone.yaml", "w/round.yaml")


def test_files_are_taken_whatever_they_are_called_and_each_once() -> None:
    plant("w/b.yaml", "w/a.sim.yaml", "plain")
    assert workflow_files(["w/b.yaml", "plain", "w", "w/a.sim.yaml"]) == ("w/b.yaml", "plain", "w/a.sim.yaml")


def test_without_a_name_it_is_the_folder_workflows() -> None:
    with pytest.raises(UsageError) as caught:
        workflow_files([])
    assert (caught.value.message, caught.value.hint) == (
        "no file was named, and there is no folder `workflows` here",
        "name files or folders, or go where that folder is",
    )
    plant("workflows/a.yaml")
    assert workflow_files([]) == ("workflows/a.yaml",)


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("empty", "the folder `empty` holds no workflow file", "workflow files end in .yaml or .yml"),
        ("w/hello.yml", "there is no file `w/hello.yml`", "did you mean `w/hello.yaml`?"),
        ("hello", "there is no file `hello`", None),
        ("-", "there is no file `-`", "standard input has a name: `/dev/stdin`"),
        ("", "an empty text names no file", None),
        ("gone/x.yaml", "there is no file `gone/x.yaml`", None),
    ],
)
def test_what_is_not_there(path: str, message: str, hint: str | None) -> None:
    plant("w/hello.yaml", "empty/readme.md")
    with pytest.raises(UsageError) as caught:
        workflow_files([path])
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_one_file_is_no_folder() -> None:
    plant("w/hello.yaml")
    assert one_file("w/hello.yaml") == "w/hello.yaml"
    with pytest.raises(UsageError, match="`w` is a folder"):
        one_file("w")


def test_a_script_that_is_missing_has_a_near_name() -> None:
    plant("workflows/hello.sim.yaml", "workflows/hello.yaml")
    assert script_file("workflows/hello.sim.yaml") == "workflows/hello.sim.yaml"
    with pytest.raises(UsageError, match="`workflows` is a folder"):
        script_file("workflows")
    with pytest.raises(UsageError) as caught:
        script_file("workflows/helo.sim.yaml")
    assert caught.value.message == "there is no file `workflows/helo.sim.yaml`"
    assert caught.value.hint == "did you mean `workflows/hello.sim.yaml`?"
