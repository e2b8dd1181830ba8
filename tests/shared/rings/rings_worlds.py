"""Small worlds of edges for tests: a ring, its neighbours, and random ones."""

import numpy as np

from shared.rings.detect import Detection
from shared.rings.edges import Edges
from shared.rings.kinds import Kind

Rows = list[tuple[int, int, int, int, int]]
DEVICE, CARD, PHONE = int(Kind.DEVICE), int(Kind.BANK_CARD), int(Kind.PHONE)
CONTACT, UNIT, BUILDING = int(Kind.EMERGENCY_CONTACT), int(Kind.ADDR_UNIT), int(Kind.ADDR_BUILDING)
EMPLOYER, WIFI, PAYEE = int(Kind.EMPLOYER), int(Kind.WIFI), int(Kind.PAYEE)
GUARANTOR = int(Kind.GUARANTOR)


def ring(first: int = 0, attribute: int = 1000, week: int = 10, size: int = 6) -> Rows:
    """`size` subjects: three to a device, every second the same card owner's phone and card."""
    rows: Rows = []
    for at in range(size):
        who = first + at
        rows.append((who, attribute + at // 3, DEVICE, week + at % 3, 0))
        rows.append((who, attribute + 50 + at % (size // 3), CARD, week + at % 3, 0))
        rows.append((who, attribute + 80 + at // 2, PHONE, week + at % 3, 0))
    return rows


def family(first: int, attribute: int, size: int = 4, week: int = 10) -> Rows:
    """One home, one contact, two phones."""
    return [
        row
        for at in range(size)
        for row in (
            (first + at, attribute, UNIT, week, 0),
            (first + at, attribute + 1, CONTACT, week, 0),
            (first + at, attribute + 2 + at % 2, PHONE, week, 0),
        )
    ]


def random_world(seed: int, subjects: int = 60, rows: int = 260) -> Edges:
    """Anything: small attribute space of every kind, so that hubs, bursts and motifs all occur."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, len(Kind), rows)
    # Phones and contacts share a space, as do cards and payees.
    space = np.array([0, 1, 2, 2, 3, 4, 5, 6, 2, 1])[kind]
    attribute = 40 * space + (40 * rng.random(rows) ** 2).astype(np.int64)
    return Edges(
        rng.integers(0, subjects, rows),
        attribute,
        kind.astype(np.uint8),
        rng.integers(0, 30, rows).astype(np.int16),
        np.where(kind == Kind.PAYEE, rng.integers(1, 4, rows), 0).astype(np.uint8),
    )


def planted_world(seed: int, subjects: int = 300) -> Edges:
    """Random lives with rings among them, so that components, cores and motifs all matter."""
    rng = np.random.default_rng(seed)
    lives = random_world(seed, subjects, rows=3 * subjects)
    spread = Edges(
        lives.subject,
        lives.attribute * 20 + rng.integers(0, 20, len(lives)),
        lives.kind,
        lives.week,
        lives.band,
    )
    rows: Rows = []
    for number in range(4):
        rows += ring(subjects - 2 + 12 * number, 20_000 + 200 * number, size=9)
    people = rng.integers(0, subjects, 4)
    for at, who in enumerate(people):  # money in a circle
        rows.append((int(who), 30_000 + at, CARD, 10, 0))
        rows.append((int(who), 30_000 + (at + 1) % 4, PAYEE, 12, 3))
    return spread.then(Edges.of(rows))


def essence(detection: Detection, names: dict[int, int] | None = None) -> set[object]:
    """All that a detection says, without the numbers of rings and edges; subjects renamed."""
    names = names or {}
    found: set[object] = set()
    for each in detection.rings:
        people = [names.get(who, who) for who in each.members]
        found.add(
            (
                tuple(sorted(zip(people, each.strength, strict=True))),
                each.score,
                each.reasons,
                each.kinds,
                each.motifs,
                each.first_week,
                each.last_week,
                len(each.edges),
            )
        )
    return found
