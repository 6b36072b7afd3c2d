"""The one tree of errors. Every error isobay raises on purpose is one of these.

    IsobayError                 1000  500  something failed that is isobay's own fault
    ├── InvalidFieldsError      2001  400  fields, parameters or body are wrong; each is named
    ├── UnknownOperationError   2002  400  there is no such operation on the object
    ├── WrongStateError         2012  409  the object is in a state that does not allow it
    ├── ConflictError           2013  409  what is there does not allow it; what stands in the way is named
    ├── AlreadyExistsError      2014  409  the name or code is taken
    ├── CancelledError          2015  409  the work was cancelled by who may
    ├── QuotaError              2016  409  the environment holds as much as it may
    ├── LockedError             2017  423  somebody else writes to it now
    ├── InUseError              2018  400  an instance uses it; each is named
    ├── ImageError              2101  400  the bytes are not a readable disk image
    ├── RulesError              2102  400  the operating system rules cannot be read
    ├── SourceError             2103  400  a local file cannot be read or is not allowed
    ├── FetchError              2104  502  a server or the network does not give the bytes of a URL
    ├── AddressError            2105  403  the address guard lets nothing connect there
    ├── ChecksumError           2106  400  bytes are not those that a checksum or a signature promises
    ├── PieceError              2107  460  the bytes of one request are not those that it promises
    ├── UnauthorizedError       3001  401  no key, or a key nobody has
    ├── ForbiddenError          3002  403  a known key without the right
    ├── NotFoundError           4001  404  missing, or not visible to the caller
    ├── MethodNotAllowedError   4002  405  the path exists, the verb does not
    ├── TooLargeError           4003  413  the request is larger than the limit
    ├── RateError               4004  429  more requests than a caller may make in a minute
    ├── StalledError            4008  408  the request's body did not come to its end
    ├── PreconditionError       4012  412  the request is for another version than there is
    ├── MediaTypeError          4015  415  the body is of a type that is not taken there
    ├── RangeError              4016  416  no part of what was asked for is there
    ├── HeadTooLargeError       4031  431  the request's head is larger than the limit
    ├── StorageError            5001  507  the disk cannot take or give the bytes
    │   └── MissingObjectError  5004  507  the bytes of an image are not there
    ├── UnavailableError        5002  503  a part that is needed is not there now
    ├── SettingsError           5003  500  an option has a value that cannot be used
    └── HypervisorError         5005  502  the host cannot run what is asked for

``code`` is the number of the API's error envelope, ``status`` the HTTP status.
The message is a sentence for people: what, where, and what to do. Where it names what only the operator may know,
``public`` is the sentence for callers, and the message for the log and the operator's commands.
``context`` is a flat mapping of JSON values for programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

__all__ = [
    "AddressError",
    "AlreadyExistsError",
    "CancelledError",
    "ChecksumError",
    "ConflictError",
    "FetchError",
    "ForbiddenError",
    "HeadTooLargeError",
    "HypervisorError",
    "ImageError",
    "InUseError",
    "InvalidFieldsError",
    "IsobayError",
    "LockedError",
    "MediaTypeError",
    "MethodNotAllowedError",
    "MissingObjectError",
    "NotFoundError",
    "PieceError",
    "PreconditionError",
    "QuotaError",
    "RangeError",
    "RateError",
    "RulesError",
    "SettingsError",
    "SourceError",
    "StalledError",
    "StorageError",
    "TooLargeError",
    "UnauthorizedError",
    "UnavailableError",
    "UnknownOperationError",
    "WrongStateError",
    "error_classes",
]


class IsobayError(Exception):
    """Something failed. ``message`` is for people, ``public`` for those who call, ``context`` for programs."""

    code: ClassVar[int] = 1000
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, public: str = "", **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.public = public or message
        self.context: dict[str, Any] = context

    def told(self) -> dict[str, Any]:
        """The error as JSON: CloudMC's number, and the same as text for its Go client."""
        return {"code": self.code, "errorCode": str(self.code), "message": self.public, "context": self.context}


class InvalidFieldsError(IsobayError):
    """Fields are wrong: ``context["fields"]`` maps each field's name to what is wrong with it."""

    code = 2001
    status = 400

    def __init__(self, fields: dict[str, str]) -> None:
        listed = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
        super().__init__(f"The request has fields that cannot be used. {listed}.", fields=fields)


class UnknownOperationError(IsobayError):
    """The object has no such operation."""

    code = 2002
    status = 400


class WrongStateError(IsobayError):
    """The object is in a state that does not allow it: CloudMC's own number."""

    code = 2012
    status = 409


class ConflictError(IsobayError):
    """What is there does not allow it; what stands in the way is named."""

    code = 2013
    status = 409


class AlreadyExistsError(IsobayError):
    """A unique name or code is taken."""

    code = 2014
    status = 409


class CancelledError(IsobayError):
    """The work was cancelled by somebody who may."""

    code = 2015
    status = 409


class QuotaError(IsobayError):
    """The environment holds as much as it may: ``context`` has the limit and what is used, in bytes or ISOs."""

    code = 2016
    status = 409


class LockedError(IsobayError):
    """Somebody else writes to it now."""

    code = 2017
    status = 423


class InUseError(IsobayError):
    """An instance uses it."""

    code = 2018
    status = 400


class ImageError(IsobayError):
    """The bytes are no disk image that can be read: the one kind of error of ``isobay.image``."""

    code = 2101
    status = 400


class RulesError(IsobayError):
    """The operating system rules (libosinfo's database) cannot be read or brought in."""

    code = 2102
    status = 400


class SourceError(IsobayError):
    """A local file cannot be read, or its path is not one that may be added."""

    code = 2103
    status = 400


class FetchError(IsobayError):
    """A server or the network does not give the bytes of a URL: ``context["reason"]`` says in one word why."""

    code = 2104
    status = 502


class AddressError(IsobayError):
    """The address guard lets nothing connect to where a URL leads."""

    code = 2105
    status = 403


class ChecksumError(IsobayError):
    """The bytes are not those that a checksum or a signature promises, or the promise cannot be read."""

    code = 2106
    status = 400


class PieceError(IsobayError):
    """The bytes of one request are not those that its own checksum promises: tus 1.0 gives it its status."""

    code = 2107
    status = 460


class UnauthorizedError(IsobayError):
    """There is no key, or nobody has such a key."""

    code = 3001
    status = 401


class ForbiddenError(IsobayError):
    """The key is known and lacks the right."""

    code = 3002
    status = 403


class NotFoundError(IsobayError):
    """There is no such object, or the caller may not know that there is."""

    code = 4001
    status = 404

    @classmethod
    def of(cls, kind: str, object_id: str) -> NotFoundError:
        """The answer for an object that is missing or may not be seen: one sentence for both."""
        return cls(f"There is no such object in {kind}: {object_id!r}.", type=kind, id=object_id)


class MethodNotAllowedError(IsobayError):
    """The path exists, the verb does not."""

    code = 4002
    status = 405


class TooLargeError(IsobayError):
    """The request is larger than the limit."""

    code = 4003
    status = 413


class RateError(IsobayError):
    """The caller made more requests than it may: ``context`` has the limit and the seconds to wait."""

    code = 4004
    status = 429


class StalledError(IsobayError):
    """The request broke off, or did not come to its end in time."""

    code = 4008
    status = 408


class PreconditionError(IsobayError):
    """The request names a version, and there is another."""

    code = 4012
    status = 412


class MediaTypeError(IsobayError):
    """The request's body is of a type that is not taken there."""

    code = 4015
    status = 415


class RangeError(IsobayError):
    """No part of the body that was asked for is there: ``context["size"]`` is how many bytes there are."""

    code = 4016
    status = 416


class HeadTooLargeError(IsobayError):
    """The head of the request, its line and its headers, is larger than the limit."""

    code = 4031
    status = 431


class StorageError(IsobayError):
    """The disk cannot take the bytes or give them back."""

    code = 5001
    status = 507


class MissingObjectError(StorageError):
    """The store answers, and the bytes of an image are not in it."""

    code = 5004
    status = 507


class UnavailableError(IsobayError):
    """A part that the request needs is not there now."""

    code = 5002
    status = 503


class SettingsError(IsobayError):
    """An option has a value that cannot be used."""

    code = 5003
    status = 500


class HypervisorError(IsobayError):
    """The host answers that it cannot run what is asked for."""

    code = 5005
    status = 502


def error_classes(root: type[IsobayError] = IsobayError) -> Iterator[type[IsobayError]]:
    """Yield the tree from ``root`` down, each class once: for the docs and the tests that hold them true."""
    yield root
    for child in root.__subclasses__():
        yield from error_classes(child)
