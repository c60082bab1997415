"""JSON-RPC errors with the numbers that real nodes use."""

from typing import Any, Final

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
PREFLIGHT_FAILURE: Final = -32002
BLOCK_NOT_AVAILABLE: Final = -32004
UNSUPPORTED_VERSION: Final = -32015
TRANSACTION_NOT_FOUND: Final = -32020
MIN_CONTEXT_SLOT: Final = -32016


class RpcFault(Exception):
    """A request cannot be answered; becomes the `error` of the envelope."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, Any]:
        """Gives the `error` object."""
        shown: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            shown["data"] = self.data
        return shown


def invalid_params(message: str) -> RpcFault:
    """Gives the error for arguments that cannot be used."""
    return RpcFault(INVALID_PARAMS, message)
