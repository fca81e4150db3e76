"""Greengrass V2 put into moto, which lacks it, for as long as one local cloud runs."""

from __future__ import annotations

import re
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import moto.backend_index
import moto.backends
from moto.core.base_backend import BackendDict, BaseBackend

from local_cloud.lock import StateFolderError

from .account import Account
from .gate import Gate
from .memory import accounts
from .refusals import not_emulated
from .responses import GreengrassV2Response
from .specs import DeviceSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local_cloud.context import Context

    from .device import Device

_SERVICE = "greengrassv2"
_URL = r"https?://greengrass\.(.+)\.amazonaws\.com"
"""Version 1 of Greengrass has the same addresses; it is shut out while this is installed."""


class DeviceTakenError(StateFolderError):
    """A device of this name is another account's: both would have the same files."""

    def __init__(self, thing: str, owner: str) -> None:
        super().__init__(
            f"this state folder has a device '{thing}' of the account {owner} already: use that account, "
            "give the device another name, or name another folder with --state-dir"
        )


class GreengrassV2Backend(BaseBackend):
    """What moto's router needs to know; the state lies in `Greengrass`."""

    @property
    def _url_module(self) -> Any:  # noqa: ANN401 - as moto has it
        return SimpleNamespace(url_bases=[_URL], url_paths={"{0}/.*$": GreengrassV2Response.dispatch})


class Greengrass:
    """Greengrass in all accounts of one local cloud."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._accounts: dict[str, Account] = {}
        self._gate = Gate()
        self._patch = _Patch(self.account)

    def account(self, account: str, region: str) -> Account:
        """Return the state of an account; raises InvalidError for a region that is not emulated."""
        if region != self._context.region:
            msg = f"greengrassv2 in region {region}"
            raise not_emulated(msg, f"use {self._context.region}")
        with self._lock:
            if account not in self._accounts:
                self._accounts[account] = Account(self._context, account, self._gate)
            return self._accounts[account]

    @property
    def devices(self) -> tuple[Device, ...]:
        """All virtual core devices, account by account, in the order in which they were added."""
        with self._lock:
            accounts = list(self._accounts.values())
        return tuple(device for account in accounts for device in account.devices())

    def reopen(self) -> None:
        """Switch the devices on that the store knows; moto must have been started, with what it kept.

        Their components start as on a device that is switched on, and deployments under way go on.
        """
        for account in accounts(self._context.store):
            self.account(account, self._context.region).reopen()

    def add_device(self, thing: str, account: str) -> Device:
        """Switch on a virtual core device in an account, its IoT thing made if it is missing.

        Moto must have been started. A device that is already on is returned as it is.
        """
        here = self.account(account, self._context.region)
        on = next((device for device in here.devices() if device.thing == thing), None)
        return on or here.add_device(DeviceSpec(thing=thing))

    def add_fleet(self, specs: Iterable[DeviceSpec], account: str) -> tuple[Device, ...]:
        """Switch on the devices of a fleet, their things and groups made; those that are on change to it.

        Raises DeviceTakenError, before any is switched on, for one that another account has.
        """
        fleet = tuple(specs)
        here = self.account(account, self._context.region)
        with self._lock:
            others = {name: each for name, each in self._accounts.items() if each is not here}
        taken = {device.thing: name for name, each in others.items() for device in each.devices()}
        for spec in fleet:
            if spec.thing in taken:
                raise DeviceTakenError(spec.thing, taken[spec.thing])
        return tuple(here.add_device(spec) for spec in fleet)

    def close(self) -> None:
        """Switch off all devices and take Greengrass out of moto; calling it again does nothing."""
        for account in reversed(self._accounts.values()):
            account.close()
        self._patch.undo()


def install(context: Context) -> Greengrass:
    """Put Greengrass V2 into moto; must be called before `mock_aws` is started."""
    return Greengrass(context)


class _Patch:
    """What is changed in moto, and how to change it back."""

    def __init__(self, accounts: Any) -> None:  # noqa: ANN401 - a bound method that the class attribute holds
        self._undone = False
        self._entry = (_SERVICE, re.compile(_URL))
        self._get_backend = moto.backends.get_backend
        self._list_modules = moto.backends.list_of_moto_modules
        self._backends = BackendDict(GreengrassV2Backend, _SERVICE)
        GreengrassV2Response.accounts = staticmethod(accounts)
        moto.backend_index.backend_url_patterns.insert(0, self._entry)
        moto.backends.get_backend = self._find_backend
        moto.backends.list_of_moto_modules = self._list

    def undo(self) -> None:
        """Leave moto as it was found."""
        if self._undone:
            return
        self._undone = True
        moto.backend_index.backend_url_patterns.remove(self._entry)
        moto.backends.get_backend = self._get_backend
        moto.backends.list_of_moto_modules = self._list_modules

    def _find_backend(self, name: str) -> Any:  # noqa: ANN401 - as moto has it
        return self._backends if name == _SERVICE else self._get_backend(name)  # type: ignore[call-overload]  # any name

    def _list(self) -> Iterable[str]:
        return [*self._list_modules(), _SERVICE]
