"""Records: a map with named fields, to and from a frozen dataclass.

The list of fields is written once (in `schemas`); encoding, decoding, refusal of
unknown fields and the tables of docs/protocol.md all read it.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from flair_client.encoding.codecs import Codec, canonical_order, kind_of
from flair_client.errors import ObjectInvalid


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record.

    Attributes:
        codec: form of the value.
        doc: what it means, one line for the tables.
        optional: may be None, and is then left out of the bytes.
    """

    name: str
    codec: Codec
    doc: str = ""
    optional: bool = False


def _no_check(_value: Any, _path: str) -> None:
    """For records whose fields do not depend on each other."""


class Record:
    """A map with exactly these fields."""

    def __init__(
        self,
        cls: type,
        record_fields: tuple[Field, ...],
        check: Callable[[Any, str], None] = _no_check,
    ) -> None:
        """Sorts the fields as DAG-CBOR sorts keys.

        Args:
            cls: the dataclass; its attributes are the fields' names.
            record_fields: in the order of the documents.
            check: raises ObjectInvalid when fields contradict each other.
        """
        names = {field.name for field in fields(cls)}
        if names != {field.name for field in record_fields}:
            raise AssertionError(f"schema of {cls.__name__} is not its dataclass")
        self.cls = cls
        self.fields = record_fields
        self.doc = f"`{cls.__name__}`"
        self._sorted = sorted(record_fields, key=lambda f: canonical_order(f.name))
        self._names = frozenset(names)
        self._check = check

    def to_plain(self, value: Any, path: str) -> dict[str, Any]:
        """The map with its keys in canonical order."""
        if type(value) is not self.cls:
            reason = f"expected {self.cls.__name__}, got {kind_of(value)}"
            raise ObjectInvalid(path, reason)
        plain: dict[str, Any] = {}
        for field in self._sorted:
            item = getattr(value, field.name)
            if item is not None:
                plain[field.name] = field.codec.to_plain(item, f"{path}.{field.name}")
            elif not field.optional:
                raise ObjectInvalid(f"{path}.{field.name}", "missing")
        self._check(value, path)
        return plain

    def from_plain(self, plain: Any, path: str) -> Any:
        """The value.

        Raises:
            ObjectInvalid: a field is unknown, missing or wrong.
        """
        if type(plain) is not dict:
            raise ObjectInvalid(path, f"expected a map, got {kind_of(plain)}")
        for name in plain:
            if name not in self._names:
                raise ObjectInvalid(f"{path}.{name:.64}", "unknown field")
        values: dict[str, Any] = {}
        for field in self.fields:
            if field.name in plain:
                item = plain[field.name]
                values[field.name] = field.codec.from_plain(
                    item, f"{path}.{field.name}"
                )
            elif field.optional:
                values[field.name] = None
            else:
                raise ObjectInvalid(f"{path}.{field.name}", "missing")
        return self.cls(**values)
