"""What the fallback engine answers with: the protocol's error text and an HTTP status."""

from typing import NoReturn


class FallbackError(Exception):
    """A request or model that the engine refuses; `status` is the HTTP status."""

    status = 400


class NotSupportedError(FallbackError):
    """Triton can do this, the fallback engine cannot."""

    status = 501

    def __init__(self, what: str) -> None:
        super().__init__(f"the fallback engine does not support {what}; run the model on Triton")


class NotFoundError(FallbackError):
    """No such model or path."""

    status = 404


def refuse(what: str) -> NoReturn:
    """Refuse what only Triton can do."""
    raise NotSupportedError(what)
