"""The errors of the Greengrass V2 API, as botocore's model has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moto.core.exceptions import ServiceException

if TYPE_CHECKING:
    from collections.abc import Collection


class NotFoundError(ServiceException):
    """ResourceNotFoundException, 404."""

    code = "ResourceNotFoundException"

    def __init__(self, resource_id: str, resource_type: str) -> None:
        super().__init__(f"The {resource_type} {resource_id} doesn't exist.")
        self.resourceId = resource_id
        self.resourceType = resource_type


class ConflictError(ServiceException):
    """ConflictException, 409."""

    code = "ConflictException"

    def __init__(self, message: str, resource_id: str, resource_type: str) -> None:
        super().__init__(message)
        self.resourceId = resource_id
        self.resourceType = resource_type


class InvalidError(ServiceException):
    """ValidationException, 400; `reason` is one of AWS's ValidationExceptionReason."""

    code = "ValidationException"

    def __init__(
        self, message: str, reason: str = "FIELD_VALIDATION_FAILED", *, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.fields = [{"name": field, "message": message}] if field else []


def check_choice(field: str, value: str, choices: Collection[str]) -> str:
    """Return the value if it is one of the choices, as AWS's enumerations have it; raises InvalidError."""
    if value not in choices:
        message = f"{field} must be one of {', '.join(choices)}, not {value!r}"
        raise InvalidError(message, field=field)
    return value


def not_emulated(what: str, remedy: str) -> InvalidError:
    """Refuse what AWS does and the local cloud does not."""
    return InvalidError(f"{what} is not emulated by the local cloud: {remedy}", "UNKNOWN_OPERATION")
