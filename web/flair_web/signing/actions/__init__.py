"""One file per action; `flair_web.signing.registry` lists them.

`for_page` gives a page the buttons of the actions that belong there.
"""

from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Button:
    """A link to an action's page, with the fields that are known where it stands."""

    name: str
    words: str
    href: str


def for_page(*names: str, **fields: str | int | None) -> list[Button]:
    """Gives the buttons of actions.

    Args:
        names: of the actions, as in the registry.
        fields: of their forms, as far as the page knows them: `repo` as CREATOR/NAME,
            `branch`, `round`, `commit`, `contributor`, `head`, `grantee`.
    """
    # Late: the registry imports the modules of this package.
    from flair_web.signing.registry import ACTIONS

    return [_button(ACTIONS[name].name, ACTIONS[name].button, fields) for name in names]


def _button(name: str, words: str, fields: dict[str, str | int | None]) -> Button:
    from flair_web.signing.registry import ACTIONS

    known = {
        one.name: str(fields[one.name])
        for one in ACTIONS[name].fields
        if fields.get(one.name) is not None
    }
    query = urlencode(known)
    return Button(name, words, f"/actions/{name}" + (f"?{query}" if query else ""))
