"""The aggregator: verifies pending updates and posts merges."""
