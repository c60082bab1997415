"""The one error of the build: a sentence that names the thing."""


class BuildError(Exception):
    """The program cannot be built, or differs from the shipped one; the text is for the user."""
