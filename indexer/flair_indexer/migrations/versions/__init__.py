"""Steps, named by date."""
