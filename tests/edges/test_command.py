"""Commands: what they get, what they give, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from kit.project import processes_with, wait_until

from runner.edges.command import KEPT, CommandRunner
from runner.edges.process_group import Offspring
from runner.execute.world import CommandResult
from runner.words.errors import StepError

PYTHON = sys.executable


def run(*argv, environment=None, offspring=None, env=None, **settings):
    """Run a command; whatever happens, no group of it is left in ``offspring``."""
    offspring = Offspring() if offspring is None else offspring
    runner = CommandRunner(dict(os.environ) if environment is None else environment, offspring)
    try:
        return asyncio.run(runner.run(argv, env=env or {}, **settings))
    finally:
        assert len(offspring) == 0


def shell(script, **settings):
    return run("/bin/sh", "-c", script, **settings)


def refusal(*argv, **settings):
    with pytest.raises(StepError) as caught:
        run(*argv, **settings)
    return caught.value


def marker(path: Path) -> str:
    """A text that only the processes of this test have in their command line."""
    return f"marker-{path.name}-{os.getpid()}"


def sleeper(mark):
    return f"{PYTHON} -c 'import time; time.sleep(300)' {mark}"


class TestTalk:
    def test_what_it_wrote_and_how_it_ended(self):
        assert shell("echo out; echo err >&2; exit 3") == CommandResult(exit_code=3, stdout="out\n", stderr="err\n")

    def test_nothing_is_expanded_without_a_shell(self):
        assert run("printf", "%s|", "$HOME", "*", "a b").stdout == "$HOME|*|a b|"

    @pytest.mark.parametrize(
        "text", ["", "two\nlines", "ü" * 300_000], ids=["empty", "lines", "more than a pipe holds"]
    )
    def test_stdin_comes_through_whole_and_ends(self, text):
        assert run("cat", stdin=text).stdout == text

    def test_without_stdin_it_reads_nothing(self):
        assert run("cat").stdout == ""

    def test_half_of_a_surrogate_pair_in_stdin_is_replaced(self):
        assert run("cat", stdin="a\ud800b").stdout == "a?b"

    def test_it_need_not_read_what_it_is_given(self):
        assert run("true", stdin="x" * 5_000_000) == CommandResult(exit_code=0, stdout="", stderr="")

    def test_it_may_read_a_part_and_close_the_pipe(self):
        assert shell("head -c 3; exec <&-; sleep 0.1; echo", stdin="abcdef" * 1_000_000).stdout == "abc\n"

    def test_bytes_that_are_no_text(self):
        assert shell(r"printf 'a\377b'").stdout == "a�b"

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
    def test_an_end_by_a_signal_reads_as_in_a_shell(self, number):
        assert shell(f"kill -{int(number)} $$").exit_code == 128 + number


class TestSurroundings:
    def test_environment_is_what_we_give_and_the_step_adds(self):
        environment = {"PATH": os.environ["PATH"], "KEPT": "one", "CHANGED": "two"}
        ended = run("env", environment=environment, env={"CHANGED": "three", "ADDED": "four"})
        assert sorted(ended.stdout.splitlines()) == [
            "ADDED=four",
            "CHANGED=three",
            "KEPT=one",
            f"PATH={os.environ['PATH']}",
        ]

    def test_the_step_may_bring_its_own_path(self, tmp_path):
        tool = tmp_path / "mine"
        tool.write_text("#!/bin/sh\necho here\n")
        tool.chmod(0o755)
        assert run("mine", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}).stdout == "here\n"

    def test_folder(self, tmp_path):
        assert run("pwd", cwd=str(tmp_path)).stdout == f"{tmp_path.resolve()}\n"

    def test_it_leads_a_session_of_its_own(self):
        code = "import os; print(os.getsid(0) == os.getpid())"
        assert run(PYTHON, "-c", code).stdout == "True\n"


class TestCannotStart:
    def check(self, message, *argv, **settings):
        error = refusal(*argv, **settings)
        assert (error.kind, error.message) == ("command", message)

    def test_no_such_command(self):
        self.check("cannot start `no-such-tool`: there is no such command (nor file)", "no-such-tool", "x")

    def test_no_such_folder(self, tmp_path):
        gone = str(tmp_path / "gone")
        self.check(f"cannot start `ls`: the folder `{gone}` (`cwd`) does not exist", "ls", cwd=gone)

    def test_not_executable(self, tmp_path):
        (tmp_path / "tool").write_text("#!/bin/sh\n")
        path = str(tmp_path / "tool")
        self.check(f"cannot start `{path}`: it is not executable", path)

    def test_interpreter_missing(self, tmp_path):
        tool = tmp_path / "tool"
        tool.write_text("#!/no/such/interpreter\n")
        tool.chmod(0o755)
        message = "cannot start `./tool`: the interpreter that its first line names does not exist"
        self.check(message, "./tool", cwd=str(tmp_path))

    @pytest.mark.skipif(os.getuid() == 0, reason="root may enter any folder")
    def test_folder_that_cannot_be_entered(self, tmp_path):
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o600)
        self.check(f"cannot start `ls`: the folder `{locked}` (`cwd`) cannot be entered", "ls", cwd=str(locked))

    def test_too_many_arguments(self):
        self.check("cannot start `true`: Argument list too long", "true", "x" * 4_000_000)

    def test_a_zero_byte(self):
        self.check("cannot start `echo`: embedded null byte", "echo", "a\0b")


class TestBounds:
    def test_exactly_what_can_be_kept(self):
        assert len(run("head", "-c", str(KEPT), "/dev/zero").stdout) == KEPT

    @pytest.mark.parametrize(("redirect", "stream"), [("", "stdout"), (" >&2", "stderr")])
    def test_one_byte_more_ends_it(self, tmp_path, redirect, stream):
        mark = marker(tmp_path)
        error = refusal("/bin/sh", "-c", f"head -c {KEPT + 1} /dev/zero{redirect}; {sleeper(mark)}")
        assert (error.kind, error.message) == ("limit", f"`/bin/sh` wrote more than 16 MB to {stream}")
        assert error.hint == "write it to a file"
        assert left_with(mark) == []

    def test_endless_output_ends(self):
        assert refusal("yes").kind == "limit"


def left_with(mark: str) -> list[int]:
    """What is left of the processes with that mark; what was killed may take a moment to be gone."""
    with suppress(AssertionError):
        wait_until(lambda: processes_with(mark) == [], "no process is left", within=3)
    return processes_with(mark)


class TestNothingStays:
    def test_children_of_a_finished_command_end_with_it(self, tmp_path):
        mark = marker(tmp_path)
        assert shell(f"{sleeper(mark)} >/dev/null 2>&1 & echo done").stdout == "done\n"
        assert left_with(mark) == []

    def test_a_child_that_holds_the_output_open_is_not_waited_for(self, tmp_path):
        mark = marker(tmp_path)
        assert shell(f"{sleeper(mark)} & echo done").stdout == "done\n"
        assert left_with(mark) == []

    def test_what_a_child_still_writes_is_read(self):
        assert shell("{ sleep 0.2; echo late; } & echo early").stdout == "early\nlate\n"

    def cancelled(self, script, started):
        """Start a script, cancel it by a timeout once ``started`` holds, and wait for its end."""
        import anyio

        offspring = Offspring()

        async def work():
            runner = CommandRunner(dict(os.environ), offspring)
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: runner.run(["/bin/sh", "-c", script], env={}))
                runs = lambda: started() and len(offspring) == 1  # noqa: E731  it may run before we hear of it
                await anyio.to_thread.run_sync(wait_until, runs, "the command runs")
                group.cancel_scope.cancel()

        asyncio.run(work())
        assert len(offspring) == 0

    def test_cancelled_before_we_hear_that_it_runs_it_ends_with_its_grandchildren(self, tmp_path):
        """The loop is held up between the start of the process and the news of it, as on a busy machine."""
        import anyio

        mark, offspring = marker(tmp_path), Offspring()

        async def work():
            runner = CommandRunner(dict(os.environ), offspring)
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: runner.run(["/bin/sh", "-c", f"{sleeper(mark)} & {sleeper(mark)}"], env={}))
                await asyncio.sleep(0)  # the command's turn,
                await asyncio.sleep(0)  # and that of its start
                wait_until(lambda: len(processes_with(mark)) > 2, "the command runs")
                assert len(offspring) == 0
                group.cancel_scope.cancel()

        asyncio.run(work())
        assert left_with(mark) == []
        assert len(offspring) == 0

    def test_a_cancelled_command_ends_with_its_grandchildren(self, tmp_path):
        mark = marker(tmp_path)
        self.cancelled(f"({sleeper(mark)} & wait) & {sleeper(mark)}", lambda: len(processes_with(mark)) > 2)
        assert left_with(mark) == []

    def test_it_is_asked_before_it_is_ended(self, tmp_path):
        there, said = tmp_path / "there", tmp_path / "said"
        script = f"trap 'echo bye > {said}; exit' TERM; touch {there}; while :; do sleep 0.05; done"
        self.cancelled(script, there.exists)
        assert said.read_text() == "bye\n"

    def test_one_that_will_not_listen_is_ended(self, tmp_path):
        mark, there = marker(tmp_path), tmp_path / "there"
        self.cancelled(f"trap '' TERM; touch {there}; while :; do sleep 0.05; done # {mark}", there.exists)
        assert left_with(mark) == []

    def test_a_grandchild_in_a_session_of_its_own_holds_nobody_up(self, tmp_path):
        mark, there = marker(tmp_path), tmp_path / "there"
        code = f"import os, time; os.setsid(); open({str(there)!r}, 'w'); time.sleep(300)"
        try:
            self.cancelled(f'{PYTHON} -c "{code}" {mark} & sleep 300', there.exists)
        finally:
            for pid in processes_with(mark):
                os.kill(pid, signal.SIGKILL)

    def test_cancelled_from_outside_of_any_scope(self, tmp_path):
        mark, offspring = marker(tmp_path), Offspring()

        async def work():
            runner = CommandRunner(dict(os.environ), offspring)
            task = asyncio.create_task(runner.run(["/bin/sh", "-c", f"{sleeper(mark)}; true"], env={}))
            await asyncio.to_thread(wait_until, lambda: processes_with(mark) != [], "the command runs")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(work())
        assert (left_with(mark), len(offspring)) == ([], 0)
