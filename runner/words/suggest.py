"""Did you mean: the nearest of the names that would have been right."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, options: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The options most like ``word``, best first; empty when none is near.

    Case is ignored, and an option that contains the whole word (``qwen3`` for ``qwen/qwen3-8b``) is near.
    """
    import difflib

    by_folded: dict[str, str] = {}
    for option in sorted(set(options)):
        by_folded.setdefault(option.casefold(), option)
    folded = word.casefold()
    close = difflib.get_close_matches(folded, by_folded, n=count, cutoff=0.6)
    if len(folded) >= 3:
        close += [name for name in by_folded if folded in name and name not in close]
    return tuple(by_folded[name] for name in close[:count])


def did_you_mean(word: str, options: Iterable[str]) -> str | None:
    """``did you mean `x`?`` or None."""
    names = nearest(word, options, 1)
    return f"did you mean `{names[0]}`?" if names else None
