"""Models as safetensors files: streamed, checked, resumed where they were cut off."""

from collections.abc import Iterator
from typing import Final, NoReturn

from flask import Blueprint, Response, abort
from flask import request as asked

from flair_client.ids import Address, Cid, CommitId
from flair_client.objects import Commit
from flair_indexer import queries
from flair_web.blocks import Unread, commit_at, manifest_at, reading
from flair_web.download.parts import WeightsFile
from flair_web.pages import look, the_repo
from flair_web.site import site

DOWNLOAD = Blueprint("download", __name__)
_FOREVER: Final = "public, max-age=31536000, immutable"
_KIND: Final = "application/octet-stream"


@DOWNLOAD.get("/<address:creator>/<name:name>/download/<commit:commit_id>.safetensors")
def safetensors(creator: Address, name: str, commit_id: CommitId) -> Response:
    """The weights of a commit. Its address is a name of the bytes: it never changes."""
    commit = _commit(creator, name, commit_id)
    if commit.weights is None:
        abort(404, "an update has no weights of its own")
    file = _file(commit.weights)
    tag = commit.weights.digest.hex()
    start, end, status = _range(file.size, tag)
    parts = file.read(start, end)
    body = _begun(parts) if asked.method == "GET" else iter(())
    response = Response(body, status=status, content_type=_KIND)
    response.set_etag(tag)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Length"] = str(end - start)
    response.headers["Cache-Control"] = _FOREVER
    filename = f"{name}-{commit_id.short}.safetensors"
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    if status == 206:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    elif asked.if_none_match.contains(tag):
        unchanged = Response(status=304)
        unchanged.set_etag(tag)
        unchanged.headers["Cache-Control"] = _FOREVER
        return unchanged
    return response


def _commit(creator: Address, name: str, commit_id: CommitId) -> Commit:
    with look() as source:
        repo = the_repo(source, creator, name)
        moves = [o for o in queries.commit(source, commit_id) if o.repo == repo.repo]
    if not moves:
        abort(404, "no branch of this repository ever stood at this commit")
    fault = next((one.fault for one in moves if one.fault), None)
    if fault is not None:
        abort(409, f"this commit is invalid, and no client takes it: {fault}")
    found = commit_at(site().store, commit_id)
    if isinstance(found, Unread):
        _refused(found)
    return found


def _file(cid: Cid) -> WeightsFile:
    store = site().store
    manifest = manifest_at(store, cid)
    if isinstance(manifest, Unread):
        _refused(manifest)
    read = manifest
    found = reading(lambda: WeightsFile.of(read, store))
    if isinstance(found, Unread):
        _refused(found)
    return found


def _refused(why: Unread) -> NoReturn:
    codes = {"missing": 404, "invalid": 409, "away": 503}
    abort(codes[why.state], why.words)


def _begun(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Reads the first part now, so that what is missing is told instead of cut off."""
    first = reading(lambda: next(parts, b""))
    if isinstance(first, Unread):
        _refused(first)
    return _joined(bytes(first), parts)


def _joined(first: bytes, parts: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    # An error here ends the connection before the length that was told is reached.
    yield from parts


def _range(size: int, tag: str) -> tuple[int, int, int]:
    """Gives first byte, end, and status; more than one range is answered as none."""
    wanted = asked.range
    is_current = not asked.headers.get("If-Range") or asked.if_range.etag == tag
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return 0, size, 200
    if not is_current:
        return 0, size, 200
    found = wanted.range_for_length(size)
    if found is None:
        response = Response(status=416, headers={"Content-Range": f"bytes */{size}"})
        abort(response)
    return found[0], found[1], 206
