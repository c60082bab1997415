"""The tables of docs/protocol.md, section 5, from the schemas themselves."""

from flair_client.encoding.records import Record
from flair_client.encoding.rules import KIND_FIELDS, KIND_RULES, MODEL_MERGE_RULE
from flair_client.encoding.schemas import (
    COMMIT_SCHEMA,
    DELTA_SCHEMA,
    DELTA_TENSOR,
    EVENT_LIST_SCHEMA,
    LIGHT,
    MANIFEST_SCHEMA,
    PRIVACY,
    RECIPE_FILE,
    RECIPE_SCHEMA,
    REVERT,
    SOURCE,
    STRATEGY,
    TENSOR_ENTRY,
    TRAINING,
)

TABLED: tuple[Record, ...] = (
    COMMIT_SCHEMA,
    TRAINING,
    PRIVACY,
    STRATEGY,
    REVERT,
    MANIFEST_SCHEMA,
    TENSOR_ENTRY,
    LIGHT,
    SOURCE,
    DELTA_SCHEMA,
    DELTA_TENSOR,
    RECIPE_SCHEMA,
    RECIPE_FILE,
    EVENT_LIST_SCHEMA,
)


def record_table(record: Record) -> str:
    """Fields of one record; `?` marks those that may be left out."""
    lines = ["| field | form | |", "|---|---|---|"]
    for field in record.fields:
        mark = "?" if field.optional else ""
        lines.append(f"| `{field.name}`{mark} | {field.codec.doc} | {field.doc} |")
    return "\n".join(lines)


def kinds_table() -> str:
    """What each kind of commit must, may and may not have."""
    names = [field.name for field in COMMIT_SCHEMA.fields if field.name in KIND_FIELDS]
    lines = ["| kind | parents | must have | may have |", "|---|---|---|---|"]
    rows = [(f"`{kind.value}`", rule) for kind, rule in KIND_RULES.items()]
    rows.append(("`merge` of models", MODEL_MERGE_RULE))
    for kind, rule in rows:
        required = ", ".join(f"`{name}`" for name in names if name in rule.required)
        allowed = ", ".join(f"`{name}`" for name in names if name in rule.allowed)
        lines.append(f"| {kind} | {rule.n_parents} | {required} | {allowed} |")
    return "\n".join(lines)
