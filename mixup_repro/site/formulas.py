"""Formulas as the errata write them, `(alpha + 1) / (2 alpha + 1)`, as MathML.

The texts stay readable in a terminal; in a page fractions, indices and bars are set. `^` and `_`
bind most, and `{...}` takes several signs together; then `/`, between what stands next to it: a
number with its letter (`2n`), a group in brackets, or a function with its argument (`log 8`, and
`f(x)`, where no space stands before the bracket).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring

from markupsafe import Markup

from mixup_repro.errors import InputError

TOKEN = re.compile(
    r"\s*(?:(?P<number>\d[\d,]*(?:\.\d+)?)|(?P<bar>[A-Za-z]+(?=_bar\b))|(?P<word>[A-Za-z]+)"
    r"|(?P<sign><=|>=|->|[-+*/^_=<>|(){}\[\],~]))"
)
GREEK = {
    "alpha": "α", "gamma": "γ", "delta": "δ", "eps": "ε", "epsilon": "ε", "theta": "θ",
    "lambda": "λ", "lam": "λ", "xi": "ξ", "pi": "π", "sigma": "σ", "Sigma": "Σ", "grad": "∇",
}  # fmt: skip
FUNCTIONS = frozenset("log cos".split())  # their argument is what follows
NAMES = FUNCTIONS | {"max", "min", "mix"}
SIGNS = {"<=": "≤", ">=": "≥", "->": "→", "-": "−", "*": "·"}
CLOSES = {"(": ")", "{": "}", "[": "]", "|": "|"}


def mathml(text: str) -> Markup:
    """A formula as MathML.

    Raises:
        InputError: a bracket is not closed, or something has no meaning here.
    """
    math = Element("math")
    math.extend(_Reader(text).row(""))
    return Markup(tostring(math, encoding="unicode"))


class _Reader:
    """Reads a formula from left to right."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def row(self, end: str) -> list[Element]:
        """What stands up to a closing bracket, or up to the end of the text."""
        out = []
        while (token := self._next()) != end:
            if not token:
                raise InputError(f"the formula {self.text!r} ends before {end}")
            out.append(self._quotient())
        self._take()
        return out

    def _quotient(self) -> Element:
        above = self._factor()
        while self._next() == "/":
            self._take()
            above = _of("mfrac", _bare(above), _bare(self._factor()))
        return above

    def _factor(self) -> Element:
        """An atom with what is above and below it, and what belongs to it without a bracket."""
        atom = self._atom()
        out = self._scripts(atom)
        if atom.tag == "mn" and self.text[self.at : self.at + 1].isalpha():
            return _of("mrow", out, self._factor())
        if atom.tag in ("mi", "mover") and self.text[self.at : self.at + 1] == "(":
            return _of("mrow", out, self._factor())
        if atom.text in FUNCTIONS:
            return _of("mrow", out, Element("mspace", width=".2em"), self._factor())
        return out

    def _atom(self) -> Element:
        before = self.at
        token = self._take()
        if token in CLOSES:
            inner = self.row(CLOSES[token])
            if token == "{":
                return _of("mrow", *inner)
            return _of("mrow", _sign(token), *inner, _sign(CLOSES[token]))
        if token == "sqrt":
            return _of("msqrt", _bare(self._atom()))
        if token == "<" and not self.text[self.at : self.at + 1].isspace():
            return _sign("⟨")
        if token == ">" and not self.text[before : before + 1].isspace():
            return _sign("⟩")
        if token[:1].isdigit():
            return _leaf("mn", token)
        return self._name(token) if token.isalpha() else _sign(SIGNS.get(token, token))

    def _name(self, token: str) -> Element:
        """A letter, a Greek one, or a function; two letters are two indices. With a bar or tilde
        where it has one."""
        if token in GREEK or token in NAMES or len(token) == 1:
            name = _leaf("mi", GREEK.get(token, token))
        elif len(token) == 2 and token.islower():
            name = _of("mrow", *(_leaf("mi", letter) for letter in token))
        else:
            raise InputError(f"the formula {self.text!r}: {token} is nothing that is known")
        for written, sign in (("_bar", "‾"), ("~", "~")):
            if self.text.startswith(written, self.at):
                self.at += len(written)
                return _of("mover", name, _sign(sign))
        return name

    def _scripts(self, base: Element) -> Element:
        """An atom with what is written below and above it, in either order."""
        found: dict[str, Element] = {}
        while (token := self._next()) in ("_", "^") and token not in found:
            self._take()
            minus = [_sign(SIGNS[self._take()])] if self._next() == "-" else []
            inner = self._atom()
            index = len(inner) == 3 and inner[1].tag == "mi"  # J^(i) keeps its brackets
            found[token] = _one([*minus, inner if index else _bare(inner)])
        if not found:
            return base
        kind = "msubsup" if len(found) == 2 else "msub" if "_" in found else "msup"
        return _of(kind, base, *(found[token] for token in "_^" if token in found))

    def _next(self) -> str:
        match = TOKEN.match(self.text, self.at)
        if match is None and self.text[self.at :].strip():
            raise InputError(f"the formula {self.text!r}: {self.text[self.at :]!r} is not known")
        return match[0].strip() if match else ""

    def _take(self) -> str:
        token = self._next()
        self.at = self.text.index(token, self.at) + len(token) if token else len(self.text)
        return token


def _leaf(tag: str, text: str) -> Element:
    out = Element(tag)
    out.text = text
    return out


def _sign(text: str) -> Element:
    out = _leaf("mo", text)
    if text in "|⟨⟩‾~":
        out.set("stretchy", "false")
    return out


def _of(tag: str, *inner: Element) -> Element:
    out = Element(tag)
    out.extend(inner)
    return out


def _one(elements: Sequence[Element]) -> Element:
    return elements[0] if len(elements) == 1 else _of("mrow", *elements)


def _bare(element: Element) -> Element:
    """A group without its round brackets, which a fraction, a root or an index makes needless."""
    inner = list(element)
    round_ = element.tag == "mrow" and len(inner) > 2 and inner[0].text == "("
    return _one(inner[1:-1]) if round_ else element
