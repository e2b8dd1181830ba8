"""A ring as one HTML file that needs nothing else: the graph, and all of it in tables as well.

Invariants:
- Nothing is fetched, and no script runs but the page's own, which its policy names by digest; so a
  hostile name could do nothing even if it were not escaped, and it is.
- Without scripts everything can be read; with them the graph is zoomed and moved.
- The same picture gives the same bytes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from importlib import resources
from pathlib import Path

from client.files import write_whole
from client.rings.drawing import drawing
from client.rings.looking import kind_word
from client.rings.picture import Member, Picture, counts_as, own_words, paid_words
from shared.errors import OperatorError

Row = tuple[str, Sequence[str]]
"""A row's style and its cells."""


def write_page(picture: Picture, path: Path) -> None:
    """Write the page, readable by its owner only. OperatorError."""
    if path.suffix not in (".html", ".htm"):
        raise OperatorError(f"{path}: a page is named .html", remedy="rename --html")
    if not path.parent.is_dir():
        raise OperatorError(
            f"{path.parent}: there is no such folder", remedy="make it first, or name another"
        )
    try:
        write_whole(path, page(picture).encode())
    except OSError as error:
        raise OperatorError(
            f"{path}: cannot be written ({error.strerror})", remedy="check folder and space"
        ) from error


def page(picture: Picture) -> str:
    """The page as text."""
    style, script = _own("page.css"), _own("page.js")
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    name = picture.ring.hex()[:8]
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>Ring {name}</title>\n<style>\n{style}</style>\n</head>\n<body>",
            f"<h1>Ring {name}</h1>",
            f'<p class="subtitle">{escape(_subtitle(picture))}</p>',
            _secret(picture),
            '<p class="hint"><strong>To be reviewed by a person.</strong> A ring is a reason to '
            "look, never a decision; read what speaks against it first.</p>",
            _facts(picture),
            _against(picture),
            "<h2>Graph</h2>",
            _graph(picture),
            *_tables(picture),
            f"<script>{script}</script>\n</body>\n</html>\n",
        )
    )


def _subtitle(picture: Picture) -> str:
    return (
        f"case {picture.case} · bulletin {picture.version}, up to the week of {picture.week} · "
        f"seen from {picture.first} to {picture.last} · ring {picture.ring.hex()}"
    )


def _secret(picture: Picture) -> str:
    if not picture.revealed:
        return ""
    return (
        '<p class="secret"><strong>Identifiers in full.</strong> Keep this file where the '
        "customers' data are kept, and remove it when the case is closed.</p>"
    )


def _facts(picture: Picture) -> str:
    listed = sum(one.listed for one in picture.members)
    own = sum(one.counts for one in picture.own)
    also = sum(one.standing == "member" for one in picture.near)
    sure = sum(one.confirmed > 1 for one in picture.lines)
    shapes = f"shapes of money: {_words(picture.motifs) or 'none'}"
    facts = (
        ("score", f"{picture.score} of 100", "the chance that it is one, by the desk's rules"),
        ("members", f"{len(picture.members)}", f"{own} of this lender" + _also(also)),
        ("on the shared list", f"{listed}", "of the members; where the search began"),
        ("observations", f"{len(picture.lines)}", f"{sure} confirmed by two lenders or more"),
        ("payments seen", paid_words(picture), _paid(picture.exposure)),
        ("tied by", _words(picture.reasons) or "–", shapes),
    )
    rows = [
        f"<div><dt>{escape(name)}</dt><dd><b>{escape(value)}</b><span>{escape(note)}</span></dd></div>"
        for name, value, note in facts
    ]
    return f'<dl class="facts">{"".join(rows)}</dl>'


def _paid(band: str) -> str:
    together = "of all lenders together"
    return together if band == "none" else f"{together}, {band} by the lower ends of their bands"


def _also(number: int) -> str:
    return f", and {number} by an own observation" if number else ""


def _words(codes: Iterable[str]) -> str:
    return ", ".join(code.replace("_", " ") for code in codes)


def _against(picture: Picture) -> str:
    told = picture.against or ("Nothing that the desk or this lender knows of.",)
    rows = "".join(f"<li>{escape(one)}</li>" for one in told)
    decided = "".join(f"<li>{escape(one)}</li>" for one in picture.decisions)
    here = f"<h2>Decided here</h2>\n<ul>{decided}</ul>" if decided else ""
    return f"<h2>What speaks against it</h2>\n<ul>{rows}</ul>\n{here}"


def _graph(picture: Picture) -> str:
    told = "graph; plus and minus zoom, arrows move, Enter picks out"
    return f"""<figure class="graph" tabindex="0" aria-label="{told}">
<div class="tools"><button data-does="in" title="zoom in">+</button>
<button data-does="out" title="zoom out">−</button>
<button data-does="all" title="everything">all</button></div>
{drawing(picture)}
</figure>
<p class="hands">Drag to move; click into it, then turn the wheel (or + and −) to zoom; click on a
person or a thing to see what hangs together with it, again or Esc to let go.</p>
{_legend()}"""


def _tables(picture: Picture) -> Iterable[str]:
    yield "<h2>Members</h2>"
    yield _table(
        (
            "member",
            "whose",
            "identifier",
            "on the list",
            "strength",
            "seen by lenders",
            "counts here",
        ),
        [
            (
                "own" if one.own else "",
                (
                    one.label,
                    "this lender's" if one.own else "another's",
                    one.identifier or "–",
                    "yes" if one.listed else "no",
                    f"{one.strength}",
                    one.lenders,
                    _counts(one),
                ),
            )
            for one in sorted(picture.members, key=lambda one: not one.own)
        ],
    )
    yield from _near(picture)
    yield "<h2>What they share</h2>"
    yield _table(
        ("what", "here", "identifier", "people who have it"),
        [
            (
                "own" if one.own else "",
                (
                    one.label,
                    "seen here too" if one.own else "others only",
                    one.identifier or "–",
                    one.sharers,
                ),
            )
            for one in picture.things
        ],
    )
    yield "<h2>Observations</h2>"
    yield _table(
        ("member", "what", "as", "week of", "amount", "confirmed by", "own observation"),
        [
            (
                "own" if picture.members[one.member].own else "",
                (
                    picture.members[one.member].label,
                    picture.things[one.thing].label,
                    kind_word(one.kind),
                    f"{one.week}",
                    one.amount or "–",
                    "2 lenders or more" if one.confirmed > 1 else "1 lender",
                    own_words(one) or "no",
                ),
            )
            for one in sorted(picture.lines, key=lambda one: (one.week, one.member, one.thing))
        ],
    )


def _counts(one: Member) -> str:
    if not one.own:
        return "–"
    if one.standing == "lead":
        return "a lead: by one lender's word that is not yours; look, do not act on it"
    return "yes" if one.counts else "no: near it"


def _near(picture: Picture) -> Iterable[str]:
    if not picture.near:
        return
    yield "<h2>Own customers tied to it, or near it</h2>"
    yield (
        "<p>One observation convicts nobody. Where all that ties a customer is this lender's own, "
        "it counts as a member here, and nowhere else.</p>"
    )
    yield _table(
        ("customer", "identifier", "counts here as", "tied by"),
        [
            (
                "own",
                (one.label, one.identifier, counts_as(one), "; ".join(one.ties) or "–"),
            )
            for one in picture.near
        ],
    )


def _table(head: Sequence[str], rows: Sequence[Row]) -> str:
    top = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    body = []
    for style, (first, *rest) in rows:
        cells = "".join(f"<td>{escape(one)}</td>" for one in rest)
        marked = f' class="{style}"' if style else ""
        body.append(f'<tr{marked}><th scope="row">{escape(first)}</th>{cells}</tr>')
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead>\n<tbody>'
        + "\n".join(body)
        + "</tbody></table></div>"
    )


def _own(name: str) -> str:
    return resources.files("client.rings").joinpath(name).read_text("utf-8")


def _legend() -> str:
    rows = [
        f'<li><svg viewBox="0 0 30 18" aria-hidden="true">{sign}</svg>{escape(told)}</li>'
        for sign, told in _LEGEND
    ]
    return '<ul class="legend">' + "".join(rows) + "</ul>"


_DOT = '<circle cx="15" cy="9" r="6"/>'
_BOX = '<rect x="3" y="2" width="24" height="14" rx="4"/>'
_LEGEND = (
    (f'<g class="who own">{_DOT}</g>', "own member"),
    (f'<g class="who own doubt">{_DOT}</g>', "own, by another's word only"),
    (f'<g class="who">{_DOT}</g>', "another lender's"),
    (f'<g class="who">{_DOT}<circle class="halo" cx="15" cy="9" r="8"/></g>', "on the list (seed)"),
    (f'<g class="what">{_BOX}</g>', "what they share"),
    (f'<g class="what foreign">{_BOX}</g>', "not seen here"),
    ('<path class="line one own" d="M1 9H29"/>', "own observation"),
    ('<path class="line one other" d="M1 9H29"/>', "another single lender's"),
    ('<path class="line two other" d="M1 9H29"/>', "confirmed by two or more"),
)
