"""Tasks that a host or a program hands to a local model: workflows of one step, made in memory."""
