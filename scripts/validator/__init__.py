"""Runs Flair's commands against a real node and compares it with the localnet."""
