"""Models without a server of models: llama.cpp's own, started on a GGUF file and ended with the run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from runner.chat.catalogue import EndpointCatalogue, Instance, ModelEntry
from runner.chat.endpoint import Embedded, Endpoint
from runner.chat.messages import ChatAnswer, ChatRequest, OnDelta
from runner.edges.embedded.model_files import ModelFile, Shelf, all_models, find_model, models_folder
from runner.edges.embedded.process import INSTALL_HINT, EmbeddedProcess, start
from runner.edges.model_server.lmstudio import HttpBackend
from runner.edges.process_group import Offspring
from runner.words.errors import LLMError, LLMResponseError, LLMValidationError, ModelNotFoundError

CONTEXT: Final = 8192
"""Tokens of context where nobody asks for a number; less if the model was trained on less."""

_UNDERSTOOD: Final = ("context_length", "eval_batch_size", "flash_attention", "offload_kv_cache_to_gpu")
_DYING_SECONDS: Final = 0.5
"""How long a process that broke a connection has to be seen as ended; without a crash, that is lost time."""
_SIGNS_OF_DEATH: Final = frozenset(("connection", "server", "empty"))


@dataclass(slots=True)
class _Running:
    """A loaded model: its process, the way to it, how many requests are under way, and whether it was let go of."""

    file: ModelFile
    instance: Instance
    process: EmbeddedProcess
    http: HttpBackend
    busy: int = 0
    dismissed: bool = False


@dataclass(slots=True)
class _Demand:
    """What is known of loading a model on demand: the turn-taking, and how it was loaded the last time."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    settings: Mapping[str, Any] = field(default_factory=dict)


class EmbeddedBackend:
    """A ``chat.backend.Backend`` that starts its servers itself, one process a loaded model.

    ``endpoint.embedded`` says which files it offers. ``offspring`` is told of every process, ``environment`` is ours:
    its ``HOME`` holds LM Studio's folder, and what it says of devices is passed on. The files are read once, when
    they are first asked for; no process is started before ``load`` or ``chat``.
    """

    def __init__(
        self, endpoint: Endpoint, *, offspring: Offspring | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self._endpoint = endpoint
        self._wanted = endpoint.embedded or Embedded()
        self._offspring = offspring if offspring is not None else Offspring()
        self._environment = os.environ if environment is None else environment
        self._found: Shelf | None = None
        self._looking = asyncio.Lock()
        self._running: dict[str, _Running] = {}
        self._reserved: set[str] = set()
        self._demands: dict[str, _Demand] = {}
        self._managed: set[str] = set()
        self._lost: dict[str, str] = {}

    @property
    def endpoint(self) -> str:
        """``embedded`` or ``embedded:NAME``, as it stands in plans and journals."""
        return self._endpoint.url

    async def catalogue(self) -> EndpointCatalogue:
        """What the model files say of themselves, and which of them are loaded.

        A single named file that is not loaded says nothing of being loaded, as a server with one model would: so it
        is taken where a workflow names no model.

        Raises:
            LLMResponseError: the file that was named is no model, or there is no such file or key.
            LLMValidationError: the extra is not installed.
        """
        _check_installed()
        shelf = await self._shelf()
        await self._forget_the_dead()
        return EndpointCatalogue(
            endpoint=self.endpoint,
            name=self._endpoint.name,
            flavour="llama.cpp",
            models=tuple(self._entry(file) for file in shelf.files),
            notes=shelf.notes,
            manages=True,
            load_settings=_UNDERSTOOD,
        )

    async def load(self, model: str, settings: Mapping[str, Any]) -> Instance:
        """Start a server on the model of that name, and wait until it has loaded it.

        The context is what ``settings`` ask for, else the configuration, else ``CONTEXT``; never more than the model
        was trained on. It is that of one request: each of the ``parallel`` ones has as much.

        Raises:
            ModelMemoryError: it does not fit.
            ModelNotFoundError: there is no such model.
            LLMValidationError: a setting that llama.cpp cannot be given; the extra is not installed.
            LLMResponseError: llama.cpp cannot load it, or crashed on it.
        """
        instance = await self._load(model, settings)
        self._managed.add(instance.id)
        return instance

    async def _load(self, model: str, settings: Mapping[str, Any]) -> Instance:
        self._check_settings(model, settings)
        file = await self._file(model)
        await self._forget_the_dead()  # the name of one that died is free again
        name = self._reserve(file.entry.key)
        try:
            running = await self._start(name, file, settings)
        finally:
            self._reserved.discard(name)
        self._running[name] = running
        self._lost.pop(name, None)
        self._demand(file).settings = dict(settings)
        return running.instance

    async def chat(self, request: ChatRequest, on_delta: OnDelta | None = None) -> ChatAnswer:
        """Ask a model, loading it first if it is not there and nobody has loaded it by ``load``.

        Whoever loads looks after what he has loaded: if it has died, he is told so, and loads it anew as he thinks fit.

        Raises:
            LLMError: the request failed, by class; kind ``crash``: the server died of it, or has died since.
        """
        running = await self._serving(request.model)
        running.busy += 1
        try:
            return await running.http.chat(replace(request, model=running.instance.id), on_delta)
        except LLMError as error:
            raise await self._explained(running, error) from error.__cause__
        finally:
            running.busy -= 1

    async def unload(self, instance: str) -> None:
        """End the server of that instance and wait until it is gone; one that is gone already counts as done."""
        self._managed.discard(instance)
        self._lost.pop(instance, None)
        running = self._running.get(instance)
        if running is not None:
            running.dismissed = True
            await self._end(running)

    async def close(self) -> None:
        """End all servers; may be called twice."""
        for name in tuple(self._running):
            await self.unload(name)

    async def _serving(self, model: str) -> _Running:
        """The server that is to answer: the very instance, else the least busy one of the model, else a new one."""
        await self._forget_the_dead()
        if model in self._running:
            return self._running[model]
        if model in self._lost:
            raise _crashed(f"`{model}` on {self.endpoint}", self._lost[model])
        file = await self._file(model)
        demand = self._demand(file)
        async with demand.turn:
            several = list(self._of(file))
            if not several:
                loaded = await self._load(file.entry.key, demand.settings)
                several = [self._running[loaded.id]]
        return min(several, key=lambda running: running.busy)

    async def _start(self, name: str, file: ModelFile, settings: Mapping[str, Any]) -> _Running:
        who, head = f"`{name}` on {self.endpoint}", file.head
        context = settings.get("context_length") or self._wanted.context_length or CONTEXT
        context = min(context, head.context_length or context)
        slots = self._wanted.parallel
        setting = {
            "path": str(file.path.absolute()),
            "alias": name,
            "context": context,
            "slots": slots,
            "memory": (file.entry.size_bytes or 0) + (head.cache_bytes or 0) * context * slots,
            "embedding": file.entry.type == "embedding",
            "batch": settings.get("eval_batch_size"),
            "flash_attention": settings.get("flash_attention"),
            "cache_on_gpu": settings.get("offload_kv_cache_to_gpu", True),
        }
        process = await start(setting, who=who, environment=self._environment, offspring=self._offspring)
        http = HttpBackend(
            process.address,
            token=process.token,
            first_byte_timeout=self._endpoint.first_byte_timeout,
            idle_timeout=self._endpoint.idle_timeout,
        )
        try:
            said = await http.catalogue()  # answers only once it is healthy, and says what a slot really has
        except BaseException:
            await http.close()
            await process.end()
            raise
        loaded = next((one for model in said.models for one in model.instances), Instance(id=name))
        config = {key: value for key, value in settings.items() if key != "context_length"}
        instance = Instance(
            id=name, context_length=loaded.context_length or context, parallel=loaded.parallel or slots, config=config
        )
        return _Running(file=file, instance=instance, process=process, http=http)

    async def _explained(self, running: _Running, error: LLMError) -> LLMError:
        """The same failure for a reader who knows of no port; a crash, if the process is gone."""
        name = running.instance.id
        who = f"`{name}` on {self.endpoint}"
        if error.kind in _SIGNS_OF_DEATH and await running.process.ends_within(_DYING_SECONDS):
            if running.dismissed:
                return LLMResponseError(f"{who} was unloaded while it worked", kind="crash")
            words = running.process.last_words()
            await self._bury(running)
            return _crashed(who, words)
        error.message = error.message.replace(running.process.address, self.endpoint)
        error.args = (error.message,)
        return error

    async def _forget_the_dead(self) -> None:
        for running in tuple(self._running.values()):
            if not running.process.runs:
                await self._bury(running)

    async def _bury(self, running: _Running) -> None:
        """Forget one that died, but for its last words where somebody believes that it is loaded."""
        name = running.instance.id
        if name in self._managed and self._running.get(name) is running:
            self._lost[name] = running.process.last_words()
            self._managed.discard(name)
        await self._end(running)

    async def _end(self, running: _Running) -> None:
        """Forget it at once, whoever else still asks it; then end it, which does no harm a second time."""
        if self._running.get(running.instance.id) is running:
            del self._running[running.instance.id]
        try:
            await running.http.close()
        finally:
            await running.process.end()

    async def _shelf(self) -> Shelf:
        async with self._looking:
            if self._found is None:
                self._found = await asyncio.to_thread(self._look)
            return self._found

    def _look(self) -> Shelf:
        home = Path(self._environment.get("HOME") or Path.home())
        own = self._wanted.models_folder
        folder = Path(own).expanduser() if own else models_folder(home)
        if self._wanted.model is not None:
            return Shelf(files=(find_model(self._wanted.model, folder, home=home),))
        if not folder.is_dir():
            return Shelf(files=(), notes=(f"there is no models folder {folder}; name a file: embedded:FILE.gguf",))
        return all_models(folder, home=home)

    async def _file(self, model: str) -> ModelFile:
        """The file of a model by any of its names, or by the id of an instance that has ended."""
        shelf = await self._shelf()
        wanted = model.casefold()
        for name in (wanted, wanted.rpartition(":")[0]):
            for file in shelf.files:
                if name in (one.casefold() for one in file.entry.names):
                    return file
        raise ModelNotFoundError(model, tuple(file.entry.key for file in shelf.files))

    def _entry(self, file: ModelFile) -> ModelEntry:
        instances = tuple(running.instance for running in self._of(file))
        silent = self._wanted.model is not None and not instances
        return replace(file.entry, instances=instances, loaded=None if silent else bool(instances))

    def _of(self, file: ModelFile) -> Iterator[_Running]:
        return (running for running in self._running.values() if running.file.entry.key == file.entry.key)

    def _demand(self, file: ModelFile) -> _Demand:
        return self._demands.setdefault(file.entry.key, _Demand())

    def _reserve(self, key: str) -> str:
        """The key, or as LM Studio counts further copies: ``key:2``."""
        name, number = key, 2
        while name in self._running or name in self._reserved:
            name, number = f"{key}:{number}", number + 1
        self._reserved.add(name)
        return name

    def _check_settings(self, model: str, settings: Mapping[str, Any]) -> None:
        unknown = [name for name in settings if name not in _UNDERSTOOD]
        if unknown:
            raise LLMValidationError(
                f"`{model}` on {self.endpoint} cannot be loaded with `{unknown[0]}`: an embedded server has no such "
                "setting",
                hint=f"of `load` it knows {', '.join(_UNDERSTOOD)}",
            )


def _check_installed() -> None:
    from importlib.util import find_spec

    if find_spec("xllamacpp") is None:
        raise LLMValidationError(
            "an embedded server needs llama.cpp, and the package `xllamacpp` is not installed", hint=INSTALL_HINT
        )


def _crashed(who: str, words: str) -> LLMResponseError:
    hint = "the same prompt twice: try a smaller context, another quantization, or fewer steps at once"
    return LLMResponseError(f"{who} crashed: its process {words}", kind="crash", hint=hint)
