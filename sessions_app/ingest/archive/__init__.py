"""Archives: zips of sessions, ours and those that others made of session folders."""
