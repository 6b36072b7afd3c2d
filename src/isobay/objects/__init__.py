"""Where the bytes of images lie."""

from isobay.objects.disk import DiskObjects
from isobay.objects.interface import Examine, Objects, Part, Progress, Received, Stored, StoredObject

__all__ = ["DiskObjects", "Examine", "Objects", "Part", "Progress", "Received", "Stored", "StoredObject"]
