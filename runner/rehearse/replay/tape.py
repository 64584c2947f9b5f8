"""A recording at play: who asks as it was asked gets what was answered; all else is said with what differs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from runner.record.cassette.cassette import Cassette, Exchange, Kind
from runner.record.cassette.diff import differences
from runner.record.cassette.mask import Mask
from runner.record.parts import without_indices
from runner.record.whereabouts import Whereabouts, whereabouts
from runner.words.errors import StepError

_SHOWN = 5
"""Of more lines that nobody used than this, only so many are named."""
_TYPED = 20
"""Of more units than this, a command names the steps."""
_DURATION = re.compile(r"\b\d+(?:\.\d+)?(?= ?(?:ms|s|sec|seconds?)\b)")
"""As test runners print it: ``Ran 8 tests in 0.006s``."""
_WORDS: Mapping[Kind, str] = {
    "catalogue": "list of models",
    "server": "start of a tool server",
    "load": "load of a model",
    "unload": "unload of a model",
    "chat": "request to the model",
    "call": "tool call",
    "command": "command",
    "changed": "look at the files",
    "kept": "keeping of artifacts",
    "answer": "question",
}


class Tape:
    """Hands out what was recorded, each exchange once; within a unit equal requests get theirs in recorded order.

    ``command(units)`` is the command line that records the units anew, or the whole for none. ``changed``: the workflow
    says something else than when it was recorded. ``bounds`` as in ``cassette.values.request_value``.
    ``contexts`` are the context lengths that it names: any other one was reckoned from what was known of the steps.
    ``timed``: real commands and tools say how long they took; so how long anything took is not compared in a prompt.
    ``jumps``: time jumps, so that what was cancelled can be waited for until it is cancelled again.
    """

    def __init__(
        self,
        cassette: Cassette,
        mask: Mask,
        command: Callable[[Sequence[str]], str],
        *,
        changed: bool = False,
        bounds: Collection[int] = (),
        contexts: Collection[int] = (),
        timed: bool = False,
        jumps: bool = False,
    ) -> None:
        self.mask = mask
        self.bounds = bounds
        self.contexts = contexts
        self.jumps = jumps
        self.mismatches: list[tuple[str, StepError]] = []
        """What was asked and is not recorded, by unit."""
        self._cassette = cassette
        self._command = command
        self._changed = changed
        self._timed = timed
        self._left: dict[tuple[str, str, Kind], list[Exchange]] = {}
        self._used: set[int] = set()
        self._passed: set[str] = set()
        self.to_come = 0
        """How many answers, of those that came, no unit has asked for yet."""
        for one in cassette.exchanges:
            self.to_come += _comes(one)
            self._left.setdefault((one.unit, self._key_of(one.kind, one.request), one.kind), []).append(one)

    def knows(self, kind: Kind, unit: str | None = None) -> bool:
        """Whether the unit (None = the one at work) has exchanges of the kind at all."""
        at = whereabouts().unit if unit is None else unit
        return any(one.kind == kind and one.unit == at for one in self._cassette.exchanges)

    def answers(self, model: str) -> bool:
        """Whether an answer of the model to the unit at work is there, and nobody has asked for it."""
        unit = whereabouts().unit
        return any(
            one.kind == "chat" and one.unit == unit and one.request.get("model") == model and id(one) not in self._used
            for one in self._cassette.exchanges
        )

    def all_of(self, kind: Kind) -> tuple[Exchange, ...]:
        """Every exchange of a kind, used or not."""
        return tuple(one for one in self._cassette.exchanges if one.kind == kind)

    def take(self, kind: Kind, request: Mapping[str, Any], place: Whereabouts | None = None) -> Exchange:
        """The recorded exchange, as it stands in the file; it is used up. ``place`` None = that of the task that asks.

        Raises:
            StepError: kind ``request``: there is none; with what differs from the nearest.
        """
        at = place or whereabouts()
        asked = self.mask.hidden(request)
        left = self._left.get((at.unit, self._key_of(kind, asked), kind))
        if not left:
            raise self._mismatch(kind, asked, at)
        one = left.pop(0)
        self._used.add(id(one))
        self.to_come -= _comes(one)
        return one

    def misshapen(self, one: Exchange, why: Exception) -> StepError:
        """The error for an answer that cannot be what it should be: somebody edited the file."""
        said = str(why) if isinstance(why, ValueError) else "it has another shape"
        if isinstance(why, KeyError):
            said = f"`{why.args[0]}` is missing"
        wrong = f"{self._cassette.file}:{one.line}: the answer is none of a {_WORDS[one.kind]}: {said}"
        return StepError("request", wrong, hint=self._way([one.unit]))

    def use(self, one: Exchange) -> None:
        """It was of use without being taken, as many times as wanted."""
        self._used.add(id(one))

    def passes(self, unit: str) -> None:
        """This unit is not replayed, so what was recorded of it is not missed."""
        self._passed.add(unit)

    def unused(self) -> tuple[Exchange, ...]:
        """What nobody asked for; what no run need ask for (loads depend on the schedule) is left out."""
        return tuple(
            one
            for one in self._cassette.exchanges
            if id(one) not in self._used and one.kind not in ("unload", "load") and one.unit not in self._passed
        )

    def shown_unused(self, unused: Sequence[Exchange]) -> str:
        """In words, for a warning."""
        few = unused[:_SHOWN]
        lines = [f"  {self._cassette.file}:{one.line}: {_WORDS[one.kind]} of {one.place}" for one in few]
        more = [f"  and {len(unused) - _SHOWN} more"] if len(unused) > _SHOWN else []
        count = f"{len(unused)} recorded exchange{'s were' if len(unused) > 1 else ' was'} not used"
        return "\n".join((f"{count}:", *lines, *more))

    def shown_mismatches(self) -> str:
        """In words, with the one command that records anew all that was asked and is not there; empty for one or none:
        its own error says it.
        """
        units = list(dict.fromkeys(unit for unit, _ in self.mismatches))
        if len(units) < 2:
            return ""
        count = f"{len(units)} steps and items ask what is not in {self._cassette.file}"
        return f"{count}; all of them are recorded anew by:\n  {self._command(self._together(units))}"

    def _key_of(self, kind: Kind, request: Mapping[str, Any]) -> str:
        key = _key(request)
        return _DURATION.sub("0", key) if self._timed and kind == "chat" else key

    def _together(self, units: Sequence[str]) -> list[str]:
        """The units; in place of all items that a step has, or of more than a person types, the step."""
        whole = dict[str, set[str]]()
        for unit in (*units, *(one.unit for one in self._cassette.exchanges)):
            whole.setdefault(without_indices(unit), set()).add(unit)
        short = {step for step, all_of_it in whole.items() if len(all_of_it) > 1 and all_of_it <= set(units)}
        named = list(dict.fromkeys(step if (step := without_indices(unit)) in short else unit for unit in units))
        return named if len(named) <= _TYPED else list(dict.fromkeys(map(without_indices, named)))

    def _way(self, units: Sequence[str]) -> str:
        return f"`{self._command([unit for unit in units if unit])}` records just that anew"

    def _mismatch(self, kind: Kind, asked: Mapping[str, Any], at: Whereabouts) -> StepError:
        what = f"the {_WORDS[kind]} of {at} is not in {self._cassette.file}"
        nearest = self._nearest(kind, asked, at)
        if nearest is None:
            said = f"{what}: there is none of its kind recorded"
        elif self._key_of(kind, nearest.request) == self._key_of(kind, asked):
            said = f"{what} once more: line {nearest.line} has it, and it was asked for already"
        else:
            lines = "\n".join(f"  {line}" for line in differences(nearest.request, asked))
            said = f"{what}; line {nearest.line} is nearest:\n{lines}"
        why = "the workflow has changed since it was recorded; " if self._changed else ""
        error = StepError("request", said, hint=f"{why}{self._way([at.unit])}")
        self.mismatches.append((at.unit, error))
        return error

    def _nearest(self, kind: Kind, asked: Mapping[str, Any], at: Whereabouts) -> Exchange | None:
        """Of the same unit, of the same turn first, one that is left before one that is used, the most similar."""
        mine = [one for one in self._cassette.exchanges if one.kind == kind and one.unit == at.unit]

        def nearness(one: Exchange) -> tuple[bool, bool, int]:
            return one.place == at, id(one) not in self._used, _alike(one.request, asked)

        return max(mine, key=nearness, default=None)


def _comes(one: Exchange) -> bool:
    return bool(one.unit) and not one.answer.get("cancelled")


def _alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> int:
    """How many characters two requests have in common at their beginning and their end."""
    one, other = _key(old), _key(new)
    most = min(len(one), len(other))
    head = next((i for i in range(most) if one[i] != other[i]), most)
    tail = next((i for i in range(most - head) if one[-1 - i] != other[-1 - i]), most - head)
    return head + tail


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=list)
