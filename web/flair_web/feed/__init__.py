"""What is new in a repository, for readers of feeds."""
