"""Whether files changed: what counts, what does not, and what is said."""

from __future__ import annotations

import os
import subprocess

import pytest

from runner.edges import fingerprint
from runner.edges.fingerprint import changed, refuse_changes, take_fingerprint
from runner.words.errors import StepError

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def git(folder, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@a.invalid", "-c", "commit.gpgsign=false", *arguments]
    subprocess.run(command, cwd=folder, env=CLEAN, capture_output=True, check=True)


@pytest.fixture(params=["git", "plain"])
def folder(request, tmp_path):
    """A folder with files, in git and not."""
    for name in ("a.txt", "b.txt", "deep/er/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    if request.param == "git":
        git(tmp_path, "init", "-q")
        (tmp_path / ".gitignore").write_text("*.log\n")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-qm", "x")
    return tmp_path


def difference(folder, do, *, settle=False, **settings):
    """The paths that ``do`` changed; with ``settle`` as if a while had passed since the files were written."""
    before = take_fingerprint(folder, **settings)
    if settle:
        before = type(before)(marks=before.marks, taken=before.taken + 10**10)
    do(folder)
    afresh = changed(before, take_fingerprint(folder, **settings))
    assert changed(before, take_fingerprint(folder, known=before, **settings)) == afresh
    return afresh


def keeping_times(path, text):
    facts = path.stat()
    path.write_text(text)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_added_removed_and_modified_files_are_found(folder):
    def do(folder):
        (folder / "a.txt").write_text("other\n")
        (folder / "b.txt").unlink()
        (folder / "new.txt").write_text("new\n")

    assert difference(folder, do) == ("a.txt", "b.txt", "new.txt")


def test_nothing_is_found_where_nothing_happened(folder):
    assert difference(folder, lambda folder: None, settle=True) == ()


def test_times_do_not_count(folder):
    assert difference(folder, lambda folder: os.utime(folder / "a.txt", (1, 1)), settle=True) == ()


def test_a_file_written_again_with_the_same_content_does_not_count(folder):
    def do(folder):
        (folder / "deep/er/c.txt").unlink()
        (folder / "deep/er/c.txt").write_text("deep/er/c.txt\n")

    assert difference(folder, do, settle=True) == ()


def test_a_program_that_puts_the_time_back_is_noticed(folder):
    assert difference(folder, lambda folder: keeping_times(folder / "a.txt", "A.TXT\n"), settle=True) == ("a.txt",)


def test_a_change_in_the_same_moment_is_noticed(folder):
    """What was written just before the fingerprint is read again: a disk may give both the same times."""
    before = take_fingerprint(folder)
    facts = before.marks["a.txt"].facts
    (folder / "a.txt").write_text("A.TXT\n")
    same = (folder / "a.txt").lstat()
    facts = (same.st_mode, same.st_size, same.st_ino, same.st_dev, same.st_mtime_ns, same.st_ctime_ns)
    marks = {**before.marks, "a.txt": type(before.marks["a.txt"])(facts=facts, digest=before.marks["a.txt"].digest)}
    known = type(before)(marks=marks, taken=before.taken)
    assert changed(known, take_fingerprint(folder, known=known)) == ("a.txt",)


def test_a_file_that_may_be_executed_is_another(folder):
    assert difference(folder, lambda folder: (folder / "a.txt").chmod(0o755)) == ("a.txt",)
    assert difference(folder, lambda folder: (folder / "a.txt").chmod(0o700)) == ()


def test_links_count_by_where_they_lead(folder):
    (folder / "link").symlink_to("a.txt")
    (folder / "folder link").symlink_to("deep")

    def do(folder):
        for name in ("link", "folder link"):
            (folder / name).unlink()
            (folder / name).symlink_to("b.txt")

    assert difference(folder, do) == ("folder link", "link")


def test_a_link_in_place_of_the_same_file_counts(folder):
    def do(folder):
        (folder / "a.txt").rename(folder / "deep" / "a.txt")
        (folder / "a.txt").symlink_to("deep/a.txt")

    assert difference(folder, do) == ("a.txt", "deep/a.txt")


def test_caches_of_tools_our_records_and_pipes_do_not_count(folder):
    def do(folder):
        for name in ("__pycache__/a.pyc", "deep/.pytest_cache/x", ".bridge/runs/r1/journal.jsonl"):
            (folder / name).parent.mkdir(parents=True)
            (folder / name).write_text("x")
        os.mkfifo(folder / "pipe")

    assert difference(folder, do) == ()


def test_the_folder_of_the_run_does_not_count_wherever_it_is(folder):
    run = folder / "runs" / "r1"
    run.mkdir(parents=True)
    assert difference(folder, lambda folder: (run / "journal.jsonl").write_text("{}"), run_folder=run) == ()
    assert difference(folder, lambda folder: (run.parent / "x").write_text("{}"), run_folder=run) == ("runs/x",)


def test_odd_names_are_found(folder):
    names = ("\u00fc \u2713", "tab\t", 'quo"te', os.fsdecode(b"\xff"))

    def do(folder):
        for name in names:
            (folder / name).write_text("x")

    assert difference(folder, do) == tuple(sorted(names))


def test_a_file_that_cannot_be_read_counts_by_its_times(folder):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (folder / "a.txt").chmod(0)
    assert difference(folder, lambda folder: None) == ()
    assert difference(folder, lambda folder: os.utime(folder / "a.txt", (1, 1))) == ("a.txt",)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StepError, match=r"^the folder `.*nowhere` does not exist$"):
        take_fingerprint(tmp_path / "nowhere")


def test_what_is_known_and_unchanged_is_not_read_again(folder, monkeypatch):
    before = take_fingerprint(folder)
    known = type(before)(marks=before.marks, taken=before.taken + 10**10)
    read = []
    real = fingerprint._hash
    monkeypatch.setattr(fingerprint, "_hash", lambda path: read.append(path.name) or real(path))
    (folder / "a.txt").write_text("x")
    take_fingerprint(folder, known=known)
    assert read == ["a.txt"]


class TestGit:
    @pytest.fixture
    def folder(self, tmp_path):
        git(tmp_path, "init", "-q")
        (tmp_path / ".gitignore").write_text("*.log\nout/\n")
        (tmp_path / "kept.log").write_text("x\n")
        (tmp_path / "a.txt").write_text("x\n")
        git(tmp_path, "add", "-f", "kept.log", "a.txt", ".gitignore")
        git(tmp_path, "commit", "-qm", "x")
        return tmp_path

    def test_what_it_ignores_does_not_count_unless_it_is_tracked(self, folder):
        def do(folder):
            (folder / "other.log").write_text("x")
            (folder / "kept.log").write_text("y")

        assert difference(folder, do) == ("kept.log",)

    def test_a_commit_changes_no_file(self, folder):
        (folder / "new.txt").write_text("x")

        def do(folder):
            git(folder, "add", "-A")
            git(folder, "commit", "-qm", "of a step")

        assert difference(folder, do) == ()

    def test_files_of_other_repositories_inside_count(self, folder):
        for name in ("sub", "sub/subsub"):
            (folder / name).mkdir()
            git(folder / name, "init", "-q")
            (folder / name / "x.txt").write_text("x")

        def do(folder):
            (folder / "sub/x.txt").write_text("y")
            (folder / "sub/subsub/x.txt").write_text("y")

        assert difference(folder, do) == ("sub/subsub/x.txt", "sub/x.txt")

    def test_in_a_folder_that_it_ignores_every_file_counts(self, folder):
        (folder / "out" / "deep").mkdir(parents=True)
        assert difference(folder / "out" / "deep", lambda here: (here / "x.log").write_text("x")) == ("x.log",)

    def test_below_the_top_only_what_is_below_counts(self, folder):
        (folder / "sub").mkdir()

        def do(sub):
            (sub / "x").write_text("x")
            (sub / ".." / "y").write_text("y")

        assert difference(folder / "sub", do) == ("x",)

    def test_without_git_every_file_counts(self, folder, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        assert difference(folder, lambda folder: (folder / "x.log").write_text("x")) == ("x.log",)

    def test_variables_of_git_do_not_lead_elsewhere(self, folder, monkeypatch, tmp_path_factory):
        monkeypatch.setenv("GIT_DIR", str(tmp_path_factory.mktemp("other")))
        assert difference(folder, lambda folder: (folder / "x.log").write_text("x")) == ()


def test_a_step_that_changed_nothing_may_go_on(folder):
    before = take_fingerprint(folder)
    refuse_changes(before, take_fingerprint(folder))


def test_a_step_that_changed_files_is_told_which(folder):
    before = take_fingerprint(folder)
    (folder / "a.txt").write_text("x")
    (folder / "b.txt").unlink()
    for number in range(5):
        (folder / f"new{number}").write_text("x")
    with pytest.raises(StepError) as caught:
        refuse_changes(before, take_fingerprint(folder))
    assert caught.value.kind == "expectation"
    assert str(caught.value) == (
        "`reads_only` is promised, but 7 files changed: "
        "modified `a.txt`; added `new0`, `new1`, `new2` and 2 more; removed `b.txt`"
    )
    assert caught.value.hint == "if another step changed them meanwhile, let one of the two wait: `needs`"


def test_one_file_is_one_file(folder):
    before = take_fingerprint(folder)
    (folder / os.fsdecode(b"\xff")).write_text("x")
    with pytest.raises(StepError) as caught:
        refuse_changes(before, take_fingerprint(folder))
    assert str(caught.value) == "`reads_only` is promised, but 1 file changed: added `\\xff`"
