"""The table of verbs: where each one lives, and its line in ``--help``."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """``module`` holds a click command named ``command``."""

    module: str
    help: str


DEFAULT = "run"
VERBS = {
    "run": Verb("runner.cli.run", "Run a workflow; `run` may be left out."),
    "resume": Verb("runner.cli.resume", "Go on with a run that paused, failed or was ended."),
    "check": Verb("runner.cli.check", "Check workflow files, their models and tool servers; run nothing."),
    "test": Verb("runner.cli.test", "Run the test cases of workflows; needs no model and no tool."),
    "lock": Verb("runner.cli.lock", "Write down which models and tools there are; say what has changed."),
    "diff": Verb("runner.cli.diff", "Say how two runs differ: steps, outputs, tool calls, tokens, time."),
    "init": Verb("runner.cli.init", "Write a first workflow with a test, settings and a CI file."),
    "graph": Verb("runner.cli.graph", "Draw a workflow's graph: which step waits for which, and why."),
    "models": Verb("runner.cli.models", "List, load, unload and download the models of the servers."),
    "doctor": Verb("runner.cli.doctor", "Look whether servers, models and tools are ready; say what to do if not."),
    "serve": Verb("runner.cli.serve", "Serve tasks, workflows and models to MCP hosts, such as Claude Code."),
    "explain": Verb("runner.cli.explain", "Explain a finding's code, such as BR204."),
    "schema": Verb("runner.cli.schema", "Print the JSON Schema of workflow files and of what is written."),
    "simulate": Verb("runner.cli.simulate", "Serve scripted models over HTTP, like LM Studio."),
}
ELSEWHERE = {
    **dict.fromkeys(("validate", "lint", "verify"), "here it is `bridge-run check`"),
    **dict.fromkeys(("exec", "execute", "start"), "here it is `bridge-run FILE`"),
    **dict.fromkeys(("continue", "retry", "approve"), "here it is `bridge-run resume RUN`"),
    **dict.fromkeys(("history", "list", "logs", "ls", "runs", "status"), "each run has a folder in `.bridge/runs`"),
    **dict.fromkeys(("new", "create"), "here it is `bridge-run init`"),
    **{
        word: f"that is an option: `bridge-run FILE --{word}`"
        for word in ("record", "replay", "re-record", "rehearse", "dry-run")
    },
    "fix": "that is an option: `bridge-run check --fix`",
    "plan": "here it is `bridge-run FILE --dry-run`",
    "compare": "here it is `bridge-run diff RUN RUN`",
    "visualize": "here it is `bridge-run graph FILE`",
}
"""What other programs have as a verb, and what is typed here."""
