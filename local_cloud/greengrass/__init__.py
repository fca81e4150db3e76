"""AWS IoT Greengrass V2: the registry, deployments, and virtual core devices that run components.

`install` puts it into moto. What AWS does and this does not is refused with an error that says so: Lambda
components, time limits of IoT jobs, `runWith`, client devices, public components. Things that join a group
after a deployment do not get it, unless they are added as devices after they joined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .device import Device
    from .service import Greengrass, install

__all__ = ["Device", "Greengrass", "install"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute
    """Import moto only for those who run the service; to read what the store knows takes none of it."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from . import device, service

    return getattr(device if name == "Device" else service, name)
