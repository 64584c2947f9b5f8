"""The MCP servers in the files of other MCP clients."""
