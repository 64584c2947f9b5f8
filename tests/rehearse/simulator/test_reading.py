"""A script is read, or every problem in it is told with its place."""

from __future__ import annotations

import json

import jsonschema
import pytest

from runner.rehearse.simulator.reading import parse_script, read_script
from runner.rehearse.simulator.script import LoadedAs, Pace, Reasoning, ScriptedModel
from runner.words.errors import WorkflowError
from runner.workflow.schema import schema_text


def complaints_about(text: str) -> str:
    with pytest.raises(WorkflowError) as caught:
        parse_script(text, "script.yaml")
    lines = []
    for finding in caught.value.diagnostics:
        span = finding.span
        place = f"{span.line}:{span.column}" if span else "-"
        lines.append(f"{place} {finding.code} {finding.message} ({finding.help})")
    return "\n".join(lines)


def test_every_key_arrives() -> None:
    script = parse_script(
        """
        settings:
          {jit: false, auto_evict: false, jit_race: true, jit_ttl: 30s, jit_context: 8192, version: 0.3.20,
           token: secret, seed: 7}
        models:
          qwen/qwen3-coder-30b:
            type: vlm
            quantization: 4bit
            size: 18GB
            params: 30B
            architecture: qwen3moe
            publisher: someone
            format: mlx
            max_context_length: 262144
            tool_use: false
            vision: true
            reasoning: {allowed_options: [low, high], default: high}
            loaded: {context_length: 8192, parallel: 2}
            load_time: 500ms
            load_error: it is broken
            first_token: 200ms
            tokens_per_second: 80
            parallel: 3
            dimensions: 16
            turns: [{say: hello}]
            default: {say: what?}
        """,
        "script.yaml",
    )
    model = script.models["qwen/qwen3-coder-30b"]
    assert model == ScriptedModel(
        key="qwen/qwen3-coder-30b",
        type="vlm",
        quantization="4bit",
        size=18 * 1024**3,
        params="30B",
        architecture="qwen3moe",
        publisher="someone",
        format="mlx",
        max_context_length=262144,
        tool_use=False,
        vision=True,
        reasoning=Reasoning(allowed_options=("low", "high"), default="high"),
        loaded=LoadedAs(context_length=8192, parallel=2),
        load_error="it is broken",
        pace=Pace(load=0.5, first_token=0.2, tokens_per_second=80),
        parallel=3,
        dimensions=16,
        turns=model.turns,
        default=model.default,
    )
    assert [turn.say for turn in model.turns] == ["hello"]
    assert model.default is not None
    assert model.default.say == "what?"
    settings = script.settings
    assert (settings.jit, settings.auto_evict, settings.jit_race, settings.jit_ttl) == (False, False, True, 30.0)
    assert (settings.jit_context, settings.token, settings.seed) == (8192, "secret", 7)
    assert (settings.has_v0, settings.has_native) == (True, False)


def test_a_model_needs_nothing_but_its_name() -> None:
    script = parse_script("models: {qwen/qwen3-8b: {}}", "script.yaml")
    model = script.models["qwen/qwen3-8b"]
    assert model == ScriptedModel(key="qwen/qwen3-8b", publisher="qwen")


def test_shape() -> None:
    assert complaints_about(
        """
settigns: {}
settings: {version: newest}
models:
  a:
    type: llama
    load_time: 5 minutes
    size: big
    parallel: 0
    turns:
      - {say: hello, json: {}}
      - {wen: {turn: 1}}
      - {say: [hello]}
      - call: [{arguments: {}}]
      - fault: {error: {status: 200}}
    default: {times: 3}
"""
    ) == "\n".join(
        [
            "2:1 BR217 the script: unknown key `settigns` (did you mean `settings`?)",
            "3:21 BR220 settings.version: `newest` is not a version (write three numbers: 0.4.25)",
            "6:11 BR220 models.a.type: expected `llm`, `vlm` or `embedding`, got `llama` (None)",
            "7:16 BR220 models.a.load_time: `5 minutes` is not a duration "
            "(write a whole number and a unit: 500ms, 30s, 10m, 2h)",
            "8:11 BR220 models.a.size: `big` is not a size (write a whole number and a unit: 32KB, 1MB)",
            "9:15 BR220 models.a.parallel: expected at least 1, got 0 (None)",
            "11:9 BR220 models.a.turns[0]: `say` and `json` exclude each other (None)",
            "12:10 BR217 models.a.turns[1]: unknown key `wen` (did you mean `when`?)",
            "13:15 BR219 models.a.turns[2].say: expected a text, got a list (None)",
            "14:16 BR218 models.a.turns[3].call[0]: the key `tool` is missing (None)",
            "15:33 BR220 models.a.turns[4].fault.error.status: expected at least 400, got 200 (None)",
            "16:15 BR217 models.a.default: unknown key `times` "
            "(known here: call, chunk, fault, finish, json, reasoning, say)",
        ]
    )


def test_meaning() -> None:
    assert complaints_about(
        """
models:
  a:
    load_time: 0s
    loaded: {context_length: 9000}
    max_context_length: 8000
    turns:
      - when: {user: "edit (?P<path>\\\\S+) (now)"}
        say: "{{ match.path }} {{match[2]}} {{ match[3] }} {{ match.file }} {{ other.thing }}"
      - when: {user: "("}
        say: hello
      - when: {turn: 1}
    default: {say: "{{ match[1] }}"}
"""
    ) == "\n".join(
        [
            "4:16 BR215 models.a.load_time: `0s` is not a duration "
            "(write a whole number and a unit: 500ms, 30s, 10m, 2h; leave it out for no time)",
            "5:30 BR220 models.a.loaded.context_length: a context of 9000 tokens is more than the model's "
            "`max_context_length`, 8000 (lower it, or raise the model's)",
            "9:14 BR207 models.a.turns[0].say: `match` has no group `3` (groups of this turn's `when`: 1, 2, path)",
            "9:14 BR207 models.a.turns[0].say: `match` has no group `file` (groups of this turn's `when`: 1, 2, path)",
            "10:22 BR220 models.a.turns[1].when.user: no regular expression: missing ), unterminated subpattern at "
            "position 0 (write a regular expression as Python has them)",
            "12:9 BR220 models.a.turns[2]: says nothing "
            '(add `say`, `json`, `call` or `fault`; `say: ""` says nothing too)',
            "13:20 BR207 models.a.default.say: `match` has no group `1` (groups of this turn's `when`: none)",
        ]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "- BR200 this file is empty (begin with `models:`)"),
        ("- a", "1:1 BR200 this file holds a list, not a mapping of keys (begin with `models:`)"),
        ("settings: {}", "1:1 BR218 the script: the key `models` is missing (None)"),
        ("models: []", "1:9 BR219 models: expected a mapping, got a list (None)"),
        ("models: {a: }", "1:13 BR219 models.a: expected a mapping, got nothing (None)"),
    ],
)
def test_files_that_are_no_scripts(text: str, message: str) -> None:
    assert complaints_about(text) == message


def test_a_missing_file_is_told(tmp_path) -> None:
    (tmp_path / "script.yaml").write_text("models: {}")
    with pytest.raises(WorkflowError) as caught:
        read_script(str(tmp_path / "scrpt.yaml"))
    assert [d.message for d in caught.value.diagnostics] == ["there is no such file"]


def test_the_schema_is_a_schema_and_describes_everything() -> None:
    schema = json.loads(schema_text("simulator"))
    jsonschema.Draft202012Validator.check_schema(schema)

    def undescribed(node: object, path: str) -> list[str]:
        if not isinstance(node, dict):
            return []
        found = []
        for name, inner in node.get("properties", {}).items():
            if "description" not in inner:
                found.append(f"{path}.{name}")
            found += undescribed(inner, f"{path}.{name}")
        for name, inner in node.get("$defs", {}).items():
            found += undescribed(inner, name)
        return found

    assert undescribed(schema, "") == []
