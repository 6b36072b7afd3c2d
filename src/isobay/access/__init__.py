"""Who may: keys, roles, the door to an environment, and the log of what was done."""

from isobay.access.administration import Connections, Environments
from isobay.access.door import OPERATOR, Door, Visit
from isobay.access.first_start import furnish
from isobay.access.key_ring import KeyRing
from isobay.access.records import Records
from isobay.access.roles import ROLES, Right, require
from isobay.access.zones import make_zones

__all__ = [
    "OPERATOR",
    "ROLES",
    "Connections",
    "Door",
    "Environments",
    "KeyRing",
    "Records",
    "Right",
    "Visit",
    "furnish",
    "make_zones",
    "require",
]
