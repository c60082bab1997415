"""The one place where result values become JSON, and their types a JSON schema."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum, IntFlag
from pathlib import Path
from typing import Any

from flair_client.ids import Address, Cid, Digest
from flair_client.repo_address import RepoAddress

_TEXTS = (Address, Digest, Cid, RepoAddress, Path)


def to_json(value: Any) -> Any:  # noqa: PLR0911 - one return per kind
    """Turns a result value into what `json.dumps` takes.

    Addresses become base58, commit ids and digests hexadecimal, CIDs and paths text,
    other bytes hexadecimal, enumerations their names in lower case, numbers that JSON
    does not have (NaN, infinity) null.

    Raises:
        TypeError: there is no rule for such a value.
    """
    if isinstance(value, _TEXTS):
        return str(value)
    if isinstance(value, IntFlag):
        return [_word(member) for member in type(value) if member in value]
    if isinstance(value, Enum):
        return _word(value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.hex()
    if dataclasses.is_dataclass(value):
        return {
            item.name: to_json(getattr(value, item.name))
            for item in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(to_json(key)): to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [to_json(item) for item in value]
    raise TypeError(f"no JSON form for {type(value).__name__}")


def _word(member: Enum) -> str:
    return str(member.name).lower().replace("_", "-")


def json_schema(kind: Any) -> dict[str, Any]:  # noqa: PLR0911 - one return per kind
    """Gives the JSON schema of what `to_json` makes of such values."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [json_schema(item) for item in typing.get_args(kind)]}
    if origin is typing.Literal:
        return {"enum": list(typing.get_args(kind))}
    if origin is typing.Annotated:
        return json_schema(typing.get_args(kind)[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {
            "type": "object",
            "additionalProperties": json_schema(typing.get_args(kind)[1]),
        }
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return {"type": "array", "items": json_schema(typing.get_args(kind)[0])}
    # `Any` is a class to some versions of Python.
    if isinstance(kind, type) and kind is not Any:
        return _class_schema(kind)
    return {}


def _class_schema(kind: type[Any]) -> dict[str, Any]:  # noqa: PLR0911 - as above
    if issubclass(kind, _TEXTS) or kind in (str, bytes):
        return {"type": "string"}
    if issubclass(kind, IntFlag):
        words = [_word(member) for member in kind]
        return {"type": "array", "items": {"enum": words}}
    if issubclass(kind, Enum):
        return {"enum": [_word(member) for member in kind]}
    if kind is type(None):
        return {"type": "null"}
    if kind is float:
        return {"type": ["number", "null"]}
    if kind in (bool, int):
        return {"type": "boolean" if kind is bool else "integer"}
    if not dataclasses.is_dataclass(kind):
        return {"type": "object"}
    hints = typing.get_type_hints(kind)
    names = [item.name for item in dataclasses.fields(kind)]
    return {
        "type": "object",
        "properties": {name: json_schema(hints[name]) for name in names},
        "required": names,
    }


def envelope(
    command: str,
    *,
    exit_code: int = 0,
    error_code: str | None = None,
    message: str | None = None,
    hint: str | None = None,
    result: Any = None,
) -> dict[str, Any]:
    """Gives the object that a command prints with `--json`, whatever happened."""
    return {
        "schema_version": 1,
        "status": "ok" if exit_code == 0 else "error",
        "command": command,
        "exit_code": exit_code,
        "error_code": error_code,
        "message": message,
        "hint": hint,
        "result": to_json(result),
    }


def envelope_schema(command: str, result: Any) -> dict[str, Any]:
    """Gives the JSON schema of a command's envelope."""
    text_or_null = {"type": ["string", "null"]}
    outcome = {"type": "object"} if result is None else json_schema(result)
    properties: dict[str, Any] = {
        "schema_version": {"const": 1},
        "status": {"enum": ["ok", "error"]},
        "command": {"const": command},
        "exit_code": {"type": "integer"},
        "error_code": text_or_null,
        "message": text_or_null,
        "hint": text_or_null,
        "result": {"anyOf": [outcome, {"type": "null"}]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"flair {command}",
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }
