"""Our own MCP server: what stands behind a desk, offered over stdio and HTTP."""
