"""UDF: ECMA-167 3rd edition as OSTA UDF 1.02 to 2.60 profile it, read only."""

from __future__ import annotations

from isobay.image.udf.hierarchy import UdfHierarchy
from isobay.image.udf.volume import UdfVolume, read_volume

__all__ = ["UdfHierarchy", "UdfVolume", "read_volume"]
