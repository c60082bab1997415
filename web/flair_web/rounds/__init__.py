"""Rounds: their list, and one of them."""
