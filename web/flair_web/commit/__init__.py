"""A commit's page."""
