"""Why a wish for a model is not met, in words: as the finding of a plan, or as the warning beside a fallback."""

from __future__ import annotations

from collections.abc import Sequence

from runner.chat.catalogue import Catalogue, ModelEntry
from runner.plan.finding import finding
from runner.plan.lookup import Found, similar_names
from runner.plan.plan import ModelChoice
from runner.plan.setting import Setting
from runner.plan.wanted import CONFIGURED, Wanted
from runner.words.diagnostics import Diagnostic, Note
from runner.words.noun import noun
from runner.words.suggest import did_you_mean
from runner.workflow.model import Workflow

_SHOWN = 8


@noun
class Miss:
    """A wish that nothing meets: ``finding`` if no other is met either, else ``why`` it was passed over.

    A ``fatal`` one is an error whatever else is there.
    """

    wish: Wanted
    finding: Diagnostic
    why: str = ""
    fatal: bool = False


@noun
class Missing:
    """Finds the words; for one step at a time."""

    catalogue: Catalogue
    workflow: Workflow
    setting: Setting
    step_id: str

    def servers_for(self, wish: Wanted) -> Catalogue | Miss:
        """The servers that may have it: all, or the one it is bound to. A simulator stands in for every one."""
        if wish.endpoint is None or self.setting.simulated:
            return self.catalogue
        bound = tuple(server for server in self.catalogue.endpoints if server.name == wish.endpoint)
        return Catalogue(bound) if bound else self._no_such_server(wish, wish.endpoint)

    def _no_such_server(self, wish: Wanted, name: str) -> Miss:
        what = f"the model `{wish.name or wish.text}` is bound to the server `{name}`, which"
        asked = next((server for server in self.setting.servers if server.name == name), None)
        if asked is not None:
            why, code = f"{what} cannot be reached at {asked.url}", "BR314"
            ways = f"start it, or take `endpoint: {name}` out: then any server that has the model will do"
        elif name in self.setting.names:
            why, code = f"{what} this run does not ask", "BR314"
            ways = f"add `--endpoint {name}`; `--endpoint` and the environment name the servers of this run"
        else:
            known = ", ".join(f"`{other}`" for other in self.setting.names)
            ways = f"the configured servers are {known}" if known else "name it in `bridge.toml`: `[endpoints.NAME]`"
            ways = did_you_mean(name, self.setting.names) or ways
            why, code = f"{what} is not configured", "BR313"
        return Miss(wish=wish, finding=finding(self.workflow, code, _binding(wish), why, help=ways), why=why)

    def not_one_loaded(self, wish: Wanted, loaded: Sequence[Found]) -> Miss:
        """No model is named, and none or several are loaded (BR302)."""
        notes: tuple[Note, ...] = ()
        if loaded:
            names = ", ".join(f"`{found.entry.key}`" for found in loaded)
            why = f"no model is named for step `{self.step_id}`, and {len(loaded)} are loaded: {names}"
            first = loaded[0].entry.key
            ways = f"name one of them: `--model {first}` for once, or `defaults: {{model: {first}}}` in the file"
        else:
            why = f"no model is named for step `{self.step_id}`, and none is loaded"
            ways = (
                "name one: `--model ID` for this run, `defaults: {model: ID}` in the file, or load one: `lms load ID`"
            )
            notes = available(self.catalogue)
        what = "of the loaded models there is not just one"
        return Miss(
            wish=wish, finding=finding(self.workflow, "BR302", wish.path, why, help=ways, notes=notes), why=what
        )

    def not_found(self, wish: Wanted, servers: Catalogue) -> Miss:
        """The name is on no server (BR301)."""
        name = wish.name or wish.text
        near = similar_names(name, servers)
        if self.setting.recorded_by is not None:
            return self._not_recorded(wish, name, near, self.setting.recorded_by)
        where = f"the server `{wish.endpoint}` has" if wish.endpoint and not self.setting.simulated else "no server has"
        none = "no model" if where.startswith("the") else "a model"
        message = f"{where} {none} named `{name}`{_asked_for_by(wish)}"
        silent = "" if wish.endpoint else ", ".join(self._silent())
        ways = _did_you_mean(near) if near else f"download it (`lms get {name}`), or name one that is there"
        notes = available(servers)
        if silent:
            notes += (Note(message=f"{silent} could not be asked"),)
            ways = ways if near else f"see to {silent}, {ways}"
        found = finding(self.workflow, "BR301", wish.path, message, help=ways, notes=notes)
        lacks = "no server has" if where == "no server has" else f"the server `{wish.endpoint}` lacks"
        return Miss(wish=wish, finding=found, why=f"{lacks} the first wish `{name}`")

    def _not_recorded(self, wish: Wanted, name: str, near: Sequence[str], command: str) -> Miss:
        """The name is on no server of the recording that is replayed (BR301)."""
        message = f"the recording has no model named `{name}`{_asked_for_by(wish)}"
        ways = f"`{command}` records it with that model, with `--step ID` one step alone"
        if near:
            ways = f"{_did_you_mean(near)} Otherwise {ways}"
        notes = available(self.catalogue)
        found = finding(self.workflow, "BR301", wish.path, message, help=ways, notes=notes)
        return Miss(wish=wish, finding=found, why=f"the recording lacks the first wish `{name}`")

    def _silent(self) -> tuple[str, ...]:
        """The servers that were to be asked, and gave no list of models."""
        answered = {server.endpoint for server in self.catalogue.endpoints}
        return tuple(one.name or one.url for one in self.setting.servers if one.url not in answered)

    def only_embeds(self, wish: Wanted, found: Found) -> Miss:
        """The name belongs to a model that answers nothing (BR304)."""
        message = f"`{found.entry.key}` makes embeddings; it cannot answer a prompt{_asked_for_by(wish)}"
        ways = "name a model that answers prompts"
        notes = available(self.catalogue)
        about = finding(self.workflow, "BR304", wish.path, message, help=ways, notes=notes)
        return Miss(wish=wish, finding=about, fatal=True)

    def unreadable(self, wish: Wanted) -> Miss:
        """The template of the name cannot be rendered (BR301)."""
        message = f"the model's name `{wish.text}` cannot be made: {wish.problem}"
        ways = "a model's name may read `inputs`, nothing else"
        return Miss(wish=wish, finding=finding(self.workflow, "BR301", wish.path, message, help=ways), fatal=True)

    def first_wish(self, miss: Miss, taken: ModelChoice) -> Diagnostic:
        """The warning that a fallback answers (BR303)."""
        message = f"{miss.why}; its fallback `{taken.wanted}` is used"
        return finding(self.workflow, "BR303", miss.wish.path, message, level="warning")


def available(catalogue: Catalogue) -> tuple[Note, ...]:
    """What each server has, loaded models first, as notes beside a finding."""
    return tuple(
        Note(message=f"{server.name or server.endpoint} has {_listed(server.models)}") for server in catalogue.endpoints
    )


def _listed(models: Sequence[ModelEntry]) -> str:
    chat = [model for model in models if model.type != "embedding"]
    ordered = sorted(chat, key=lambda model: not (model.loaded or model.instances))
    names = [f"`{model.key}`" + (" (loaded)" if model.loaded else "") for model in ordered]
    if not names:
        return "no models that answer prompts"
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _did_you_mean(names: Sequence[str]) -> str:
    *others, last = [f"`{name}`" for name in names]
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"


def _asked_for_by(wish: Wanted) -> str:
    """Who asks, if it is not the file."""
    if wish.origin == CONFIGURED:
        return " (asked for by `default_model` of the configuration)"
    return f" (asked for by `{wish.origin}`)" if wish.origin.startswith("--") else ""


def _binding(wish: Wanted) -> tuple[str | int, ...]:
    """Where `endpoint` stands: beside the id; `span_at` falls back to what is around it."""
    return (*wish.path[:-1], "endpoint") if wish.path and wish.path[-1] == "id" else wish.path
