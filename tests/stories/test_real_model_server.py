"""The whole command on a real inference server: llama.cpp with a tiny random model, whose words are noise."""

from __future__ import annotations

import pytest
from kit.llama_server import MODEL, llama_server
from kit.project import Project

STEPS = f"""\
version: 1
name: noise
defaults:
  model: {MODEL}
  sampling: {{max_tokens: 200, seed: 7, temperature: 0.2}}
steps:
  - id: say
    task: Say something.
  - id: choose
    task: "Choose a letter. You said: {{{{ steps.say.output }}}}"
    output: {{type: object, required: [letter], additionalProperties: false, properties: {{letter: {{enum: [a, b]}}}}}}
  - id: pick
    task: Pick one, too.
    output: {{enum: [yes please, no thanks]}}
outputs:
  letter: "{{{{ steps.choose.output.letter }}}}"
"""


@pytest.fixture
def noisy(project: Project) -> Project:
    """A project with a workflow for the tiny model."""
    project.write("noise.yaml", STEPS)
    return project


def test_a_run_with_structured_output(noisy: Project) -> None:
    with llama_server(context=4096) as url:
        ended = noisy.run("noise.yaml", "--endpoint", url)
    assert ended.code == 0, ended.raw_err
    assert ended.out in ("a\n", "b\n")
    steps = noisy.result()["steps"]
    assert steps["pick"]["output"] in ("yes please", "no thanks")
    assert steps["say"]["usage"]["completion_tokens"] > 0
    answers = [e for e in noisy.journal() if e["type"] == "model_answered"]
    assert {a["model"] for a in answers} == {MODEL}


def test_its_catalogue_resolves_the_model_and_refuses_another(noisy: Project) -> None:
    with llama_server() as url:
        assert noisy.run("check", "noise.yaml", "--endpoint", url).code == 0
        ended = noisy.run("check", "noise.yaml", "--endpoint", url, "--model", "tiny-nose")
    assert ended.code == 4
    assert "BR301" in ended.err
    assert "tiny-noise" in ended.err


def test_a_prompt_that_does_not_fit_is_found_before_the_run_if_it_is_known(noisy: Project) -> None:
    noisy.write(
        "long.yaml",
        f"version: 1\nname: long\ninputs: {{text: {{type: string}}}}\nsteps:\n"
        f"  - id: read\n    model: {MODEL}\n    task: 'Sum up: {{{{ inputs.text }}}}'\n",
    )
    noisy.write("text.txt", "all work and no play " * 2000)
    with llama_server(context=512) as url:
        ended = noisy.run("long.yaml", "-i", "text=@text.txt", "--endpoint", url)
    assert ended.code == 4, ended
    assert "BR307" in ended.err


def test_a_prompt_that_does_not_fit_is_a_failure_of_its_kind(noisy: Project) -> None:
    noisy.write(
        "long.yaml",
        f"version: 1\nname: long\nsteps:\n  - id: text\n    run: [cat, text.txt]\n"
        f"  - id: read\n    model: {MODEL}\n    task: 'Sum up: {{{{ steps.text.output }}}}'\n",
    )
    noisy.write("text.txt", "all work and no play " * 2000)
    with llama_server(context=4096) as url:
        ended = noisy.run("long.yaml", "--endpoint", url)
    assert ended.code == 1, ended
    assert noisy.result()["steps"]["read"]["error"]["kind"] == "context"
