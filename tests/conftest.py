"""What all tests share: property tests that find the same examples every time."""

from hypothesis import settings

settings.register_profile("flair", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("flair")
