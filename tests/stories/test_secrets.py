"""Secrets where one forgets them: last words of a tool server, the server's own token, an early refusal."""

from __future__ import annotations

import sys

from kit.project import Project

SECRET = "s3cr3t-t0ken-of-mine"
TALKER = "import os, sys; sys.exit('cannot log in with ' + os.environ['TOKEN'])"


def workflow(command: str) -> str:
    return (
        "version: 1\nname: talk\nsecrets: [MY_TOKEN]\n"
        f'mcp_servers:\n  odd: {{command: {command}, args: [-c, "{TALKER}"], '
        'env: {TOKEN: "{{ secrets.MY_TOKEN }}"}}\n'
        "steps:\n  - id: talk\n    tool: odd.say\n"
    )


def everything(project: Project) -> str:
    """All that the run left on the disk, as one text."""
    files = [path for path in (project.folder / ".bridge").rglob("*") if path.is_file()]
    return "\n".join(path.read_text("utf-8", errors="replace") for path in files)


def test_a_server_that_says_its_secret_before_it_ends(project: Project) -> None:
    project.write("talk.yaml", workflow(sys.executable))
    ended = project.run("talk.yaml", env={"MY_TOKEN": SECRET})
    assert ended.code == 5, ended
    assert "cannot log in with [secret MY_TOKEN]" in ended.err
    assert SECRET not in ended.raw_err + ended.raw_out + everything(project)


def test_the_same_in_a_check_that_starts_servers(project: Project) -> None:
    project.write("talk.yaml", workflow(sys.executable))
    ended = project.run("check", "talk.yaml", "--tools", env={"MY_TOKEN": SECRET})
    assert ended.code == 5, ended
    assert "cannot log in with [secret MY_TOKEN]" in ended.err
    assert SECRET not in ended.raw_err + ended.raw_out


def test_the_result_of_a_run_that_could_not_begin_is_there_for_machines(project: Project) -> None:
    project.write("talk.yaml", workflow(sys.executable))
    ended = project.run("talk.yaml", "--output", "json", env={"MY_TOKEN": SECRET})
    assert ended.code == 5
    assert '"exit_code": 5' in ended.out
    assert SECRET not in ended.raw_out
