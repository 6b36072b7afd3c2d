"""A diagnosis as the tests read it."""

from __future__ import annotations

from isobay.inspection.diagnosis import Diagnosis


def verdict(diagnosis: Diagnosis, subject: str) -> str:
    """The verdicts on a subject, in their order, with spaces between; empty where nothing is said of it."""
    return " ".join(finding.verdict for finding in diagnosis.findings if finding.subject == subject)


def said(diagnosis: Diagnosis, subject: str) -> str:
    """What is said of a subject."""
    return " ".join(finding.message for finding in diagnosis.findings if finding.subject == subject)


def problems(diagnosis: Diagnosis) -> list[str]:
    """The subjects that keep the URL from being imported."""
    return [finding.subject for finding in diagnosis.findings if finding.verdict == "problem"]
