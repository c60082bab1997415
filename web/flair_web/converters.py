"""Parts of addresses of pages: what is not of their form finds no page."""

from typing import Any

from flask import Flask
from werkzeug.routing import BaseConverter, ValidationError

from flair_client.errors import IdentifierInvalid
from flair_client.ids import Address, CommitId


class AddressPart(BaseConverter):
    """A wallet or an account, in base58."""

    regex = "[1-9A-HJ-NP-Za-km-z]{32,44}"

    def to_python(self, value: str) -> Address:
        """Reads one.

        Raises:
            ValidationError: it is no 32 bytes; there is no such page.
        """
        try:
            return Address.parse(value)
        except IdentifierInvalid as exc:
            raise ValidationError from exc


class NamePart(BaseConverter):
    """The name of a repository or a branch."""

    regex = "[a-z0-9][a-z0-9._-]{0,63}"


class CommitPart(BaseConverter):
    """A commit's whole id."""

    regex = "[0-9a-f]{64}"

    def to_python(self, value: str) -> CommitId:
        """Reads one."""
        return CommitId.parse(value)

    def to_url(self, value: Any) -> str:
        """Writes one."""
        return str(value)


class NumberPart(BaseConverter):
    """A number that every database holds."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        """Reads one."""
        return int(value)


def register(app: Flask) -> None:
    """Makes them known; before the first page is."""
    app.url_map.converters.update(
        address=AddressPart, name=NamePart, commit=CommitPart, number=NumberPart
    )
