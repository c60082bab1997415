"""What a commit is: apart from the other objects, which lists of commits do without."""

from enum import StrEnum


class CommitKind(StrEnum):
    """What a commit is; decides which fields it must and may not have."""

    ROOT = "root"
    UPDATE = "update"
    MERGE = "merge"
    REVERT = "revert"
    SNAPSHOT = "snapshot"
