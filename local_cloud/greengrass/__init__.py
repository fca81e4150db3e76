"""AWS IoT Greengrass V2: the registry, deployments, and virtual core devices that run components.

`install` puts it into moto. What AWS does and this does not is refused with an error that says so: Lambda
components, IoT job configurations, sub-deployments, `runWith`, client devices, public components. Things that
join a group after a deployment do not get it, unless they are added as devices after they joined.
"""

from .device import Device
from .service import Greengrass, install

__all__ = ["Device", "Greengrass", "install"]
