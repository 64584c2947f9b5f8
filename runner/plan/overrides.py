"""``--model ALIAS=ID`` and ``--model ID``: the models that the command line swaps for one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from runner.words.errors import UsageError
from runner.words.noun import noun
from runner.words.suggest import did_you_mean
from runner.workflow.model import Workflow


@noun
class Overrides:
    """``default`` stands in for ``defaults.model``, ``aliases`` for the ids of the file's aliases."""

    default: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)


NO_OVERRIDES = Overrides()


def parse_overrides(texts: Sequence[str]) -> Overrides:
    """The values of ``--model``, each ``ALIAS=ID`` or ``ID``.

    Raises:
        UsageError: half of ``ALIAS=ID`` is empty, or one model is swapped twice.
    """
    default: str | None = None
    aliases: dict[str, str] = {}
    for text in texts:
        before, equals, after = (part.strip() for part in text.partition("="))
        alias, model = (before, after) if equals else ("", before)
        if not model or (equals and not alias):
            raise UsageError(f"`--model {text}` names no model", hint="write `--model ALIAS=ID` or `--model ID`")
        if (alias in aliases) if alias else (default is not None):
            earlier = f"{alias}={aliases[alias]}" if alias else default
            raise UsageError(
                f"`--model {text}` swaps what `--model {earlier}` has already swapped", hint="keep one of the two"
            )
        if alias:
            aliases[alias] = model
        else:
            default = model
    return Overrides(default=default, aliases=aliases)


def refuse_unknown_aliases(overrides: Overrides, workflows: Iterable[Workflow]) -> None:
    """Every swapped alias must be declared by at least one of the workflows.

    Raises:
        UsageError: no workflow declares it; with the near names.
    """
    declared = tuple(dict.fromkeys(alias for workflow in workflows for alias in workflow.models))
    for alias, model in overrides.aliases.items():
        if alias in declared:
            continue
        known = f"the aliases are {', '.join(f'`{name}`' for name in declared)}" if declared else "it declares none"
        raise UsageError(
            f"`--model {alias}={model}`: the file has no model alias `{alias}`",
            hint=did_you_mean(alias, declared) or f"{known}; `--model {model}` swaps the default model",
        )
