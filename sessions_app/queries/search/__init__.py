"""Search: what people write, where it is, and how it is shown."""
