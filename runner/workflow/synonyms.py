"""What users of other tools write for keys of a workflow file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "agent": ("task",),
    "agents": ("steps",),
    "allowed_tools": ("tools",),
    "approval": ("approve",),
    "backoff": ("wait",),
    "bash": ("run",),
    "cmd": ("run", "command"),
    "command": ("run",),
    "concurrency": ("max_parallel", "parallel"),
    "condition": ("when",),
    "continue_on_error": ("on_error",),
    "delay": ("wait",),
    "delay_ms": ("wait",),
    "delay_seconds": ("wait",),
    "depends_on": ("needs",),
    "dependencies": ("needs",),
    "environment": ("env",),
    "exec": ("run",),
    "extensions": ("mcp_servers",),
    "fallback_model": ("fallback",),
    "foreach": ("for_each",),
    "human_gate": ("approve",),
    "if": ("when",),
    "infer": ("task",),
    "input": ("with", "inputs"),
    "inputs": ("with",),
    "instruction": ("system",),
    "instructions": ("system",),
    "invoke": ("tool",),
    "jobs": ("steps",),
    "json_schema": ("output",),
    "loop": ("repeat", "for_each"),
    "max_attempts": ("attempts",),
    "max_concurrency": ("max_parallel",),
    "max_concurrent": ("max_parallel",),
    "max_iterations": ("max", "rounds"),
    "max_retries": ("attempts",),
    "mcp": ("mcp_servers",),
    "mcpServers": ("mcp_servers",),
    "nodes": ("steps",),
    "output_format": ("output",),
    "output_schema": ("output",),
    "params": ("arguments", "inputs"),
    "parameters": ("arguments", "inputs"),
    "parallel": ("max_parallel",),
    "prompt": ("task",),
    "response": ("output",),
    "response_format": ("output",),
    "retries": ("retry", "attempts"),
    "retry_on": ("on",),
    "schema": ("output",),
    "script": ("run",),
    "structured": ("output",),
    "sub_recipe": ("workflow",),
    "systemPrompt": ("system",),
    "system_prompt": ("system",),
    "tasks": ("steps",),
    "timeout_seconds": ("timeout", "time"),
    "title": ("name",),
    "toolsets": ("mcp_servers",),
    "trigger_rule": ("join",),
    "uses": ("tool", "workflow"),
    "variables": ("inputs",),
    "working_dir": ("cwd",),
    "working_directory": ("cwd",),
}
"""What each is called here, best first. Only taken where that key is legal."""
SAMPLING: Final = frozenset(("temperature", "max_tokens", "top_p", "top_k", "min_p", "seed", "reasoning", "stop"))
"""Keys of ``sampling`` that other tools have at the step itself."""
DENYING: Final = frozenset(
    ("deny_tools", "denied_tools", "disabled_tools", "disallowed_tools", "exclude_tools", "excluded_tools")
)
"""Lists of tools that must not be used; the nearest key of ours, ``tools``, is the opposite."""
CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "join": {
        "all": "all_succeeded",
        "all_done": "all_finished",
        "always": "all_finished",
        "any": "any_succeeded",
        "any_success": "any_succeeded",
        "none_failed_min_one_success": "none_failed",
        "one_success": "any_succeeded",
    },
    "on_error": {"ignore": "continue", "skip": "continue", "stop": "fail"},
}
"""What other tools write for one of several words, by the key where it stands."""
NAMES: Final[Mapping[str, str]] = {
    "always": "a step that runs whatever happened has `join: all_finished`",
    "env": "the environment is not read: give the value as an input, `-i name=…`, or name it under `secrets`",
    "failure": "write `join: all_finished`, and `when: steps.ID.status == 'failed'`",
    "len": "write `… | length`",
    "now": "a run knows no time: give it as an input",
    "success": "that is the usual `join`: a step runs when all that it needs has succeeded",
}
"""What other tools know in expressions, and what to write instead."""
