"""bridge-run: checked-in workflows of AI agents on models you own.

From Python: ``ModelValidator`` tells whether a model exists, and every error that it or a run raises can be imported
from here. Each is loaded when it is first named, for ``import runner`` itself is part of every start.
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = [
    "BridgeError", "CircuitOpenError", "ContextError", "LLMAuthenticationError", "LLMConnectionError", "LLMError",
    "LLMRateLimitError", "LLMResponseError", "LLMTimeoutError", "LLMValidationError", "ModelMemoryError",
    "ModelNotFoundError", "ModelValidator", "ToolServerError", "__version__",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """The public name, imported now.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = "runner.app.validator" if name == "ModelValidator" else "runner.words.errors"
    return getattr(import_module(home), name)
