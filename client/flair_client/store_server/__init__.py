"""A store for others: blocks to anybody, uploads from those with a role."""
