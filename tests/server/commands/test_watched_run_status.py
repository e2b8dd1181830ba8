"""What a person sees of `run status --watch`, on a terminal, a narrow one, one without colours; and
what a pipe gets.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.server.commands.watched_status import LENDERS, MODEL

ROOT = Path(__file__).resolve().parents[3]
WORDS = [sys.executable, "-W", "ignore", "-m", "tests.server.commands.watched_status"]
ESCAPE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


@dataclass
class Screen:
    """A terminal that only grows: what its lines hold in the end, and at each redrawing."""

    rows: int
    columns: int
    lines: list[str] = field(default_factory=lambda: [""])
    colours: set[str] = field(default_factory=set)
    looks: list[list[str]] = field(default_factory=list)
    hidden: bool = False
    _row: int = 0
    _column: int = 0
    _written: bool = False

    def write(self, text: str) -> None:
        """As it comes from the program."""
        place = 0
        while place < len(text):
            found = ESCAPE.match(text, place)
            if found:
                self._controlled(found[1], found[2])
                place = found.end()
                continue
            self._put(text[place])
            place += 1
        self.looks.append(self.shown)

    @property
    def shown(self) -> list[str]:
        """All lines, without what is blank at their ends."""
        return [line.rstrip() for line in self.lines]

    @property
    def widest(self) -> int:
        """Columns of the longest line."""
        return max(len(line) for line in self.shown)

    def _controlled(self, told: str, letter: str) -> None:
        number = int(told) if told.isdecimal() else 1
        if letter in "AK" and self._written:  # it begins to draw anew
            self._written = False
            self.looks.append(self.shown)
        if letter == "A":
            self._row = max(self._top, self._row - number)
        elif letter == "K":
            self.lines[self._row] = ""
        elif letter == "m":
            self.colours |= {one for one in told.split(";") if one and 30 <= int(one) <= 97}
        elif letter in "hl" and told == "?25":
            self.hidden = letter == "l"
        else:
            raise AssertionError(f"a code this terminal does not know: {told}{letter}")

    @property
    def _top(self) -> int:
        """What has left the screen is out of reach, as on a real one."""
        return max(0, len(self.lines) - self.rows)

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self._column = 0
        elif letter == "\n":
            self._row += 1
            if self._row == len(self.lines):
                self.lines.append("")
        else:
            self._written = True
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + letter + line[self._column + 1 :]
            self._column += 1


def on_terminal(rows: int, columns: int, *words: str, **more: str) -> tuple[Screen, int]:
    """What is seen in the end, and the exit status; `more`: of the environment."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    left_out = ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    process = subprocess.Popen(
        [*WORDS, *words], stdin=slave, stdout=slave, stderr=slave, cwd=ROOT,
        env=kept | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"} | more,
    )  # fmt: skip
    os.close(slave)
    pieces = []
    with open(master, "rb", buffering=0) as screen:
        try:
            while piece := screen.read(1 << 16):
                pieces.append(piece)
        except OSError:  # the other end has closed
            pass
    seen = Screen(rows, columns)
    seen.write(b"".join(pieces).decode())
    return seen, process.wait(60)


def test_a_person_sees_one_table_that_is_redrawn_and_in_the_end_the_result() -> None:
    """While it runs who is waited for; nothing of an earlier look is left, the cursor is back."""
    seen, status = on_terminal(60, 100, "--watch")
    text = "\n".join(seen.shown)
    assert status == 0
    assert any("waiting for: L05" in "\n".join(look) for look in seen.looks)
    assert any("now: set-up of trees/16" in "\n".join(look) for look in seen.looks)
    assert "run spring: finished, 20 of 20 stages done" in text
    assert f"model {MODEL[:16]}, AUC 0.7512" in text
    assert "waiting for:" not in text
    assert text.count("last trouble") == 1
    assert [line.split()[1] for line in seen.shown if re.match(r"│ L0", line)] == list(LENDERS)
    assert not seen.hidden
    assert seen.colours


def waited_for(seen: Screen) -> list[list[str]]:
    """The looks that say who is waited for."""
    return [look for look in seen.looks if "waiting for: L05" in "\n".join(look)]


@pytest.mark.parametrize("rows", [24, 6])
def test_what_is_waited_for_is_seen_on_a_low_terminal_too(rows: int) -> None:
    """Stages give way to it, then lenders; control: with tables as long as ever it is cut off."""
    seen, status = on_terminal(rows, 100, "--watch")
    assert len([line for line in waited_for(seen)[0] if line]) <= rows
    assert status == 0
    assert "run spring: finished" in "\n".join(seen.shown)
    if rows == 24:
        whole, _ = on_terminal(rows, 100, "--watch", WHOLE="1")
        assert not waited_for(whole)


def test_a_narrow_terminal_cuts_no_sentence() -> None:
    """Lines are as wide as it is, and words that do not fit go on in the next one."""
    seen, status = on_terminal(60, 40, "--watch")
    assert status == 0
    assert seen.widest <= 40
    told = " ".join(" ".join(seen.shown).split())
    assert "run spring: finished, 20 of 20 stages done" in told
    assert f"model {MODEL[:16]}, AUC 0.7512 over all lenders' test rows" in told
    assert all(code in told for code in LENDERS)


def test_without_colours_the_same_is_told() -> None:
    """NO_COLOR (no-color.org); a terminal that can move no cursor gets the result once."""
    plain, _ = on_terminal(60, 100, "--watch", NO_COLOR="1")
    coloured, _ = on_terminal(60, 100, "--watch")
    assert not plain.colours
    assert plain.shown == coloured.shown
    dumb, status = on_terminal(60, 100, "--watch", TERM="dumb")
    assert (status, dumb.colours) == (0, set())
    assert [line for line in dumb.shown if line] == [line for line in plain.shown if line]


def test_json_on_a_terminal_is_one_line_and_nothing_else() -> None:
    """Without codes before or after it."""
    seen, status = on_terminal(60, 10_000, "--watch", "--json")
    assert status == 0
    (line,) = [line for line in seen.shown if line]
    assert json.loads(line)["state"] == "finished"


def test_a_pipe_gets_the_result_once_without_codes() -> None:
    """As a file would."""
    done = subprocess.run(
        [*WORDS, "--watch"], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert done.stdout.count("run spring: finished") == 1
    assert done.stdout.count("last trouble") == 1
