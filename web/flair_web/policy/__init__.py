"""Policies: the rules of rounds."""
