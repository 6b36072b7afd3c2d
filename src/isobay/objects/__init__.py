"""Where the bytes of images lie."""

from isobay.objects.disk import DiskObjects
from isobay.objects.held_files import HeldFiles
from isobay.objects.interface import Examine, Objects, Part, Progress, Received, Stored, StoredObject

__all__ = ["DiskObjects", "Examine", "HeldFiles", "Objects", "Part", "Progress", "Received", "Stored", "StoredObject"]
