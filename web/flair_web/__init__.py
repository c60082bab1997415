"""The site: what the indexer and the store know, as pages; it holds no key."""
