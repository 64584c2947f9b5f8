"""The lock: what it holds, how it is read, written and compared."""
