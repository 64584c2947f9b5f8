"""What ``import runner`` gives, and what it costs."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import runner
from runner.words.errors import LLMError

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = ("models.md", "python.md")


def test_the_names_are_few_and_what_type_checkers_are_told() -> None:
    """The stub beside the module names the same, each from where it lives."""
    stub = (Path(runner.__file__).with_suffix(".pyi")).read_text("utf-8")
    told = {name: home for home, name in re.findall(r"^from (\S+) import \w+ as (\w+)$", stub, re.MULTILINE)}
    assert {*told, "__version__"} == set(runner.__all__) == set(dir(runner))
    assert len(runner.__all__) == len(set(runner.__all__)) < 40
    for name, home in told.items():
        assert getattr(importlib.import_module(home), name) is getattr(runner, name)


@pytest.mark.parametrize("name", runner.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(runner, name) is not None


def test_every_error_of_a_model_server_is_public_and_on_the_page() -> None:
    text = "".join((DOCS / page).read_text("utf-8") for page in PAGES)
    for name in runner.__all__:
        assert name == "__version__" or name in text, name
    known = {LLMError, *LLMError.__subclasses__()}
    known |= {grandchild for child in known for grandchild in child.__subclasses__()}
    assert {one.__name__ for one in known} <= set(runner.__all__)


def test_another_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'runner' has no attribute 'Validator'"):
        runner.Validator  # noqa: B018  the access is what is tested


def test_import_brings_nothing_along() -> None:
    """A program that only might use it pays for nothing; what it takes by name is loaded then."""
    script = (
        "import json, sys\nbefore = set(sys.modules)\nimport runner\n"
        "first = sorted(set(sys.modules) - before)\nrunner.ModelNotFoundError\n"
        "print(json.dumps([first, 'asyncio' in sys.modules, 'httpx' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    first, *heavy = json.loads(done.stdout)
    assert {name for name in first if not name.startswith("__")} == {"runner"}
    assert heavy == [False, False]
