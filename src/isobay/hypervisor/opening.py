"""Hosts by their URIs, also where what is needed to speak with them is not installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn, cast

from isobay.errors import UnavailableError
from isobay.hypervisor.interface import Hypervisor
from isobay.hypervisor.public import MISSING


class _Missing:
    """A host that cannot be spoken with, whatever it is asked."""

    def __init__(self, uri: str, module: str) -> None:
        self._uri = uri
        self._module = module

    def __getattr__(self, _name: str) -> Any:
        return self._refuse

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise UnavailableError(
            f"Instances need isobay's extra libvirt to reach {self._uri}: the Python module {self._module} is missing. "
            "Install libvirt-dev, pkg-config, gcc and Python's headers, then uv sync --extra libvirt, and start isobay "
            "anew.",
            public=MISSING,
        )


def open_hypervisor(uri: str, installation: str, data_dir: Path) -> Hypervisor:
    """The host of a URI; see ``LibvirtHypervisor``. Nothing is asked before its first call."""
    try:
        from isobay.hypervisor.libvirt import LibvirtHypervisor
    except ModuleNotFoundError as error:
        return cast("Hypervisor", _Missing(uri, str(error.name)))
    return LibvirtHypervisor(uri, installation, data_dir)
