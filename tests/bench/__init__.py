"""Measures the ingest and the pages: `python -m tests.bench --help`."""
