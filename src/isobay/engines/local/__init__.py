"""The engine of this machine: the catalogue, the objects on disk, and what the images say."""

from isobay.engines.local.adding import Adder
from isobay.engines.local.checking import Checker
from isobay.engines.local.checkup import Checkup
from isobay.engines.local.engine import LocalEngine
from isobay.engines.local.import_attempt import Tools
from isobay.engines.local.importer import Importer
from isobay.engines.local.importing import KIND, Imports
from isobay.engines.local.instance_hosts import Connect, Hosts, parse_hosts, zones_of
from isobay.engines.local.instance_record import OPERATIONS, InstanceTools
from isobay.engines.local.instance_watching import Watching
from isobay.engines.local.instance_work import InstanceWorker
from isobay.engines.local.instances import LocalInstances
from isobay.engines.local.left_disks import LeftDisks
from isobay.engines.local.mending import Mender
from isobay.engines.local.os_types import OsTypes
from isobay.engines.local.proving import PROVE, Proving
from isobay.engines.local.proving_look import Patience as ProofPatience
from isobay.engines.local.proving_work import Prover
from isobay.engines.local.quota import Quota
from isobay.engines.local.sharing import Sharing
from isobay.engines.local.surveying import Finding, Survey
from isobay.engines.local.upload_record import UploadTools
from isobay.engines.local.upload_tending import Tending
from isobay.engines.local.uploading import Uploads
from isobay.engines.local.verifying import Verifying

__all__ = [
    "KIND",
    "OPERATIONS",
    "PROVE",
    "Adder",
    "Checker",
    "Checkup",
    "Connect",
    "Finding",
    "Hosts",
    "Importer",
    "Imports",
    "InstanceTools",
    "InstanceWorker",
    "LeftDisks",
    "LocalEngine",
    "LocalInstances",
    "Mender",
    "OsTypes",
    "ProofPatience",
    "Prover",
    "Proving",
    "Quota",
    "Sharing",
    "Survey",
    "Tending",
    "Tools",
    "UploadTools",
    "Uploads",
    "Verifying",
    "Watching",
    "parse_hosts",
    "zones_of",
]
