"""How often Python looks for cycles of objects: seldom, where none are made.

Every answer of a node becomes thousands of small objects that go again by themselves;
looking through all of them for cycles each time took a fifth of the whole.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# So many more objects than went before a look; at most some MiB lie there until then.
_THRESHOLDS: Final = (50_000, 20, 50)


@contextmanager
def collected_seldom() -> Iterator[None]:
    """Leaves out what is there by now, modules and classes, and looks seldom."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
