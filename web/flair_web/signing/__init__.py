"""What a wallet signs on the pages: actions, plans, and what comes back."""
