"""The built-in files: list, read, search, write and edit inside one folder, without a process."""
