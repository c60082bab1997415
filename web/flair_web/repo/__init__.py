"""A repository's first page."""
