"""What S3 refuses, as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from isobay.errors import IsobayError, MissingObjectError, StorageError, UnavailableError
from isobay.objects.interface import MISSING

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound", "412", "PreconditionFailed"})
_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
)
_DENIED = frozenset({"403", "AccessDenied", "Forbidden", "AllAccessDisabled"})
_OF_PASSING = frozenset(
    {
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "RequestTimeout",
        "OperationAborted",
        "ConditionalRequestConflict",
        "BadDigest",
    }
)
REFUSES = "The store of images refuses what isobay asks of it. Ask whoever runs isobay: its log says why."
UNANSWERED = "The store of images does not answer as it should. Try again later; the log of isobay says why."
NO_FILE = "The images of this isobay are not kept where guests could have them: there are no instances here."
_SERVER_FAULT = 500
_FULL = 507


@contextmanager
def refusing(shown: str) -> Iterator[None]:
    """Say as an error of isobay what the store ``shown`` refuses within; callers are not told where it is."""
    try:
        yield
    except ClientError as error:
        raise _without_place(_refused(shown, error)) from error
    except BotoCoreError as error:
        raise _without_place(_not_reached(shown, error)) from error


def _without_place(error: IsobayError) -> IsobayError:
    if isinstance(error, MissingObjectError):
        error.public = MISSING
    else:
        error.public = UNANSWERED if isinstance(error, UnavailableError) else REFUSES
    return error


def _refused(shown: str, error: ClientError) -> IsobayError:
    code, said = str(error.response["Error"].get("Code", "")), error.response["Error"].get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _MISSING:
        return MissingObjectError(
            f"{shown} does not have what was asked for ({error.operation_name}: {code}). Bring it back from a backup, "
            "or delete the ISO and add it again."
        )
    if code == "NoSuchBucket":
        return StorageError(f"There is no bucket of {shown}. Make it, or correct ISOBAY_OBJECTS_URL.")
    if code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
        return StorageError(f"{shown} is in another region: {said} Set ISOBAY_S3_REGION to it.")
    if code == "RequestTimeTooSkewed":
        return StorageError(f"{shown} says that the clock of this machine is wrong. Set it, best by NTP.")
    if code in _CREDENTIALS:
        return StorageError(
            f"{shown} does not take the key ({code}). Check ISOBAY_S3_ACCESS_KEY and ISOBAY_S3_SECRET_KEY."
        )
    if code in _DENIED:
        return StorageError(
            f"{shown} does not let this key do what isobay needs ({error.operation_name}: {code}). Give it the rights "
            "that docs/objects.md lists."
        )
    if code in _OF_PASSING or (status >= _SERVER_FAULT and status != _FULL):
        return _unavailable(shown, f"{code or status} {said}".strip().rstrip("."))
    return StorageError(f"{shown} refuses ({error.operation_name}): {code} {said}".rstrip(". ") + ".")


def _not_reached(shown: str, error: BotoCoreError) -> IsobayError:
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return StorageError(
            f"There is no key for {shown}. Set ISOBAY_S3_ACCESS_KEY and ISOBAY_S3_SECRET_KEY, or give this machine a "
            "role or a profile that boto3 finds."
        )
    if isinstance(error, SSLError):
        return UnavailableError(
            f"The certificate of {shown} is not trusted, or its TLS cannot be used: {error}. Name its authority in "
            "ISOBAY_CA_FILE."
        )
    if isinstance(error, NoConnectionError | HTTPClientError | IncompleteReadError):
        return _unavailable(shown, str(error).rstrip("."))
    return StorageError(f"{shown} cannot be used: {error}. Check ISOBAY_OBJECTS_URL and the settings of S3.")


def _unavailable(shown: str, reason: str) -> UnavailableError:
    return UnavailableError(
        f"{shown} does not answer as it should ({reason}). See that it runs and can be reached, and try again."
    )
