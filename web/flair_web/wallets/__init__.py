"""What a wallet did and may do."""
