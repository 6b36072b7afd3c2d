"""What callers send to have something done with an instance, and what a console answers with."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from isobay.model.instance import IsoId, Slot

InstanceId = Annotated[str, Meta(min_length=1, max_length=36)]


class StopInstance(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How to stop: by the power button, or by pulling the plug."""

    force_stop: bool = False


class AttachIso(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which ISO goes into which drive; without a slot into the first."""

    iso_id: IsoId
    slot: Slot | UnsetType = UNSET


class AttachToInstance(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Into which drive of which instance an ISO goes; without a slot into the first."""

    instance_id: InstanceId
    slot: Slot | UnsetType = UNSET


class DetachIso(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which drive is emptied; without a slot the first."""

    slot: Slot | UnsetType = UNSET


class DestroyInstance(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Whether a destroyed instance is purged too. ``delete_snapshots`` is CloudMC's; there are none."""

    purge_immediately: bool = False
    delete_snapshots: bool = False


class Console(Struct, frozen=True):
    """Where a WebSocket opens a console, and until when (RFC 3339, UTC) it has to be begun."""

    url: str
    expires: str
