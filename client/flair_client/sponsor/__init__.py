"""A service that pays fees and rent for a repository's contributors."""
