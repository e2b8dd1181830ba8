"""Scoring a book at the lender: PD, score, tier and reasons for every applicant, streamed.

Invariants:
- The output appears whole or not at all, and never over the input. Another file of its name is
  replaced.
- A CSV begins with a byte order mark: Excel takes it for UTF-8 then.
- Reasons are columns that raised this applicant's PD, strongest first, at most four; none is given
  where nothing raised it.
- A text cell that a spreadsheet would run as a formula is written with a leading apostrophe.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from client.files import write_whole
from client.personal import PersonalLayer
from client.saved_personal import DOCUMENT as PERSONAL
from client.saved_personal import personal_from
from client.table import read_table
from shared.errors import OperatorError
from shared.model.saved import DOCUMENT, digest_of, from_files
from shared.model.shared_model import BLOCK_ROWS, SharedModel, pd_of
from shared.schema import Table
from shared.statistics.scores import score_of_logit, tier_name, tier_of_score

MOST_REASONS = 4
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Scorer:
    """A model folder ready to score. `layer` is None for the shared model alone."""

    shared: SharedModel
    layer: PersonalLayer | None

    @property
    def digest(self) -> str:
        """The shared model's, hex: as `result.json` and `lianfang-server model list` name it."""
        return digest_of(self.shared)

    def blocks(self, table: Table, reasons: int, progress: Progress) -> Iterator[pd.DataFrame]:
        """Scored rows, `BLOCK_ROWS` at a time; `progress` is told rows done."""
        for start in range(0, table.rows, BLOCK_ROWS):
            block = table.take(np.arange(start, min(start + BLOCK_ROWS, table.rows)))
            yield self._scored(block, reasons)
            progress(block.rows)

    def _scored(self, block: Table, reasons: int) -> pd.DataFrame:
        logit = self.shared.logit(block)
        if self.layer is not None:
            logit = self.layer.logit(logit, self.shared.transform.codes(block))
        score = score_of_logit(logit)
        tiers = np.array([tier_name(i + 1) for i in range(28)])
        columns = {
            "row_key": block.row_key.astype(str),
            "pd": pd_of(logit),
            "score": score,
            "tier": tiers[tier_of_score(score) - 1],
        }
        if reasons:
            columns |= self._reasons(block, reasons)
        return pd.DataFrame(columns)

    def _reasons(self, block: Table, reasons: int) -> dict[str, np.ndarray]:
        moved, base = self.shared.explain(block)
        if self.layer is not None:
            moved, _ = self.layer.explain(moved, base, self.shared.transform.codes(block))
        names = np.array([*self.shared.transform.names, ""], dtype=object)
        order = np.argsort(-moved, axis=1, kind="stable")[:, :reasons]
        strength = np.take_along_axis(moved, order, axis=1)
        chosen = np.where(strength > 0, order, len(names) - 1)
        return {f"reason_{i + 1}": names[chosen[:, i]] for i in range(chosen.shape[1])}


def open_model(folder: Path, *, shared_only: bool) -> Scorer:
    """Load a model folder; with `shared_only` a personal layer in it is left aside.

    Raises OperatorError when files are missing or do not fit.
    """
    try:
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    except OSError as error:
        raise OperatorError(
            f"{folder}: cannot be read ({type(error).__name__})",
            remedy="name a model folder, e.g. the lender's own/model",
        ) from error
    if DOCUMENT not in files:
        raise OperatorError(
            f"{folder} holds no model: {DOCUMENT} is missing",
            remedy="name a model folder, e.g. the lender's own/model or the run's model",
        )
    personal = None if shared_only or PERSONAL not in files else personal_from(files)
    return Scorer(from_files(files), personal)


def score_book(
    scorer: Scorer, book: Path, out: Path, *, reasons: int, progress: Callable[[int], Progress]
) -> int:
    """Score the applicants in `book` into `out` (.csv or .parquet); returns how many.

    `progress(rows)` is called once, before scoring; what it returns is told rows done.
    """
    if out.suffix not in (".csv", ".parquet"):
        raise OperatorError(f"{out}: the output must be .csv or .parquet", remedy="rename --out")
    if out.resolve() == book.resolve():
        raise OperatorError(f"{out} is the input itself", remedy="name another --out")
    if not 0 <= reasons <= MOST_REASONS:
        raise OperatorError(f"{reasons} reasons asked for; 0 to {MOST_REASONS} can be given")
    table = read_table(book, scorer.shared.schema, labelled=False).table
    blocks = list(scorer.blocks(table, reasons, progress(table.rows)))
    scored = pd.concat(blocks, ignore_index=True)
    try:
        write_whole(out, _content(scored, out.suffix))
    except OSError as error:
        raise OperatorError(
            f"{out}: cannot be written ({type(error).__name__})", remedy="check folder and space"
        ) from error
    return len(scored)


def _content(scored: pd.DataFrame, suffix: str) -> bytes:
    if suffix == ".parquet":
        buffer = io.BytesIO()
        scored.to_parquet(buffer, index=False)
        return buffer.getvalue()
    safe = scored.assign(pd=scored["pd"].round(6))
    for name in safe.select_dtypes(exclude="number"):
        texts = safe[name].astype(str)
        safe[name] = texts.where(~texts.str.startswith(_FORMULA), "'" + texts)
    return safe.to_csv(index=False).encode("utf-8-sig")
