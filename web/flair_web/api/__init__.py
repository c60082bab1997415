"""Everything that pages show, as JSON."""
