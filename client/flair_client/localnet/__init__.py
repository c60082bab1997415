"""A chain of one's own on this machine: LiteSVM behind Solana's JSON-RPC."""

from flair_client.localnet.run import (
    Localnet,
    read_ready,
    run_localnet,
    start_localnet,
)

__all__ = ["Localnet", "read_ready", "run_localnet", "start_localnet"]
