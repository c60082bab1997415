"""Exit codes of the command; docs/exit-codes.md explains them."""

from typing import Final

OK: Final = 0
NEGATIVE: Final = 1
USAGE: Final = 2
NETWORK: Final = 3
TIMEOUT: Final = 4
INTEGRITY: Final = 5
INTERNAL: Final = 70
INTERRUPTED: Final = 130
