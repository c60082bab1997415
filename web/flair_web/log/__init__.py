"""A repository's history as a graph."""
