"""Flair: one shared model, many sites, data that never moves."""
