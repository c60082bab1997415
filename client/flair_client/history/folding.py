"""How replay refuses an event that the program cannot have sent."""


class ImpossibleEvent(Exception):
    """The program cannot have sent this event here."""


def must(condition: bool, reason: str) -> None:
    """Refuses the event that is being folded, unless the condition holds.

    Raises:
        ImpossibleEvent: with the reason.
    """
    if not condition:
        raise ImpossibleEvent(reason)
