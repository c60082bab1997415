"""The command `flair`: parses, calls one porcelain function, prints. No logic."""
