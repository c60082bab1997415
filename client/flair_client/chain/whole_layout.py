"""A structure of fixed size, read at once: what `layout.decode` tries first."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WholeLayout:
    """How all bytes of a structure become the values of its fields.

    Attributes:
        struct: of all its bytes.
        fields: name, place among what `struct` reads, and how it becomes a value.
        constants: places and what must stand there.
        lengths: places and the field whose length must stand there.
    """

    struct: struct.Struct
    fields: tuple[tuple[str, int, Callable[[Any], Any] | None], ...]
    constants: tuple[tuple[int, int], ...]
    lengths: tuple[tuple[int, str], ...]

    def read(self, raw: bytes) -> dict[str, Any] | None:
        """Gives the values, or None where a constant or a length is another one.

        Raises:
            LayoutError: a field's value is not allowed.
        """
        found = self.struct.unpack(raw)
        if any(found[place] != constant for place, constant in self.constants):
            return None
        values = {
            name: found[place] if build is None else build(found[place])
            for name, place, build in self.fields
        }
        if any(found[place] != len(values[name]) for place, name in self.lengths):
            return None
        return values
