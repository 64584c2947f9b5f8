"""Where models are served, as the configuration says it: an address or a model file of our own, and its bounds."""

from __future__ import annotations

from runner.words.noun import noun

IDLE_SECONDS = 120.0
"""The longest silence within an answer, unless the configuration says otherwise."""


@noun
class Embedded:
    """A llama.cpp server of our own. ``model`` is a GGUF file or a key of LM Studio's models folder.

    ``model`` None offers every model of that folder. ``models_folder`` None is LM Studio's own. ``context_length`` in
    tokens is what one request may use, None leaves it to the plan; ``parallel`` requests are answered at once.
    """

    model: str | None = None
    models_folder: str | None = None
    context_length: int | None = None
    parallel: int = 1


@noun
class Endpoint:
    """One server of models and how it may be used.

    ``url`` is its address without a trailing slash or ``/v1``; that of an embedded server is ``embedded`` or
    ``embedded:NAME``, for it has none before it runs. ``name`` is what a model's ``endpoint:`` calls it, None for an
    address given without a name. ``origin`` says where it was named: ``--endpoint``, ``bridge.toml``, ``the default``…

    ``max_loaded`` bounds how many models the runner keeps loaded there at once (None: 1, or as many as ``memory``
    holds if that is given); ``memory`` bounds their sizes together, in bytes. ``parallel`` bounds the requests to one
    loaded model, None leaves that to what the server says. Timeouts in seconds, None = no bound of its own.
    """

    url: str
    name: str | None = None
    origin: str = "--endpoint"
    token: str | None = None
    max_loaded: int | None = None
    memory: int | None = None
    parallel: int | None = None
    first_byte_timeout: float | None = None
    idle_timeout: float = IDLE_SECONDS
    embedded: Embedded | None = None

    @property
    def most_models(self) -> int | None:
        """How many models the runner keeps loaded there at once; None = as many as ``memory`` holds."""
        return 1 if self.max_loaded is None and self.memory is None else self.max_loaded

    @property
    def shown(self) -> str:
        """How messages name it: by its name where it has one, and by its address."""
        return f"`{self.name}` ({self.url})" if self.name else self.url
