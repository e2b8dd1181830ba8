"""A parser of commands that says in one sentence which word is wrong, and what to do about it.

Invariants:
- It prints nothing about a wrong word and ends nothing: OperatorError, as for any other mistake.
- A value is shown only if it is a plain word of letters; any other might be an identifier.
- An option is written in full, so that a new one changes the meaning of no script.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from shared.errors import OperatorError

_WORD = re.compile(r"[A-Za-z][A-Za-z_-]{0,30}")
_ABOUT_ONE = re.compile(r"argument (?P<name>[^:]+): (?P<what>.*)", re.DOTALL)
_REQUIRED = "the following arguments are required: "


class PlainParser(argparse.ArgumentParser):
    """Its commands (`add_subparsers`) are such parsers too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "allow_abbrev": False})

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse does, but what is unknown is refused by the command it was given to."""
        if args is not None and not self._commands():
            self._check_spelling(args)
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self._refuse_unknown(unknown)
        return found, []

    def error(self, message: str) -> NoReturn:
        """OperatorError for what argparse found."""
        if message.startswith(_REQUIRED):
            raise self._missing(message.removeprefix(_REQUIRED).split(", "))
        about = _ABOUT_ONE.match(message)
        action = self._action(about["name"]) if about else None
        if about is None or action is None:
            raise OperatorError("the words of this command do not fit", remedy=self._help())
        raise self._wrong_value(about["name"], about["what"], action)

    def _missing(self, names: Sequence[str]) -> OperatorError:
        commands = self._commands()
        if commands and [*names] == ["COMMAND"]:
            return OperatorError(
                f"no command is given after {self.prog}",
                remedy=f"one of {', '.join(commands)}; {self._help()}",
            )
        is_or_are = "is" if len(names) == 1 else "are"
        return OperatorError(
            f"{', '.join(names)} {is_or_are} missing",
            remedy=f"give {', '.join(map(self._written, names))}; {self._help()}",
        )

    def _wrong_value(self, name: str, what: str, action: argparse.Action) -> OperatorError:
        said = re.search(r"'(.*?)'", what)
        value = _shown(said[1]) if said else "what is given"
        if what.startswith("invalid choice"):
            known = [str(one) for one in action.choices or ()]
            near = _nearest(said[1] if said else "", known)
            if name == "COMMAND":
                sentence = f"{self.prog} has no command {value}"
            else:
                sentence = f"{name}: {value} is not one of its words"
            return OperatorError(sentence, remedy=f"{near}it is one of {', '.join(known)}")
        if what.startswith("expected"):
            return OperatorError(f"{name} is given without a value", remedy=self._give(name))
        if action.type is int:
            return OperatorError(f"{name}: {value} is no whole number", remedy=self._give(name))
        return OperatorError(f"{name} is not given as it should be", remedy=self._give(name))

    def _give(self, name: str) -> str:
        return f"give {self._written(name)}; {self._help()}"

    def _written(self, name: str) -> str:
        """How an option or word is written."""
        action, option = self._action(name), name.split("/")[-1]
        if action is None or not option.startswith("-") or action.nargs == 0:
            return option
        if action.choices is not None:
            return f"{option} {'|'.join(map(str, action.choices))}"
        return f"{option} {action.metavar or action.dest.upper()}"

    def _check_spelling(self, words: Sequence[str]) -> None:
        """Before anything is said to be missing: a misspelt option is why."""
        for word in words:
            if word == "--":
                return
            name = word.partition("=")[0]
            if name.startswith("--") and name not in self._option_string_actions:
                self._refuse_unknown([word])

    def _refuse_unknown(self, words: Sequence[str]) -> NoReturn:
        option = next((word for word in words if word.startswith("-") and len(word) > 1), None)
        if option is None:
            raise OperatorError(
                f"{self.prog} takes fewer words: {len(words)} too many",
                remedy=f"put a value of several words in quotes; {self._help()}",
            )
        name = option.partition("=")[0]
        shown = name if _WORD.fullmatch(name.strip("-")) else "like that"
        known = [one for one in self._option_string_actions if one.startswith("--")]
        raise OperatorError(
            f"{self.prog} has no option {shown}",
            remedy=f"{_nearest(name, known)}{self._help()}",
        )

    def _action(self, name: str) -> argparse.Action | None:
        for one in self._actions:
            if name in ("/".join(one.option_strings), one.metavar, one.dest):
                return one
        return None

    def _commands(self) -> list[str]:
        return [
            name
            for one in self._actions
            if isinstance(one, argparse._SubParsersAction)
            for name in one.choices
        ]

    def _help(self) -> str:
        return f"see {self.prog} -h"


def _nearest(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}? " if near else ""


def _shown(value: str) -> str:
    return repr(value) if _WORD.fullmatch(value) else "what is given"
