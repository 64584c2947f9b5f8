"""``bridge-run serve``: the tools of the bridge behind the MCP wall, for hosts."""
