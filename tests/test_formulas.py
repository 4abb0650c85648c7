"""Formulas are set as they are written: the same numbers come out of both."""

from __future__ import annotations

import math
import re
from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree as Tree

import pytest

from mixup_repro.errors import InputError
from mixup_repro.papers.errata import Erratum
from mixup_repro.report import checkable
from mixup_repro.site.formulas import GREEK, mathml

AT = {"α": 0.7, "σ": 1.3, "θ": 0.6, "θ‾": 0.85, "ε": 0.25, "n": 9.0, "b": 1.7, "x": 2.3, "λ": 0.4}
AT |= {"p": 0.3, "q": 0.2, "M": 5.0, "i": 0.0, "k": 1.5, "m": 0.9}


def value(node: Tree.Element) -> float:
    """What a formula is worth, by the meaning of MathML's elements."""
    inner = list(node)
    if node.tag == "mfrac":
        return value(inner[0]) / value(inner[1])
    if node.tag == "msup":
        return value(inner[0]) ** value(inner[1])
    if node.tag == "msqrt":
        return math.sqrt(value(inner[0]))
    if node.tag in ("mi", "mover"):
        return AT["".join(node.itertext())]
    if node.tag == "mn":
        return float(node.text or "")
    terms, product = [], 1.0
    for k, child in enumerate(inner):
        if child.text in ("+", "−"):
            terms += [product] if k else []
            product = 1.0 if child.text == "+" else -1.0
        elif child.tag == "mi" and child.text == "log":
            return math.log(value(inner[-1]))
        elif child.text not in ("(", ")", "|") and child.tag != "mspace":
            product *= value(child)
    return sum(terms) + product


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("(alpha + 1) / (2 alpha + 1)", 1.7 / 2.4),
        ("(2 sigma^2 + theta_bar^2 + (1 - theta_bar)^2) / 2n", (3.38 + 0.85**2 + 0.15**2) / 18),
        ("(1 - 1/b) / (1 - 1/n)", (1 - 1 / 1.7) / (1 - 1 / 9)),
        ("1/2 - p / (4q)", 0.5 - 0.3 / 0.8),
        ("sqrt(2 / M)", math.sqrt(0.4)),
        ("(log 4 / eps^2 - 1)/2", (math.log(4) / 0.0625 - 1) / 2),
        ("log 2 / n^2", math.log(2) / 81),
        ("lambda x + (1 - lambda) b", 0.4 * 2.3 + 0.6 * 1.7),
        ("x^-1", 1 / 2.3),
        ("2 alpha (1 + x) / b", 1.4 * 3.3 / 1.7),
        ("x^{1 + b}", 2.3**2.7),
    ],
)
def test_a_formula_is_worth_what_is_written(text, worth):
    assert value(Tree.fromstring(mathml(text))) == pytest.approx(worth, rel=1e-12)


def test_indices_bars_and_brackets_are_set():
    text = mathml("|(grad f - J^(i))^T|_Z^2")
    assert text.startswith('<math><msubsup><mrow><mo stretchy="false">|</mo>')
    assert "<msup><mi>J</mi><mrow><mo>(</mo><mi>i</mi><mo>)</mo></mrow></msup>" in text
    tilde = mathml("x~_i = x_bar")
    assert re.sub("<[^>]+>", "", tilde) == "x~i=x‾"
    assert tilde.startswith("<math><msub><mover>")
    pair = re.sub("<[^>]+>", "", mathml("<Sigma_yx, grad f> >= 0 < 1"))
    assert pair == "⟨Σyx,∇f⟩≥0&lt;1"


def test_a_function_keeps_the_brackets_of_its_argument_in_a_fraction():
    (fraction,) = Tree.fromstring(mathml("f(x + 1) / theta_bar"))
    assert fraction.tag == "mfrac" and "".join(fraction[0].itertext()) == "f(x+1)"
    (product, _) = Tree.fromstring(mathml("f (x + 1) / theta_bar"))
    assert product.tag == "mi"


@pytest.mark.parametrize("text", ["(1 + 2", "1 + rate", "a; b", "|x"])
def test_what_has_no_meaning_is_named(text):
    with pytest.raises(InputError, match="the formula"):
        mathml(text)


class Words(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.words = ""
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_every_formula_of_the_errata_keeps_its_letters_and_numbers():
    errata = [one for one in checkable().values() if isinstance(one, Erratum)]
    fields = [field for e in errata for field in (e.printed, e.right)]
    texts = [text for field in fields for text in re.findall(r"`([^`]+)`", field)]
    assert len(texts) > 50
    for text in texts:
        words = [w for w in re.findall(r"[A-Za-z]+|\d", text.replace("_bar", "")) if w != "sqrt"]
        wanted = Counter("".join(GREEK.get(word, word) for word in words))
        shown = Words(str(mathml(text))).words
        assert Counter(c for c in shown if c.isalnum() or c == "∇") == wanted, text
