"""What can go wrong on the way from a recipe to a running component, with the names that AWS gives it."""

from __future__ import annotations


class RecipeError(ValueError):
    """A recipe that breaks a rule; the message names the place inside the recipe and the remedy."""


class DeploymentError(Exception):
    """A deployment that a device cannot carry out.

    `codes` are the detailed error codes and `types` the error types of the AWS IoT Greengrass V2 guide
    ("Detailed deployment error codes"), from the outermost to the innermost.
    """

    def __init__(self, message: str, *, codes: tuple[str, ...], types: tuple[str, ...]) -> None:
        super().__init__(message)
        self.codes = ("DEPLOYMENT_FAILURE", *codes)
        self.types = types


def no_version(message: str) -> DeploymentError:
    """No version of a component satisfies what is asked of it."""
    codes = ("NO_AVAILABLE_COMPONENT_VERSION", "COMPONENT_VERSION_REQUIREMENTS_NOT_MET")
    return DeploymentError(message, codes=codes, types=("REQUEST_ERROR",))


def cycle(message: str) -> DeploymentError:
    """Components depend on each other in a circle."""
    return DeploymentError(
        message, codes=("COMPONENT_CIRCULAR_DEPENDENCY_ERROR",), types=("COMPONENT_RECIPE_ERROR",)
    )


def wrong_platform(message: str) -> DeploymentError:
    """No manifest of the component is meant for this device."""
    return DeploymentError(
        message, codes=("COMPONENT_INCOMPATIBLE_PLATFORM_ERROR",), types=("COMPONENT_RECIPE_ERROR",)
    )


def unsupported(message: str) -> DeploymentError:
    """The recipe or deployment asks for what a virtual device does not do."""
    return DeploymentError(message, codes=("UNSUPPORTED_REQUEST",), types=("REQUEST_ERROR",))


def bad_configuration(message: str) -> DeploymentError:
    """The configuration update cannot be applied."""
    return DeploymentError(message, codes=("INVALID_CONFIGURATION_UPDATE",), types=("REQUEST_ERROR",))


def bad_artifact(message: str, *codes: str) -> DeploymentError:
    """An artifact cannot be fetched, has other bytes than the registry saw, or cannot be unpacked."""
    return DeploymentError(
        message, codes=("ARTIFACT_DOWNLOAD_ERROR", *codes), types=("COMPONENT_ERROR", "DEPENDENCY_ERROR")
    )


def disk_full(message: str) -> DeploymentError:
    """An artifact does not fit on the device's disk."""
    codes = ("ARTIFACT_DOWNLOAD_ERROR", "IO_ERROR", "DISK_SPACE_CRITICAL")
    return DeploymentError(message, codes=codes, types=("DEVICE_ERROR",))


def bootstrap(message: str) -> DeploymentError:
    """A component's Bootstrap step failed."""
    return DeploymentError(message, codes=("COMPONENT_BOOTSTRAP_ERROR",), types=("USER_COMPONENT_ERROR",))


def broken(message: str) -> DeploymentError:
    """A component failed too often."""
    return DeploymentError(
        message, codes=("COMPONENT_UPDATE_ERROR", "COMPONENT_BROKEN"), types=("USER_COMPONENT_ERROR",)
    )
