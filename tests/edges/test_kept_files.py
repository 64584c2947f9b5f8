"""Artifacts: what is kept and where, what is refused, and that nothing is kept by halves."""

from __future__ import annotations

import os
import threading

import pytest

from runner.edges import kept_files
from runner.edges.kept_files import Kept, keep_artifacts
from runner.words.errors import HistoryError, StepError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "work"
    for name in ("report.html", "dist/a.whl", "dist/b.tar", "dist/deep/c.whl", "[id].tsx", ".hidden", "top.whl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    return folder


@pytest.fixture
def into(tmp_path):
    return tmp_path / "run" / "kept" / "build"


def kept(into):
    """The names of all copies; folders end with a slash."""
    return sorted(f"{path.relative_to(into)}{'/' if path.is_dir() else ''}" for path in into.rglob("*"))


def refusal(patterns, folder, into, kind="request"):
    with pytest.raises(StepError) as caught:
        keep_artifacts(patterns, folder, into)
    assert caught.value.kind == kind
    assert not into.exists()
    assert not into.with_name(f"{into.name}.part").exists()
    return f"{caught.value} | {caught.value.hint}"


def test_files_are_kept_in_their_places(folder, into):
    assert keep_artifacts(("report.html", "./dist/a.whl"), folder, into) == Kept(
        paths=(f"{into}/report.html", f"{into}/dist/a.whl")
    )
    assert kept(into) == ["dist/", "dist/a.whl", "report.html"]
    assert (into / "dist/a.whl").read_text() == "dist/a.whl\n"


def test_paths_begin_as_the_place_was_given(folder, into, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert keep_artifacts(("report.html",), folder, into.relative_to(tmp_path)).paths == ("run/kept/build/report.html",)


def test_a_folder_is_kept_whole_and_named_once(folder, into):
    (folder / "dist" / "empty").mkdir()
    os.mkfifo(folder / "dist" / "pipe")
    assert keep_artifacts(("dist/", "dist/**", "dist/a.whl"), folder, into).paths == (f"{into}/dist",)
    assert kept(into) == ["dist/", "dist/a.whl", "dist/b.tar", "dist/deep/", "dist/deep/c.whl", "dist/empty/"]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*.whl", ["top.whl"]),
        ("dist/*.whl", ["dist/a.whl"]),
        ("**/*.whl", ["dist/a.whl", "dist/deep/c.whl", "top.whl"]),
        ("dist/*.{whl,tar}", ["dist/a.whl", "dist/b.tar"]),
        ("dist/?e*", ["dist/deep"]),
        ("[id].tsx", ["[id].tsx"]),
    ],
)
def test_globs(glob, found, folder, into):
    assert keep_artifacts((glob,), folder, into) == Kept(paths=tuple(f"{into}/{name}" for name in found))


def test_the_whole_folder_is_kept_without_what_is_not_work(folder, tmp_path):
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    for run in ("r0", "r1"):
        (folder / "runs" / run).mkdir(parents=True)
        (folder / "runs" / run / "journal.jsonl").write_text("")
    into = folder / "runs" / "r1" / "kept" / "x"
    assert keep_artifacts((".",), folder, into).paths == (str(into),)
    assert [name for name in kept(into) if name.startswith((".git", "runs/"))] == ["runs/"]
    assert (into / ".hidden").exists()


def test_what_is_not_there(folder, into):
    assert keep_artifacts(("nowhere.txt", "*.pdf", "report.html", "no/*"), folder, into) == Kept(
        paths=(f"{into}/report.html",), missing=("nowhere.txt",), empty=("*.pdf", "no/*")
    )


def test_nothing_is_nothing(folder, into):
    assert keep_artifacts((), folder, into) == Kept(paths=())
    assert not into.exists()


def test_the_copies_of_an_earlier_attempt_are_replaced(folder, into):
    keep_artifacts(("report.html",), folder, into)
    keep_artifacts(("top.whl",), folder, into)
    assert kept(into) == ["top.whl"]


def test_modes_and_times_are_kept(folder, into):
    (folder / "report.html").chmod(0o555)
    os.utime(folder / "report.html", ns=(10**18, 10**18))
    keep_artifacts(("report.html",), folder, into)
    facts = (into / "report.html").stat()
    assert (facts.st_mode & 0o777, facts.st_mtime_ns) == (0o755, 10**18)


@pytest.mark.parametrize("pattern", ["../secret", "/etc/passwd", "dist/../../x", "dist/../report.html", "", "a\0b"])
def test_what_leads_outside_is_refused(pattern, folder, into):
    assert refusal((pattern, "report.html"), folder, into) == (
        f"`{pattern}` (`artifacts`) leads outside of the folder of the run"
        " | write a path below it, such as `dist/report.html`, or a glob"
    )


@pytest.mark.parametrize("pattern", ["out", "out/x", "dist", "dist/*", "dist/out"])
def test_links_that_lead_outside_are_refused(pattern, folder, into, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("x")
    (folder / "out").symlink_to(tmp_path / "outside")
    (folder / "dist" / "out").symlink_to("../../outside/x")
    assert "is a link that leads outside of the folder of the run | None" in refusal((pattern,), folder, into)


def test_links_that_stay_inside_are_kept_as_what_they_lead_to(folder, into):
    (folder / "latest.whl").symlink_to("dist/a.whl")
    (folder / "dist" / "around").symlink_to("..")
    (folder / "dist" / "nowhere").symlink_to("gone")
    keep_artifacts(("latest.whl", "dist"), folder, into)
    assert (into / "latest.whl").read_text() == "dist/a.whl\n"
    assert not (into / "latest.whl").is_symlink()
    assert not (into / "dist" / "nowhere").exists()
    assert (into / "dist" / "around" / "report.html").exists()
    assert not (into / "dist" / "around" / "dist" / "around" / "report.html").exists()


@pytest.mark.parametrize("pattern", [".git/config", ".git", "config"])
def test_what_is_no_work_is_refused(pattern, folder, into):
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / "config").symlink_to(".git/config")
    assert refusal((pattern,), folder, into) == (
        f"`{pattern}` (`artifacts`): nothing inside `.git` or `.bridge` is kept | None"
    )


def test_a_pipe_is_refused(folder, into):
    os.mkfifo(folder / "pipe")
    assert refusal(("pipe",), folder, into) == "`pipe` (`artifacts`) is no file and no folder | None"


def test_too_many_bytes_are_refused(folder, into, monkeypatch):
    monkeypatch.setattr(kept_files, "MOST_BYTES", 25)
    keep_artifacts(("report.html", "top.whl"), folder, into)
    keep_artifacts((), folder, into)
    assert refusal(("report.html", "dist/a.whl", "top.whl"), folder, into, "limit") == (
        "`artifacts` are more than 1 GB | name fewer or smaller files"
    )


def test_too_many_files_are_refused(folder, into, monkeypatch):
    monkeypatch.setattr(kept_files, "MOST_FILES", 4)
    assert refusal((".",), folder, into, "limit") == "`artifacts` are more than 4 files | name fewer of them"


def test_what_cannot_be_read_is_told(folder, into):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (folder / "report.html").chmod(0)
    assert refusal(("report.html",), folder, into, "tool") == (
        "`report.html` (`artifacts`) cannot be read: Permission denied | None"
    )
    (folder / "dist").chmod(0)
    assert refusal(("*.pdf",), folder, into, "tool") == "`dist` (`artifacts`) cannot be read: Permission denied | None"
    (folder / "dist").chmod(0o700)


def test_a_place_that_cannot_be_written_is_told(folder, tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(HistoryError, match=r"^cannot keep files in `.*/run/kept`: Not a directory$"):
        keep_artifacts(("report.html",), folder, tmp_path / "run" / "kept")


def test_a_file_that_changes_meanwhile_is_copied_whole(folder, into):
    """A writer replaces the content again and again; each copy is one of these contents."""
    contents = [bytes([letter]) * 3_000_000 for letter in b"ab"]
    (folder / "busy").write_bytes(contents[0])
    go = threading.Event()

    def write():
        for number in range(6):
            (folder / "new").write_bytes(contents[number % 2])
            (folder / "new").replace(folder / "busy")
            go.set()

    writer = threading.Thread(target=write)
    writer.start()
    go.wait()
    for _ in range(3):
        keep_artifacts(("busy",), folder, into)
        assert (into / "busy").read_bytes() in contents
    writer.join()


def test_a_file_that_changes_once_while_it_is_copied_is_copied_again(folder, into, monkeypatch):
    real, changes = kept_files.pour, [b"second, longer\n", None]

    def pour(source, target, most):
        done = real(source, target, most)
        if (data := changes.pop(0) if changes else None) is not None:
            (folder / "report.html").write_bytes(data)
        return done

    monkeypatch.setattr(kept_files, "pour", pour)
    keep_artifacts(("report.html",), folder, into)
    assert (into / "report.html").read_bytes() == b"second, longer\n"


def test_a_file_that_never_rests_is_refused(folder, into, monkeypatch):
    real, size = kept_files.pour, [0]

    def pour(source, target, most):
        done = real(source, target, most)
        size[0] += 1
        (folder / "report.html").write_bytes(b"x" * size[0])
        return done

    monkeypatch.setattr(kept_files, "pour", pour)
    assert refusal(("report.html",), folder, into, "tool") == (
        "`report.html` (`artifacts`) is being written all the time"
        " | let the step end what it started, or leave the file out"
    )
