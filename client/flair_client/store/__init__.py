"""Blocks by CID: in memory, on disk, and one store in front of another."""

from flair_client.store.base import Store, open_store
from flair_client.store.disk import DiskStore
from flair_client.store.layered import LayeredStore
from flair_client.store.memory import MemoryStore

__all__ = ["DiskStore", "LayeredStore", "MemoryStore", "Store", "open_store"]
