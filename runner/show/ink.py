"""Colour for the few words that need it, by hand: importing a library for it would cost more than all the rest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ink:
    """Paints when ``colour`` is true, else gives texts back as they are. Texts must be harmless already."""

    colour: bool

    def error(self, text: str) -> str:
        """Bold red."""
        return self._paint("1;31", text)

    def warning(self, text: str) -> str:
        """Bold yellow."""
        return self._paint("1;33", text)

    def good(self, text: str) -> str:
        """Green."""
        return self._paint("32", text)

    def frame(self, text: str) -> str:
        """Bold blue: gutters, arrows, second places."""
        return self._paint("1;34", text)

    def bold(self, text: str) -> str:
        """Bold."""
        return self._paint("1", text)

    def faint(self, text: str) -> str:
        """Faint."""
        return self._paint("2", text)

    def level(self, level: str, text: str) -> str:
        """As ``error`` or ``warning``, by the level of a finding."""
        return self.error(text) if level == "error" else self.warning(text)

    def _paint(self, codes: str, text: str) -> str:
        return f"\x1b[{codes}m{text}\x1b[0m" if self.colour and text else text
