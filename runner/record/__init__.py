"""What has happened: events, the journal, the state folded from it."""
