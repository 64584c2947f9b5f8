"""The bridge: tasks and workflows that others hand to our models, over MCP or from Python."""
