"""Where guests run."""

from isobay.hypervisor.interface import (
    Architecture,
    Change,
    Drive,
    Firmware,
    Guest,
    Host,
    Hypervisor,
    Network,
    Power,
    Screen,
    Seen,
)

__all__ = [
    "Architecture",
    "Change",
    "Drive",
    "Firmware",
    "Guest",
    "Host",
    "Hypervisor",
    "Network",
    "Power",
    "Screen",
    "Seen",
]
