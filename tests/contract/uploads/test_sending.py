"""What a sender makes of a refusal of the service that it sends to."""

from __future__ import annotations

import io

import msgspec
import pytest
from sender import Sender

from isobay.errors import ConflictError, NotFoundError, WrongStateError
from isobay.transfer import sending
from service import KEY


def test_bytes_for_elsewhere_are_worth_another_try(sender: Sender, small: bytes) -> None:
    """Who is told that an upload is elsewhere, or is over, can look and go on; who asks for what is gone cannot."""
    settings = (sender.service.address, KEY, "compute-on", "test_area", "", 5)
    with sending.Sender(*settings) as ours:
        begun = ours.begin(len(small), {"name": "small"})
        with pytest.raises(ConflictError) as caught:
            ours.send(msgspec.structs.replace(begun, offset=7), io.BytesIO(small), lambda _done: None)
        assert caught.value.context["retry"] is True
        ours.send(ours.upload(begun.id), io.BytesIO(small), lambda _done: None)
        assert ours.iso(begun.id).ready
        with pytest.raises(WrongStateError) as caught:
            ours.send(msgspec.structs.replace(begun, offset=7), io.BytesIO(small), lambda _done: None)
        assert caught.value.context["retry"] is True
        with pytest.raises(NotFoundError) as caught:
            ours.upload("gone")
        assert caught.value.context["retry"] is False
