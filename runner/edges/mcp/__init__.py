"""Tool servers: MCP over pipes and over HTTP, as a ``ToolBox``."""
