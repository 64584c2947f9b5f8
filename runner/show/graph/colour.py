"""The colours of a drawn graph: one for each model, told apart by those who see fewer colours too (Okabe and Ito)."""

from __future__ import annotations

from runner.show.graph.graph import Diagram, shown_models
from runner.words.noun import noun


@noun
class Tint:
    """``strong`` for lines and bands, ``pale`` behind black text, ``deep`` behind white text."""

    strong: str
    pale: str
    deep: str


PALETTE = (
    Tint(strong="#0072B2", pale="#D6E9F5", deep="#12374E"),
    Tint(strong="#E69F00", pale="#FBEBCB", deep="#4A360A"),
    Tint(strong="#009E73", pale="#D1EFE4", deep="#0D4033"),
    Tint(strong="#CC79A7", pale="#F6E3ED", deep="#4A2A3C"),
    Tint(strong="#D55E00", pale="#F9DECB", deep="#4C270E"),
    Tint(strong="#56B4E9", pale="#DFF1FB", deep="#1E4257"),
)
OTHERS = Tint(strong="#8A8F98", pale="#ECEDEF", deep="#34383E")
"""Of the models that come after the palette: more colours could not be told apart."""


def tints(view: Diagram) -> dict[str, int]:
    """The index in ``PALETTE`` of each model's colour, by the model's id; ``len(PALETTE)`` means ``OTHERS``."""
    return {model: min(index, len(PALETTE)) for index, model in enumerate(shown_models(view))}


def tint(index: int) -> Tint:
    """The colour of that index."""
    return PALETTE[index] if index < len(PALETTE) else OTHERS


def model_legend(view: Diagram) -> list[tuple[int, str]]:
    """An index and its words for each colour in use: ``coder = qwen/qwen3-coder-30b``."""
    named = [f"{names} = {model}" if names else model for model, names in shown_models(view).items()]
    legend = list(enumerate(named[: len(PALETTE)]))
    rest = len(named) - len(PALETTE)
    return [*legend, (len(PALETTE), f"{rest} other models" if rest > 1 else named[-1])] if rest > 0 else legend
