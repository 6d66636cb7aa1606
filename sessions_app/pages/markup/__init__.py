"""Hostile text -> safe HTML: Markdown, code, terminal output, diffs, JSON."""
