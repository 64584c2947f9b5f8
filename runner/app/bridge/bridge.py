"""The bridge for Python programs: tasks for models of ours, without an MCP host between."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner.app import arguments
from runner.app.api.ear import Ear
from runner.app.bridge.autonomous.autonomous import TaskEnd, resolved_model, run_autonomous
from runner.app.bridge.autonomous.servers import DISCOVERED, enabled_servers, label_of, named_servers
from runner.app.bridge.autonomous.task import MAX_ROUNDS, TIMEOUT, AutonomousTask
from runner.app.bridge.house import BridgeHouse, BridgeSettings
from runner.app.validator import ModelValidator
from runner.edges.host_config.host_config import HostServer
from runner.edges.run_folder import RUNS
from runner.record.journal import Entry
from runner.words.errors import UsageError

OnEvent = Callable[[Entry], None]
"""Hears every entry of the journal of a task after it was written."""


class Bridge:
    """Hands tasks to models that work on them with MCP servers; any number at once, in one event loop.

    ``endpoints`` are addresses or names of model servers; without them those that a run would ask. ``mcp_json`` is the
    file of MCP servers; None looks where hosts keep theirs, below ``folder`` (the project) and in the home folder, and
    ``merge_mcp_json`` takes the servers of all files that are found. ``config`` is the configuration file, ``run_dir``
    the folder of run folders; ``environment`` stands for that of the process.

    Every task is a run: its journal is kept, its limits hold, what it started is gone at its end. Cancelling the call
    ends it. A model that a task has loaded stays for the next; it is unloaded after an idle hour, when another task
    needs its place, and by ``close``.

    Raises:
        UsageError: an address, or a token of the environment, makes no sense.
        WorkflowError: the configuration file is at fault.
    """

    def __init__(
        self,
        endpoints: str | Sequence[str] | None = None,
        *,
        mcp_json: str | os.PathLike[str] | None = None,
        merge_mcp_json: bool = False,
        config: str | os.PathLike[str] | None = None,
        folder: str | os.PathLike[str] = ".",
        run_dir: str | os.PathLike[str] = RUNS,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        settings = BridgeSettings(
            endpoints=arguments.texts("endpoints", endpoints),
            config=arguments.path_or_none("config", config),
            folder=Path(arguments.path("folder", folder)).absolute(),
            run_dir=arguments.path("run_dir", run_dir),
            mcp_json=arguments.path_or_none("mcp_json", mcp_json),
            merge_mcp_json=merge_mcp_json,
        )
        self._house = BridgeHouse(settings, arguments.environment_or_ours(environment))
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def models(self) -> ModelValidator:
        """Which models there are."""
        return self._house.validator

    async def autonomous_with_mcp(
        self,
        mcp_name: str,
        task: str,
        model: str | None = None,
        *,
        max_rounds: int = MAX_ROUNDS,
        max_tokens: int | None = None,
        timeout: float = TIMEOUT,  # noqa: ASYNC109  it is the task's own, and told as its failure
        system: str | None = None,
        output_schema: Mapping[str, Any] | None = None,
        tools: Sequence[str] | None = None,
        images: Sequence[str | os.PathLike[str]] = (),
        keep_loaded: bool = False,
        on_event: OnEvent | None = None,
    ) -> TaskEnd:
        """Have a model work on a task with the tools of one MCP server, until it answers.

        ``model`` None is the default model. ``max_rounds`` is the most answers of the model, ``max_tokens`` the most
        tokens of one answer, ``timeout`` the seconds of the whole task. ``output_schema`` is a JSON Schema that the
        answer must fit; it then is the ``value``. ``tools`` are globs over ``server.tool``, None = all. ``images`` are
        paths. ``keep_loaded``: a model that had to be loaded stays so for good, not just for the next task.

        Raises:
            ModelNotFoundError: no server has the model; it has ``available_models``, and nothing was started.
            McpNotFoundError: there is no such MCP server, or it is disabled; it has ``available_mcps``.
            UsageError: an argument makes no sense.
            WorkflowError: the file of MCP servers, or the schema, is at fault.
            CannotServeError: an MCP server lacks something here, or did not start.
            LLMError: the model server failed, by class.
            StepError: the task failed in another way; its ``kind`` says how.
        """
        return await self._do(
            [arguments.text("mcp_name", mcp_name)], on_event, task=task, model=model,
            max_rounds=max_rounds, max_tokens=max_tokens, timeout=timeout, system=system, output_schema=output_schema,
            tools=tools, images=images, keep_loaded=keep_loaded,
        )  # fmt: skip

    async def autonomous_with_multiple_mcps(
        self,
        mcp_names: Sequence[str],
        task: str,
        model: str | None = None,
        *,
        max_rounds: int = MAX_ROUNDS,
        max_tokens: int | None = None,
        timeout: float = TIMEOUT,  # noqa: ASYNC109  as above
        system: str | None = None,
        output_schema: Mapping[str, Any] | None = None,
        tools: Sequence[str] | None = None,
        images: Sequence[str | os.PathLike[str]] = (),
        keep_loaded: bool = False,
        on_event: OnEvent | None = None,
    ) -> TaskEnd:
        """The same with the tools of several MCP servers.

        Raises:
            BridgeError: as ``autonomous_with_mcp``.
        """
        return await self._do(
            mcp_names, on_event, task=task, model=model,
            max_rounds=max_rounds, max_tokens=max_tokens, timeout=timeout, system=system, output_schema=output_schema,
            tools=tools, images=images, keep_loaded=keep_loaded,
        )  # fmt: skip

    async def autonomous_discover_and_execute(
        self,
        task: str,
        model: str | None = None,
        *,
        max_rounds: int = MAX_ROUNDS,
        max_tokens: int | None = None,
        timeout: float = TIMEOUT,  # noqa: ASYNC109  as above
        system: str | None = None,
        output_schema: Mapping[str, Any] | None = None,
        tools: Sequence[str] | None = None,
        images: Sequence[str | os.PathLike[str]] = (),
        keep_loaded: bool = False,
        on_event: OnEvent | None = None,
    ) -> TaskEnd:
        """The same with the tools of all MCP servers that are enabled.

        One that cannot be started is left out, and ``warnings`` says so, unless none is left.

        Raises:
            BridgeError: as ``autonomous_with_mcp``.
        """
        return await self._do(
            None, on_event, task=task, model=model, max_rounds=max_rounds,
            max_tokens=max_tokens, timeout=timeout, system=system, output_schema=output_schema, tools=tools,
            images=images, keep_loaded=keep_loaded, tolerant=True,
        )  # fmt: skip

    async def list_available_mcps(self) -> tuple[HostServer, ...]:
        """The MCP servers of the hosts' files, in file order, the disabled ones too; nothing is started.

        Raises:
            WorkflowError: the files are broken.
        """
        return tuple(self._house.hosts.servers().values())

    async def close(self) -> None:
        """Unload what tasks have loaded, and forget what was asked; may be called twice.

        Tasks that go on are ended by cancelling them.
        """
        self._closed = True
        await self._house.close()

    async def _do(
        self,
        mcp_names: Sequence[str] | None,
        on_event: OnEvent | None,
        *,
        task: str,
        model: str | None,
        max_rounds: int,
        max_tokens: int | None,
        timeout: float,  # noqa: ASYNC109  as above
        system: str | None,
        tools: Sequence[str] | None,
        images: Sequence[str | os.PathLike[str]],
        **given: Any,
    ) -> TaskEnd:
        arguments.need_asyncio("Bridge")
        if self._closed:
            raise UsageError("the bridge is closed", hint="hand it tasks inside of its `async with` block")
        ear = Ear(on_event)
        asked: dict[str, Any] = {
            "task": arguments.text("task", task),
            "model": arguments.text_or_none("model", model),
            "max_rounds": arguments.whole_or_none("max_rounds", max_rounds),
            "max_tokens": arguments.whole_or_none("max_tokens", max_tokens),
            "timeout": arguments.number("timeout", timeout),
            "system": arguments.text_or_none("system", system),
            "tools": None if tools is None else arguments.texts("tools", tools),
            "images": arguments.paths("images", images),
        }
        names = None if mcp_names is None else arguments.texts("mcp_names", mcp_names)
        found = await resolved_model(self._house, model)  # first of all: who swaps models learns which there are
        servers = enabled_servers(self._house) if names is None else named_servers(self._house, names)
        label = DISCOVERED if names is None else label_of(names)
        end = await run_autonomous(
            self._house,
            AutonomousTask(servers=servers, **asked, **given),
            mcp_label=label,
            model=found,
            listener=ear.hear,
        )
        return replace(end, warnings=(*end.warnings, *ear.complaints)) if ear.complaints else end
