"""Which fault strikes which request: counted, and drawn alike in every run of the same script."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

from runner.rehearse.simulator.answer import Answer
from runner.rehearse.simulator.ask import Ask
from runner.rehearse.simulator.fault import FAULTS, FaultKind
from runner.rehearse.simulator.rewrite import is_json
from runner.rehearse.simulator.script import Script, ScriptedModel, Strike
from runner.words.errors import UsageError
from runner.words.suggest import did_you_mean

OLD = {"old-server": "0.3.20", "oldest-server": "0.3.5"}
QUEUE_FIRST_TOKEN = 0.1
"""Seconds that a model thinks where requests are to queue: without them nobody would ever wait."""


class Striking:
    """The faults of one running server; ``struck`` says how often each has struck so far."""

    def __init__(self, strikes: Sequence[Strike]) -> None:
        self.struck = Counter(strike.name for strike in strikes if FAULTS[strike.name].needs == "server")
        self._counted = [_Counted(strike) for strike in strikes]

    def load(self, model: ScriptedModel) -> FaultKind | None:
        """The fault that strikes this load."""
        return next((one.kind for one in self._counted if one.kind.needs == "load" and self._strikes(one, model)), None)

    def answer(self, ask: Ask, model: ScriptedModel, answer: Answer) -> FaultKind | None:
        """The fault that strikes this request; the first of the script wins, where several would."""
        for one in self._counted:
            if _fits(one.kind, ask, answer) and self._strikes(one, model, _form(one.kind, ask)):
                return one.kind
        return None

    def _strikes(self, one: _Counted, model: ScriptedModel, form: str = "") -> bool:
        if one.strike.model is not None and one.strike.model != model.key:
            return False
        hit = one.meets(form)
        self.struck[one.kind.name] += hit
        return hit


class _Counted:
    """A fault with the requests that it could strike so far, and the forms of request that it stays with."""

    def __init__(self, strike: Strike) -> None:
        self.strike = strike
        self.kind = FAULTS[strike.name]
        self._met = 0
        self._forms: set[str] = set()

    def meets(self, form: str) -> bool:
        """Whether it strikes the next request, which has this form."""
        self._met += 1
        hit = form in self._forms or (_due(self.strike, self._met) and _drawn(self.strike, self._met))
        if hit and form:
            self._forms.add(form)
        return hit


def _due(strike: Strike, number: int) -> bool:
    return strike.on is None or strike.on == number


def _drawn(strike: Strike, number: int) -> bool:
    if strike.probability >= 1:
        return True
    digest = blake2b(f"{strike.seed}/{strike.name}/{strike.model}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 < strike.probability


def _fits(kind: FaultKind, ask: Ask, answer: Answer) -> bool:
    fits: Mapping[str, bool] = {
        "request": True,
        "call": bool(answer.calls),
        "calls": len(answer.calls) > 1,
        "form": bool(ask.conversation.offered) or ask.conversation.schema,
    }
    return fits.get(kind.needs, False) or (kind.needs == "json" and not answer.calls and is_json(answer.content))


def _form(kind: FaultKind, ask: Ask) -> str:
    """What of a request a server may fail to digest; one that is worded otherwise may pass."""
    if kind.needs != "form":
        return ""
    return json.dumps(ask.shape, sort_keys=True, default=str)


def strike(name: str) -> Strike:
    """The fault as it strikes unless told otherwise: once, or as long as it means."""
    return Strike(name=name, on=None if FAULTS[name].lasting else 1)


def named_faults(text: str) -> tuple[str, ...]:
    """The faults of a command line: names with commas between them, or ``all``.

    Raises:
        UsageError: a name is none.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if names == ("all",):
        return tuple(FAULTS)
    for name in names:
        if name not in FAULTS:
            hint = did_you_mean(name, FAULTS) or "`bridge-run simulate --faults list` prints them all"
            raise UsageError(f"there is no fault `{name}`", hint=hint)
    if not names:
        raise UsageError("`--faults` names no fault", hint="`bridge-run simulate --faults list` prints them all")
    return names


def struck_by(script: Script, text: str) -> Script:
    """The script with the faults of a command line before its own.

    With ``all`` each strikes one request, in the order of the table; what concerns the whole server is left out.

    Raises:
        UsageError: as ``named_faults``.
    """
    names = named_faults(text)
    if text.strip() == "all":
        strikes = [Strike(name=name, on=1) for name in names if FAULTS[name].needs != "server"]
    else:
        strikes = [strike(name) for name in names]
    return replace(script, faults=(*strikes, *script.faults))


def staged(script: Script) -> Script:
    """The script as the faults that concern the whole server change it before it starts."""
    for name in dict.fromkeys(strike.name for strike in script.faults):
        if name in OLD:
            script = replace(script, settings=replace(script.settings, version=OLD[name]))
        elif name == "queue":
            script = _remodelled(script, _one_slot)
        elif FAULTS[name].needs == "load":
            script = _remodelled(script, lambda model: replace(model, loaded=None))
    return script


def _remodelled(script: Script, change: Callable[[ScriptedModel], ScriptedModel]) -> Script:
    return replace(script, models={key: change(model) for key, model in script.models.items()})


def _one_slot(model: ScriptedModel) -> ScriptedModel:
    loaded = None if model.loaded is None else replace(model.loaded, parallel=1)
    pace = replace(model.pace, first_token=max(model.pace.first_token, QUEUE_FIRST_TOKEN))
    return replace(model, parallel=1, loaded=loaded, pace=pace)
