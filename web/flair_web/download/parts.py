"""A safetensors file out of a store, from any byte on; every byte was checked.

The last chunk of a tensor goes out only when the digest of the whole tensor held, so
that a file that came to its end is the one that the commit names.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flair_client.objects import Manifest
from flair_client.store.base import Store
from flair_client.weights.exporting import header_of
from flair_client.weights.reading import tensor_chunks
from flair_client.weights.safetensors_file import LENGTH_SIZE, Header


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file that is made while it is sent."""

    manifest: Manifest
    header: Header
    store: Store

    @classmethod
    def of(cls, manifest: Manifest, store: Store) -> "WeightsFile":
        """Reads the header alone.

        Raises:
            BlockMissing, DigestMismatch: a block of it is not there or not itself.
            ObjectInvalid: it does not fit the manifest.
        """
        return cls(manifest, header_of(manifest, store), store)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return LENGTH_SIZE + len(self.header.raw) + self.header.data_size

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Gives the bytes from `start` up to `end`; tensors before are not read.

        Raises:
            BlockMissing, DigestMismatch: a block is not there or not itself.
            ObjectInvalid: the blocks are not what the manifest says.
        """
        first = len(self.header.raw).to_bytes(LENGTH_SIZE, "little") + self.header.raw
        if start < len(first):
            yield first[start : min(end, len(first))]
        entries = self.manifest.by_name()
        for span in self.header.spans.values():
            at = len(first) + span.begin
            if at >= end or len(first) + span.end <= start:
                continue
            for chunk in _held_back(
                tensor_chunks(self.manifest, entries[span.name], self.store)
            ):
                piece = chunk[max(start - at, 0) : max(end - at, 0)]
                at += len(chunk)
                if piece:
                    yield piece


def _held_back(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """All but the last at once; the last when the end was reached without an error."""
    held = None
    for chunk in chunks:
        if held is not None:
            yield held
        held = chunk
    if held is not None:
        yield held
