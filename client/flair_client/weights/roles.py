"""Which role a tensor has, by patterns of names as a recipe lists them."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from flair_client.objects import DType, Role

# Name and dtype of a tensor to its role.
RoleOf = Callable[[str, DType], Role]


def roles_by_pattern(patterns: Iterable[tuple[str, Sequence[str]]]) -> RoleOf:
    """The first pattern that fits a name gives the role.

    Tensors of integers cannot be trained or averaged: such a pattern passes them by.
    What no pattern fits is `local` when it is floats, else `frozen`.

    Args:
        patterns: pairs of a role's word and shell patterns of names, in precedence.

    Raises:
        ValueError: a word is no role.
    """
    rules = [(Role(word), pattern) for word, several in patterns for pattern in several]

    def role_of(name: str, dtype: DType) -> Role:
        for role, pattern in rules:
            if fnmatchcase(name, pattern) and (dtype.is_float or not role.is_shared):
                return role
        return Role.LOCAL if dtype.is_float else Role.FROZEN

    return role_of
