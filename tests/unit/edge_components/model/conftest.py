"""Gives the models the module that Triton would give them."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from edge_components.local_server.fallback.backend import MODULE, install_backend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

BASE, MARSHAL = "edge_components.model.base", "edge_components.model.marshal"


@pytest.fixture
def backend() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in (MODULE, BASE, MARSHAL):
            patch.delitem(sys.modules, name, raising=False)
        install_backend()
        yield
        for name in (MODULE, BASE, MARSHAL):
            sys.modules.pop(name, None)


@pytest.fixture
def base(backend: None) -> ModuleType:
    return importlib.import_module(BASE)


@pytest.fixture
def marshal(backend: None) -> ModuleType:
    return importlib.import_module(MARSHAL)
