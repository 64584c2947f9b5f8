"""What the user wrote: text, shape, meaning."""
