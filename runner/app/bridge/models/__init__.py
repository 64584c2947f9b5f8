"""The tools of the bridge for models: asking them, loading them, telling what there is."""
