"""Names of repositories, branches, wallets and networks: one alphabet for all."""

import re
from typing import Final

from flair_client.errors import IdentifierInvalid

MAX_NAME_LENGTH: Final = 64
NAME_RULE: Final = "1 to 64 of a-z 0-9 . _ -, first a letter or digit"
# The program's rule (docs/protocol.md, section 1).
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def is_name(text: str) -> bool:
    """Whether the text can be a name."""
    return _NAME.fullmatch(text) is not None


def check_name(kind: str, text: str) -> str:
    """Gives the name back.

    Args:
        kind: what it names, for the message, as `branch name`.
        text: the name.

    Raises:
        IdentifierInvalid: it is not a name.
    """
    if not is_name(text):
        raise IdentifierInvalid(kind, text[: MAX_NAME_LENGTH + 1], NAME_RULE)
    return text
