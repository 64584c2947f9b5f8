"""A recording played back in place of the walls."""
