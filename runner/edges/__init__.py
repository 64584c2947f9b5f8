"""Real walls: model servers, tool servers, files, commands, the clock."""
