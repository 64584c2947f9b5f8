"""A slip of the pen: the one name that a misspelt word can only have meant."""

from __future__ import annotations

from collections.abc import Iterable


def meant_by(word: str, options: Iterable[str]) -> str | None:
    """The only option within a slip of ``word``; None if there is none, or more than one.

    A slip is a letter that is missing, too many or wrong, or two that changed places: one in a short word, at most two
    in one of five letters and more. Case does not count.
    """
    most = 1 if len(word) < 5 else 2
    folded = word.casefold()
    near = [option for option in dict.fromkeys(options) if _slips(folded, option.casefold(), most) <= most]
    return near[0] if len(near) == 1 and near[0] != word else None


def _slips(one: str, other: str, most: int) -> int:
    """How many slips lie between two words (optimal string alignment); more than ``most`` is only known as that."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    rows = [list(range(len(other) + 1))]
    for number, sign in enumerate(one, 1):
        above, row = rows[-1], [number]
        for place, letter in enumerate(other, 1):
            least = min(above[place] + 1, row[place - 1] + 1, above[place - 1] + (sign != letter))
            if number > 1 and place > 1 and sign == other[place - 2] and one[number - 2] == letter:
                least = min(least, rows[-2][place - 2] + 1)
            row.append(least)
        rows.append(row)
    return rows[-1][-1]
