"""The first page, and searching."""
