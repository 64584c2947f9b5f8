"""``bridge-run models``: what the model servers have, loaded, unloaded, downloaded."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import config_option, endpoint_option, no_color_option, simulate_option

if TYPE_CHECKING:
    from runner.app.models.servers import ModelsRequest

DEFAULT = "ls"
_Function = Callable[..., int]


class Models(click.Group):
    """Its first verb may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default verb in front of what is none."""
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb; of a word that is none, what may have been meant."""
        if args[0] not in self.commands:
            from runner.words.suggest import did_you_mean

            hint = did_you_mean(args[0], self.commands) or f"`bridge-run models show {args[0]}` shows a model"
            raise click.UsageError(f"there is no `models {args[0]}`; {hint}", ctx=ctx)
        return super().resolve_command(ctx, args)


@click.group(name="models", cls=Models, short_help="List, load, unload and download models.")
def command() -> None:
    """What the model servers have and which workflows use it; `ls` may be left out."""


def _shared(function: _Function) -> _Function:
    return endpoint_option(simulate_option(config_option(no_color_option(function))))


def _listing(function: _Function) -> _Function:
    workflows = click.option(
        "--workflows", multiple=True, metavar="PATH", type=click.Path(), help="Where to look for users.  [workflows]"
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="For machines.")
    return workflows(as_json(_shared(function)))


@command.command(name="ls", short_help="List every model and who uses it.")
@_listing
def list_(*, workflows: tuple[str, ...], as_json: bool, **shared: Any) -> int:
    """Every model: its state, context, size, abilities, and the workflow files that use it."""
    from runner.app.models.models import list_models

    return list_models(_request(shared, workflows=workflows, format="json" if as_json else "text"), os.environ)


@command.command(name="show", short_help="Show all that is known of one model.")
@click.argument("key")
@_listing
def show(*, key: str, workflows: tuple[str, ...], as_json: bool, **shared: Any) -> int:
    """All that is known of one model: its loaded copies and their settings, and who uses it."""
    from runner.app.models.models import show_model

    return show_model(key, _request(shared, workflows=workflows, format="json" if as_json else "text"), os.environ)


@command.command(name="load", short_help="Load a model.")
@click.argument("key")
@click.option("--context-length", type=click.IntRange(1), metavar="TOKENS", help="At least so many tokens of context.")
@click.option("--eval-batch-size", type=click.IntRange(1), metavar="TOKENS", help="Tokens evaluated at once.")
@click.option("--flash-attention/--no-flash-attention", default=None, help="Whether to use flash attention.")
@click.option("--num-experts", type=click.IntRange(1), metavar="N", help="Experts in use, of a model that has several.")
@click.option(
    "--offload-kv-cache-to-gpu/--no-offload-kv-cache-to-gpu",
    default=None,
    help="Whether the cache of the context lies on the GPU.",
)
@_shared
def load(
    *,
    key: str,
    context_length: int | None,
    eval_batch_size: int | None,
    flash_attention: bool | None,
    num_experts: int | None,
    offload_kv_cache_to_gpu: bool | None,
    **shared: Any,
) -> int:
    """Load a model and wait for it; a loaded copy that is good enough is left as it is."""
    from runner.app.models.memory import load_model

    settings = {
        "context_length": context_length,
        "eval_batch_size": eval_batch_size,
        "flash_attention": flash_attention,
        "num_experts": num_experts,
        "offload_kv_cache_to_gpu": offload_kv_cache_to_gpu,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    return load_model(key, given, _request(shared), os.environ)


@command.command(name="unload", short_help="Unload a model.")
@click.argument("name", required=False, metavar="[ID|KEY]")
@click.option("--all", "everything", is_flag=True, help="Every loaded model.")
@click.option("--exact", is_flag=True, help="The name is the id of one copy, not a key.")
@_shared
def unload(*, name: str | None, everything: bool, exact: bool, **shared: Any) -> int:
    """Unload a copy by its id, or a model by its key; of several copies it asks which."""
    if (name is None) is not everything:
        raise click.UsageError("name a model, or say `--all`" if name is None else "`--all` takes no name")
    if exact and name is None:
        raise click.UsageError("`--exact` needs the id of a copy")
    from runner.app.models.memory import unload_models

    choose = _choose if sys.stdin.isatty() else None
    return unload_models(name, _request(shared), os.environ, exact=exact, choose=choose)


@command.command(name="get", short_help="Download a model.")
@click.argument("key")
@click.option("--quantization", metavar="NAME", help="Which one, such as Q4_K_M, where the key is a Hugging Face page.")
@_shared
def get(*, key: str, quantization: str | None, **shared: Any) -> int:
    """Have the server download a model: its KEY, or the address of its page on Hugging Face."""
    from runner.app.models.download import get_model

    return get_model(key, quantization, _request(shared), os.environ)


def _request(shared: dict[str, Any], **more: Any) -> ModelsRequest:
    from runner.app.models.servers import ModelsRequest

    return ModelsRequest(
        endpoints=shared["endpoints"],
        simulate=shared["simulate"],
        colour=not shared["no_color"],
        config=shared["config"],
        **more,
    )


def _choose(question: str, choices: Sequence[str]) -> str:
    answer: str = click.prompt(question, type=click.Choice(list(choices)), err=True)
    return answer
