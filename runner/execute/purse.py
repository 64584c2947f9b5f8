"""What a run, or a called workflow, may still spend: tokens and tool calls, of all its steps together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Purse:
    """Bounds (None = none) and what was spent of them. ``whose`` in words: ``run``; ``above`` is spent as well."""

    whose: str = "run"
    most_tokens: int | None = None
    most_tool_calls: int | None = None
    tokens: int = 0
    tool_calls: int = 0
    above: Purse | None = None

    def spend_tokens(self, count: int) -> None:
        """They were used."""
        for purse in self.chain:
            purse.tokens += count

    def spend_tool_call(self) -> None:
        """One was made."""
        for purse in self.chain:
            purse.tool_calls += 1

    @property
    def chain(self) -> tuple[Purse, ...]:
        """This purse and those above it."""
        return (self,) if self.above is None else (self, *self.above.chain)

    @property
    def out_of_tool_calls(self) -> Purse | None:
        """The purse that allows no further tool call, if one does."""
        for purse in self.chain:
            if purse.most_tool_calls is not None and purse.tool_calls >= purse.most_tool_calls:
                return purse
        return None
