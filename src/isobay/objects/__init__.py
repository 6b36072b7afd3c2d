"""Where the bytes of images lie."""

from isobay.objects.disk import DiskObjects
from isobay.objects.interface import Objects, Progress, Received, StoredObject

__all__ = ["DiskObjects", "Objects", "Progress", "Received", "StoredObject"]
