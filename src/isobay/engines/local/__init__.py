"""The engine of this machine: the catalogue, the objects on disk, and what the images say."""

from isobay.engines.local.adding import Adder
from isobay.engines.local.engine import LocalEngine

__all__ = ["Adder", "LocalEngine"]
