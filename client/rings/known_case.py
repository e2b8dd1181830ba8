"""What this lender knows of a case: the desk's word on it, and the last bulletin, checked.

    own/rings/<case>/case.json        the case, signed by the desk
    own/rings/<case>/head.json        the last bulletin's head
    own/rings/<case>/bulletin.bin     its content
    own/rings/<case>/evidence/fork-*.json   two signed heads that contradict each other
    own/rings/<case>/evidence/told-*.json   what the desk signed of ids that were drawn for nobody

Invariants:
- A head is replaced durably, and only by one that follows it; the content is in place before it.
- A bulletin is used only if its content is what its head signs, checked at every opening.
- Evidence is written before the refusal is raised, and never written over.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from client.files import keep_private, write_durably
from client.rings.parties import Shared
from shared.cases.bulletin import Bulletin, BulletinForkError, Head, read_content, read_head
from shared.cases.case import Case, SignedCase, read_case
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of

CASE, HEAD, CONTENT, EVIDENCE = "case.json", "head.json", "bulletin.bin", "evidence"


class KnownCase:
    """In `folder`, of the desk with the code `desk` under `authority` (DER)."""

    def __init__(self, folder: Path, desk: str, authority: bytes) -> None:
        self.folder, self._desk, self._authority = folder, desk, authority

    def keep_case(self, signed: SignedCase) -> None:
        """Keep the desk's word; PeerError when it said something else before."""
        path = self.folder / CASE
        if path.exists():
            if self.case().digest != signed.case.digest:
                raise PeerError(
                    "the desk says something else about a case than before: nothing was changed",
                    remedy=f"show the other members {path} and ask the desk's operator",
                )
            return
        self._write(path, text_of(signed))

    def case(self) -> Case:
        """The case; PeerError when the file was changed, OperatorError when there is none."""
        return read_case(self._read(self.folder / CASE), self._desk, self._authority).case

    def head(self, now: datetime) -> Head | None:
        """The last one kept; None before the first bulletin."""
        path = self.folder / HEAD
        if not path.exists():
            return None
        return read_head(self._read(path), self._desk, self._authority, now)

    def bulletin(self, now: datetime) -> Bulletin | None:
        """The last one, checked; None before the first. OperatorError where the content is not
        the head's.
        """
        head = self.head(now)
        if head is None:
            return None
        try:
            return read_content(head, self._read(self.folder / CONTENT))
        except PeerError as error:
            raise OperatorError(
                f"{self.folder / CONTENT}: it is not bulletin {head.version}",
                remedy="fetch it anew: lianfang-client ring sync",
            ) from error

    def keep(self, head: Head, content: bytes) -> None:
        """Replace the bulletin by one that was checked."""
        self._write(self.folder / CONTENT, content)
        self._write(self.folder / HEAD, text_of(head))

    def accuse(self, fork: BulletinForkError) -> Path:
        """Keep both heads of a fork; the file's path."""
        name = f"fork-{fork.other.version}-{fork.other.head.hex()[:16]}.json"
        path = self.folder / EVIDENCE / name
        known, other = (base64.b64encode(text_of(one)).decode() for one in (fork.known, fork.other))
        document = {"desk": self._desk, "known": known, "other": other}
        if not path.exists():
            self._write(path, json.dumps(document, indent=1).encode())
        return path

    def accuse_told(self, shared: Shared) -> Path:
        """Keep what the desk told and signed; the file's path."""
        said = text_of(shared.said)
        path = (
            self.folder / EVIDENCE / f"told-{shared.said.week}-{sha256(said).hexdigest()[:16]}.json"
        )
        word, ids = (base64.b64encode(one).decode() for one in (said, shared.ids.tobytes()))
        if not path.exists():
            document = {"desk": self._desk, "said": word, "ids": ids}
            self._write(path, json.dumps(document, indent=1).encode())
        return path

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise OperatorError(
                f"{path}: {error.strerror or type(error).__name__}",
                remedy="lianfang-client ring sync",
            ) from error

    def _write(self, path: Path, content: bytes) -> None:
        try:
            keep_private(path.parent)
            write_durably(path, content)
        except OSError as error:
            raise OperatorError(
                f"{path}: {error.strerror or type(error).__name__}",
                remedy="check space and rights of the folder, then give the command again",
            ) from error


def known_cases(folder: Path, desk: str, authority: bytes) -> list[KnownCase]:
    """Every case of this desk that is kept in `folder`, by the day it begins, then by name."""
    found = [KnownCase(path.parent, desk, authority) for path in folder.glob(f"*/{CASE}")]
    return sorted(found, key=lambda one: (one.case().first_monday, one.case().name))


def chosen(cases: list[KnownCase], word: str) -> KnownCase:
    """The one case with this name, or whose id begins so; OperatorError names those there are."""
    named = [one for one in cases if one.case().name == word]
    begun = [one for one in cases if len(word) >= 4 and one.folder.name.startswith(word.lower())]
    found = named or begun
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{one.case().name} ({one.folder.name[:8]})" for one in cases)
    if not cases:
        raise OperatorError(
            "no case is known here yet", remedy="fetch them: lianfang-client ring sync"
        )
    if found:
        example = f"--case {found[0].folder.name[:8]}"
        raise OperatorError(
            "several cases are called so",
            remedy=f"give the first letters of its id, e.g. {example}; known here: {known}",
        )
    raise OperatorError("no case is called so", remedy=f"known here: {known}")
