"""``--model`` on the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.plan.overrides import Overrides, parse_overrides, refuse_unknown_aliases
from runner.words.errors import UsageError
from runner.workflow.model import ModelWish, Workflow


def test_an_alias_is_swapped_and_a_bare_id_is_the_default() -> None:
    given = ("coder=qwen/qwen3-coder-30b", "openai/gpt-oss-20b", " thinker = my=odd ")
    assert parse_overrides(given) == Overrides(
        default="openai/gpt-oss-20b", aliases={"coder": "qwen/qwen3-coder-30b", "thinker": "my=odd"}
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["coder="], "`--model coder=` names no model"),
        (["=x"], "`--model =x` names no model"),
        ([" "], "`--model  ` names no model"),
        (["a", "b"], "`--model b` swaps what `--model a` has already swapped"),
        (["c=a", "c=b"], "`--model c=b` swaps what `--model c=a` has already swapped"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(given: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_overrides(given)
    assert caught.value.message == message
    assert caught.value.hint


def test_an_alias_must_be_declared_by_one_of_the_files(workflow: Callable[..., Workflow]) -> None:
    plain = workflow()
    coder = workflow(models={"coder": ModelWish(id="x", path=("models", "coder"))})
    refuse_unknown_aliases(Overrides(aliases={"coder": "y"}), [plain, coder])
    with pytest.raises(UsageError) as caught:
        refuse_unknown_aliases(Overrides(aliases={"codr": "y"}), [plain, coder])
    assert (caught.value.message, caught.value.hint) == (
        "`--model codr=y`: the file has no model alias `codr`",
        "did you mean `coder`?",
    )
    with pytest.raises(UsageError) as caught:
        refuse_unknown_aliases(Overrides(aliases={"coder": "y"}), [plain])
    assert caught.value.hint == "it declares none; `--model y` swaps the default model"
