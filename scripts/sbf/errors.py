"""The one error of the build: a sentence that names the thing."""


class BuildError(Exception):
    """The program cannot be built, or is not what its sources give; says why."""
