"""Rules and evidence put together: what is on this medium, and how do we know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from isobay.osdetect.architecture import architecture_in
from isobay.osdetect.evidence import FileTree, Finding, gather
from isobay.osdetect.evidence.filetree import printable
from isobay.osdetect.evidence.live import read_live_layout
from isobay.osdetect.evidence.volume import read_volume_label
from isobay.osdetect.medium import Files, Medium
from isobay.osdetect.products import Identity, identity_of, identity_of_system, spellings
from isobay.osdetect.readers import READERS
from isobay.osdetect.rules import Match, Rules

__all__ = ["Detection", "identify"]

X86 = frozenset({"i686", "x86_64"})
WINDOWS_SERVER = "http://microsoft.com/win/2k"


@dataclass(frozen=True, slots=True)
class Detection:
    """What is on a medium. Texts are empty for what nobody says.

    ``os_id`` and ``short_id`` are libosinfo's, or spelled as libosinfo would where its rules do not know the release
    yet; they are empty for a product that libosinfo does not have. ``evidence`` are sentences for people, the
    deciding one first; ``matches`` are all systems whose rules fit, best first.
    """

    os_id: str = ""
    short_id: str = ""
    name: str = ""
    version: str = ""
    variant: str = ""
    architecture: str = ""
    live: bool = False
    installer: bool = False
    evidence: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class _Claim:
    """A finding that names a release, and which one that is."""

    finding: Finding
    identity: Identity


def identify(medium: Medium, files: Files, rules: Rules) -> Detection:
    """Say which operating system is on ``medium``, from its descriptor, its ``files`` and the ``rules``.

    A rule that fits the descriptor names the system. The files decide between several rules that fit; and they are
    believed where no rule fits, where the rule is loose, or where they name another release of the same product.
    Raises nothing for a damaged image: what could not be read is a sentence of the evidence.
    """
    matches = rules.find(medium)
    tree = FileTree(files)
    findings, damaged = gather(tree, READERS)
    server = any(match.system.os_id.startswith(WINDOWS_SERVER) for match in matches)
    claims = [claim for claim in (_claim(finding, rules, server) for finding in findings) if claim is not None]
    label = read_volume_label(medium)
    if label is not None:
        findings.append(label)
        claimed = _claim(label, rules, server)
        if claimed is not None and (not matches or matches[0].loose):
            claims.append(claimed)
    match, claim = _decide(matches, claims)
    if match is not None:
        match = _for_architecture(match, findings, medium)
        identity = identity_of_system(match.system)
    elif claim is not None:
        identity = claim.identity
    else:
        named = next((finding for finding in findings if finding.name), None)
        identity = Identity("", "", named.name, named.version) if named is not None else Identity("", "", "", "")
    live = gather(tree, (read_live_layout,))[0]
    return Detection(
        identity.os_id,
        identity.short_id,
        identity.name,
        identity.version,
        _variant(match, claim),
        _architecture(match, findings, medium),
        *_kind(match, bool(identity.name), findings + live),
        evidence=(*_sentences(medium, rules, matches, match, claim), *_rest(findings + live, claim), *damaged),
        matches=tuple(matches),
    )


def _claim(finding: Finding, rules: Rules, server: bool) -> _Claim | None:
    if finding.treeinfo is not None:
        for system, _ in rules.find_tree(*finding.treeinfo)[:1]:
            if not system.placeholder:
                return _Claim(finding, identity_of_system(system))
    if finding.product:
        version = finding.server_version if server and finding.server_version else finding.version
        identity = identity_of(finding.product, version, rules)
        if identity is not None:
            return _Claim(finding, identity)
    return None


def _agrees(match: Match, claim: _Claim) -> bool:
    if match.system.os_id == claim.identity.os_id:
        return True
    finding = claim.finding
    return bool(finding.product and finding.version) and match.system.os_id in spellings(
        finding.product, finding.version
    )


def _same_product(match: Match, claim: _Claim) -> bool:
    return match.system.os_id.rpartition("/")[0] == claim.identity.os_id.rpartition("/")[0]


def _decide(matches: list[Match], claims: list[_Claim]) -> tuple[Match | None, _Claim | None]:
    """Choose what names the system: a match, with the claim that agrees, or a claim alone."""
    if not claims:
        return (matches[0] if matches else None), None
    claim = claims[0]
    for match in matches:
        if _agrees(match, claim):
            return match, claim
    if not matches:
        return None, claim
    if matches[0].loose or _same_product(matches[0], claim):
        return None, claim
    return matches[0], None


def _for_architecture(match: Match, findings: Iterable[Finding], medium: Medium) -> Match:
    """Choose among the rules of one system the one for the architecture that files or, after them, boot images name."""
    told = [finding.architecture for finding in findings if finding.architecture]
    for architectures in (told[:1], medium.boot_architectures):
        for rule in (match.rule, *match.others):
            if rule.architecture in architectures:
                return Match(match.system, rule)
    return match


def _variant(match: Match | None, claim: _Claim | None) -> str:
    if match is not None and match.rule.variants:
        return match.rule.variants[0]
    return claim.finding.variant if claim is not None else ""


def _architecture(match: Match | None, findings: Iterable[Finding], medium: Medium) -> str:
    """The rule names it, unless what is closer to the medium says otherwise.

    Rules call some media of little-endian POWER ``ppc64``, and some live media of all processors ``x86_64``. So a
    volume id that says it more exactly wins, and so do boot images for another family of processors.
    """
    labelled, boots = architecture_in(medium.volume_id), medium.boot_architectures
    ruled = match.rule.architecture if match is not None else "all"
    if ruled == "all":
        told = next((finding.architecture for finding in findings if finding.architecture), "")
        return told or labelled or next(iter(boots), "")
    same_family = ruled in boots or (ruled in X86 and not X86.isdisjoint(boots))
    if boots and not same_family:
        return boots[0]
    return labelled if labelled.startswith(ruled) else ruled


def _kind(match: Match | None, known: bool, findings: Iterable[Finding]) -> tuple[bool, bool]:
    """Whether the medium is live, and whether it installs; libosinfo takes a known system's medium to install."""
    if match is not None:
        return match.rule.live, match.rule.installer
    told = list(findings)
    live = any(finding.live for finding in told)
    installs = [finding.installer for finding in told if finding.installer is not None]
    return live, any(installs) if installs else known


def _sentences(
    medium: Medium, rules: Rules, matches: list[Match], match: Match | None, claim: _Claim | None
) -> Iterable[str]:
    version = f" ({rules.version})" if rules.version else ""
    if match is not None:
        label = printable(medium.volume_id)
        yield f"By libosinfo's rules{version} the volume id “{label}” is one of {match.system.name}."
        others = [other.system.name for other in matches if other.system.os_id != match.system.os_id]
        if claim is not None:
            yield claim.finding.says
        if others:
            yield f"The same rule fits {', '.join(others)}" + (", but the image's files decide." if claim else " too.")
    elif claim is not None:
        yield claim.finding.says
        if claim.identity.system is None and claim.identity.os_id:
            yield f"libosinfo's rules{version} do not know this release yet; the id is spelled as they would."
        elif not claim.identity.os_id:
            yield "libosinfo has no such system, so there is no id."
        for other in matches[:1]:
            yield f"The descriptor alone fits libosinfo's rule for {other.system.name}, which is less exact."


def _rest(findings: Iterable[Finding], claim: _Claim | None) -> Iterable[str]:
    return [finding.says for finding in findings if claim is None or finding is not claim.finding]
