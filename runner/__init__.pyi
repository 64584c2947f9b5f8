# What `__getattr__` gives, for type checkers. Beside the module, not in it: every floor imports `runner` for its
# version, and nothing below the roof may import the application, be it for types.
from runner.app.validator import ModelValidator as ModelValidator
from runner.words.errors import BridgeError as BridgeError
from runner.words.errors import CircuitOpenError as CircuitOpenError
from runner.words.errors import LLMAuthenticationError as LLMAuthenticationError
from runner.words.errors import LLMConnectionError as LLMConnectionError
from runner.words.errors import LLMError as LLMError
from runner.words.errors import LLMRateLimitError as LLMRateLimitError
from runner.words.errors import LLMResponseError as LLMResponseError
from runner.words.errors import LLMTimeoutError as LLMTimeoutError
from runner.words.errors import LLMValidationError as LLMValidationError
from runner.words.errors import ModelMemoryError as ModelMemoryError
from runner.words.errors import ModelNotFoundError as ModelNotFoundError
from runner.words.errors import ToolServerError as ToolServerError

__version__: str
