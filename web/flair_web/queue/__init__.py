"""What waits for an owner."""
