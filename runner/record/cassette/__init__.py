"""A recording: its lines, read and written so that a diff of it reads well."""
