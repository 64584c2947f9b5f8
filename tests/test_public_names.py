"""What ``import runner`` gives, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import runner
from runner.words.errors import LLMError

MODELS_PAGE = Path(__file__).resolve().parent.parent / "docs" / "models.md"


@pytest.mark.parametrize("name", runner.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(runner, name) is not None


def test_every_error_of_a_model_server_is_public_and_on_the_page() -> None:
    page = MODELS_PAGE.read_text("utf-8")
    for name in runner.__all__:
        assert name == "__version__" or name in page, name
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
