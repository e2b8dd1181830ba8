"""What a lender keeps of another party's wrongdoing: `own/evidence/`, one file each.

Invariants:
- A file holds signed statements and blinded points, so others can check it and nobody learns a
  subject from it. Nothing is written over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from client.files import keep_private, write_durably
from shared.errors import OperatorError

FOLDER = "evidence"


class Evidence:
    """The folder `evidence` in a lender's folder `own`."""

    def __init__(self, own: Path) -> None:
        self._folder = own / FOLDER

    def keep(self, name: str, content: Mapping[str, object]) -> Path:
        """Write a file durably, under a name that says what it is about; the same twice is one."""
        path = self._folder / f"{name}.json"
        try:
            keep_private(self._folder)
            if not path.exists():
                write_durably(path, json.dumps(content, sort_keys=True, indent=1).encode())
        except OSError as error:
            raise OperatorError(
                f"{path} cannot be written: {error.strerror}",
                remedy="free space, or mend the folder's permissions",
            ) from error
        return path
