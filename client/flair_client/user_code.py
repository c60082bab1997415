"""Objects from the user's own Python code, imported because the user named them.

Never for code that came from a repository: that runs in a sandbox, after `flair trust`.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flair_client.errors import UsageError


@dataclass(frozen=True, slots=True)
class UserObject:
    """Something that user code made.

    Attributes:
        value: what the name gives; called, where it is a class or function.
        name: as it was asked for.
        file: where its module lies, where that is known.
    """

    value: Any
    name: str
    file: str | None


def import_object(name: str, folder: Path) -> UserObject:
    """Imports `package.module:Name` and calls it without arguments, if it is callable.

    Args:
        name: module and attribute.
        folder: where modules are looked for first.

    Raises:
        UsageError: there is no such thing, or the code failed; tells how.
    """
    module_name, colon, attribute = name.partition(":")
    parts = [*module_name.split("."), *attribute.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise UsageError(f"{name!r} is not of the form package.module:Name")
    with _importable(folder):
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as exc:
            raise UsageError(f"there is no module {exc.name!r}") from exc
        except Exception as exc:
            raise UsageError(f"importing {module_name} failed: {_told(exc)}") from exc
        found: Any = module
        for part in attribute.split("."):
            if not hasattr(found, part):
                raise UsageError(f"{module_name} has no {attribute!r}")
            found = getattr(found, part)
        try:
            value = found() if _is_maker(found) else found
        except Exception as exc:
            raise UsageError(f"{attribute}() failed: {_told(exc)}") from exc
    return UserObject(value, name, getattr(module, "__file__", None))


def _is_maker(found: Any) -> bool:
    """Whether it makes the object; a network that can be called is one itself."""
    return inspect.isclass(found) or inspect.isroutine(found)


def _told(error: BaseException) -> str:
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
