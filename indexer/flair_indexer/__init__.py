"""Mirrors the program's events into SQL, and proves that none is missing."""
