"""Puts the user's own network into a new recipe: model.py, and a train.py for it.

No verb itself.
"""

import ast
import inspect
import sys
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from flair_client.training.recipe import MAX_CODE_BYTES

_NAME: Final = "NETWORK"
_INPUT: Final = "INPUT"


@dataclass(frozen=True, slots=True)
class RecipeCode:
    """The code of a new recipe.

    Attributes:
        model: text of `model.py`.
        train: text of `train.py`.
        class_name: of the network in it.
        requirements: what it imports, pinned to what is installed here.
    """

    model: str
    train: str
    class_name: str
    requirements: tuple[str, ...]


class CodeLeftOut(Exception):
    """A network's module cannot be a recipe's `model.py`; tells why."""


def torch_code(value: Any, name: str, *, has_columns: bool) -> RecipeCode:
    """Gives the code of a recipe for a network.

    Args:
        value: the network, as the user's module made it.
        name: `package.module:Name` that it was asked for by.
        has_columns: whether the recipe declares columns.

    Raises:
        CodeLeftOut: its module cannot be copied as it is.
    """
    module_name, _, attribute = name.partition(":")
    if not attribute.isidentifier():
        raise CodeLeftOut(f"{attribute!r} is inside of something else")
    module = sys.modules.get(module_name)
    found = getattr(module, attribute, None)
    if found is value:
        raise CodeLeftOut(f"{attribute!r} is a network, neither a class nor a function")
    # Where it was written, which need not be where it was found.
    home = sys.modules.get(getattr(found, "__module__", module_name), module)
    if not hasattr(home, attribute):
        raise CodeLeftOut(f"{attribute!r} has another name where it was written")
    text = _source(home)
    _check_imports(text, home)
    train = files("flair_client.training").joinpath("templates/train_torch.txt")
    shown = "data.scaled" if has_columns else "data.x"
    return RecipeCode(
        model=text,
        train=train.read_text("utf-8")
        .replace(_NAME, attribute)
        .replace(f"({_INPUT},", f"({shown},"),
        class_name=attribute,
        requirements=(f"torch=={version('torch').partition('+')[0]}",),
    )


def _source(module: Any) -> str:
    try:
        path = Path(inspect.getsourcefile(module) or "")
        raw = path.read_bytes()
    except (OSError, TypeError) as exc:
        raise CodeLeftOut("its module has no source file") from exc
    if len(raw) > MAX_CODE_BYTES:
        limit = f"a recipe's file at most {MAX_CODE_BYTES}"
        raise CodeLeftOut(f"{path.name} has {len(raw)} bytes, {limit}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise CodeLeftOut(f"{path.name} is no text in UTF-8") from exc


def _check_imports(text: str, module: Any) -> None:
    """Refuses imports of modules that lie beside it: a recipe would not have them."""
    folder = Path(inspect.getsourcefile(module) or "").parent
    package, dot, _ = module.__name__.partition(".")
    own = {package} if dot else set()
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise CodeLeftOut(f"it imports {'.' * node.level}{node.module or ''}")
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            beside = folder / f"{top}.py"
            if (
                top in own
                or beside.is_file()
                or (folder / top / "__init__.py").exists()
            ):
                raise CodeLeftOut(f"it imports {name}, which is a module of your own")
