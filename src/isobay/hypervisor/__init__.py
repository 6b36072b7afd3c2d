"""Where guests run."""

from isobay.hypervisor.interface import (
    SLOTS,
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
    "SLOTS",
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
