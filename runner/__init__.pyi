# What `__getattr__` gives, for type checkers. Beside the module, not in it: every floor imports `runner` for its
# version, and nothing below the roof may import the application, be it for types.
from runner.app.api.api import CheckReport as CheckReport
from runner.app.api.api import check as check
from runner.app.api.api import load as load
from runner.app.api.api import run as run
from runner.app.api.api import run_sync as run_sync
from runner.app.api.api import start as start
from runner.app.api.live import LiveRun as LiveRun
from runner.app.api.run import Run as Run
from runner.app.bridge.autonomous.autonomous import TaskEnd as TaskEnd
from runner.app.bridge.bridge import Bridge as Bridge
from runner.app.validator import ModelValidator as ModelValidator
from runner.record.wire import Entry as Entry
from runner.words.errors import BridgeError as BridgeError
from runner.words.errors import CannotServeError as CannotServeError
from runner.words.errors import CircuitOpenError as CircuitOpenError
from runner.words.errors import ContextError as ContextError
from runner.words.errors import HistoryError as HistoryError
from runner.words.errors import LLMAuthenticationError as LLMAuthenticationError
from runner.words.errors import LLMConnectionError as LLMConnectionError
from runner.words.errors import LLMError as LLMError
from runner.words.errors import LLMRateLimitError as LLMRateLimitError
from runner.words.errors import LLMResponseError as LLMResponseError
from runner.words.errors import LLMTimeoutError as LLMTimeoutError
from runner.words.errors import LLMValidationError as LLMValidationError
from runner.words.errors import McpNotFoundError as McpNotFoundError
from runner.words.errors import ModelMemoryError as ModelMemoryError
from runner.words.errors import ModelNotFoundError as ModelNotFoundError
from runner.words.errors import OutsideError as OutsideError
from runner.words.errors import StepError as StepError
from runner.words.errors import ToolServerError as ToolServerError
from runner.words.errors import ToolsUnreachableError as ToolsUnreachableError
from runner.words.errors import UsageError as UsageError
from runner.words.errors import WorkflowError as WorkflowError
from runner.workflow.model import Workflow as Workflow

__version__: str
__all__: list[str]
