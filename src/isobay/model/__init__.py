"""What the nouns are, with no I/O: plain structs that every room may hold.

Field names are Python's here and CloudMC's on the wire (``os_type_id`` is ``osTypeId``).
"""

from isobay.model.access import ApiKey, Identity, NewApiKey, Role
from isobay.model.activity import Activity
from isobay.model.environment import Connection, ConnectionStatus, Environment, Named, Zone
from isobay.model.instance import (
    AttachedIso,
    ComputeOffering,
    Instance,
    InstanceEdit,
    InstanceState,
    NewInstance,
)
from isobay.model.iso import BootProof, Checksums, Iso, IsoEdit, IsoRecord, IsoStatus, Visibility, read_record
from isobay.model.iso_file import IsoFile
from isobay.model.listing import Listing, Page, SortOrder
from isobay.model.new_iso import NewIso, UrlToInspect
from isobay.model.os_type import OsType
from isobay.model.task import Task, TaskStatus
from isobay.model.upload import NewUpload, Upload

__all__ = [
    "Activity",
    "ApiKey",
    "AttachedIso",
    "BootProof",
    "Checksums",
    "ComputeOffering",
    "Connection",
    "ConnectionStatus",
    "Environment",
    "Identity",
    "Instance",
    "InstanceEdit",
    "InstanceState",
    "Iso",
    "IsoEdit",
    "IsoFile",
    "IsoRecord",
    "IsoStatus",
    "Listing",
    "Named",
    "NewApiKey",
    "NewInstance",
    "NewIso",
    "NewUpload",
    "OsType",
    "Page",
    "Role",
    "SortOrder",
    "Task",
    "TaskStatus",
    "Upload",
    "UrlToInspect",
    "Visibility",
    "Zone",
    "read_record",
]
