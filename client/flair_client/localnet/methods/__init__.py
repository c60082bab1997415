"""The methods of a localnet: one function each, found by name."""

from flair_client.localnet.methods import accounts, cluster, history, transactions
from flair_client.localnet.methods.registry import METHODS, Node

__all__ = ["METHODS", "Node", "accounts", "cluster", "history", "transactions"]
