"""What a recipe's code imports, against what is installed; nothing gets installed."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from flair_client.errors import RequirementsMissing


@dataclass(frozen=True, slots=True)
class Requirement:
    """One library that a recipe pins.

    Attributes:
        text: as the recipe has it, `NAME==VERSION`.
        installed: the version here; None where it is not installed.
    """

    text: str
    installed: str | None

    @property
    def is_met(self) -> bool:
        """Whether exactly this version is here; builds for a device count as it."""
        wanted = self.text.partition("==")[2]
        if self.installed is None:
            return False
        # As PEP 440 compares: `2.15.0` is met by `2.15.0+cpu`.
        plain = self.installed if "+" in wanted else self.installed.partition("+")[0]
        return plain == wanted


def look_up(requirements: Iterable[str]) -> tuple[Requirement, ...]:
    """Finds which versions are installed here."""
    return tuple(Requirement(text, _installed(text)) for text in requirements)


def _installed(text: str) -> str | None:
    name = text.partition("==")[0].partition("[")[0]
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def pip_line(requirements: Sequence[Requirement]) -> str:
    """The command that a user may run to install them."""
    return shlex.join(["pip", "install", *(one.text for one in requirements)])


def check_installed(requirements: Iterable[str]) -> tuple[Requirement, ...]:
    """Refuses to go on where something is not installed.

    Returns:
        Those that are here in another version than the recipe pins.

    Raises:
        RequirementsMissing: names them all, with the command that installs them.
    """
    found = look_up(requirements)
    missing = [one for one in found if one.installed is None]
    if missing:
        raise RequirementsMissing([one.text for one in missing], pip_line(missing))
    return tuple(one for one in found if not one.is_met)
