"""An LM Studio look-alike over real HTTP, scripted by a YAML file."""
