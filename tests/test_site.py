"""The site says what the tables say: each finding, number and link is held against them."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import commands
import pandas as pd
import pytest
import torch

from mixup_repro import site
from mixup_repro.beta import theta_bar
from mixup_repro.errors import InputError
from mixup_repro.paths import CHECKOUT
from mixup_repro.site import figures, parts, tables, words
from mixup_repro.site.build import HERE, check_links
from mixup_repro.site.findings import read_copy

RESULTS = CHECKOUT / "results"
COPY = HERE / "copy.toml"


class Text(HTMLParser):
    """What a page shows, by the tag that it is in; scripts and drawings are left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.pieces: list[tuple[tuple[str, ...], str]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "link", "input", "br", "img", "image"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"svg", "script", "style"} & set(self.stack):
            self.pieces.append((tuple(self.stack), data))

    @property
    def words(self) -> str:
        return " ".join("".join(text for _, text in self.pieces).split())


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("built") / "site"
    site.build(RESULTS, out)
    return out


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the results, without the large tables, whose rows no page shows."""
    copy = tmp_path / "results"
    kept = ("*.csv", "*.md", "tables", "figures", "maps")
    copy.mkdir()
    for name in kept:
        for path in RESULTS.glob(name):
            (copy / path.name).symlink_to(path)
    for name in ("LICENSE", "README.md", "CITATION.cff", "CHANGELOG.md"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    return copy


def edited(folder: Path, name: str, change) -> None:
    """Put a changed copy in the place of a file of the results."""
    text = (folder / name).read_text()
    (folder / name).unlink()
    (folder / name).write_text(change(text))


def rows(name: str) -> list[dict[str, str]]:
    with open(RESULTS / name, newline="") as file:
        return list(csv.DictReader(file))


def test_it_is_made_without_pytorch_and_within_its_size(built):
    code = "import sys, mixup_repro.site; print('torch' in sys.modules)"
    assert commands.plain("-c", code).stdout.strip() == "False"
    sizes = {path: path.stat().st_size for path in built.rglob("*") if path.is_file()}
    assert sum(sizes.values()) <= 3_000_000
    assert (built / "style.css").stat().st_size <= 14_000
    assert (built / "site.js").stat().st_size <= 12_000
    assert sum(size for path, size in sizes.items() if path.suffix == ".woff2") <= 49_152
    around = sum(n for path, n in sizes.items() if path.suffix in (".css", ".js", ".woff2"))
    assert max(n for path, n in sizes.items() if path.suffix == ".html") + around <= 300_000


def test_the_same_results_give_the_same_bytes_and_old_pages_go(built, tmp_path):
    again = tmp_path / "site"
    (again / "results").mkdir(parents=True)
    (again / "results" / "gone.html").write_text("old")
    site.build(RESULTS, again)
    files = {str(p.relative_to(built)): p.read_bytes() for p in built.rglob("*") if p.is_file()}
    assert files == {
        str(p.relative_to(again)): p.read_bytes() for p in again.rglob("*") if p.is_file()
    }


def test_the_committed_pages_are_those_of_the_committed_results(built):
    """But for bitmaps, whose bytes are those of a version of zlib."""
    git = ["git", "-C", str(CHECKOUT), "status", "--porcelain", "results"]
    if subprocess.run(git, capture_output=True, text=True).stdout:
        pytest.skip("results/ is not as committed: make reproduce has written it anew")
    for path in built.rglob("*.*"):
        committed = CHECKOUT / "site" / path.relative_to(built)
        assert committed.is_file(), f"{committed}: type make site"
        one, other = (re.sub(rb"base64,[^\"]+", b"", p.read_bytes()) for p in (path, committed))
        assert one == other, f"{committed}: type make site"


def test_the_readmes_picture_is_the_figure_in_both_modes(built):
    light, dark = (ElementTree.parse(built / f"first-{mode}.svg") for mode in ("light", "dark"))
    texts = ["".join(node.itertext()) for node in dark.iter() if node.tag.endswith("text")]
    assert texts == ["".join(n.itertext()) for n in light.iter() if n.tag.endswith("text")]
    page, other = ((built / f"first-{m}.svg").read_text().lower() for m in ("light", "dark"))
    assert "#1b2230" in page and "#1b2230" not in other and "#e8ecf2" in other


def test_every_claim_is_on_the_page_of_claims_once_with_its_verdict(built):
    html = (built / "claims.html").read_text()
    ids = re.findall(r"<li id=([\w-]+) data-words", html)
    claims = {f"{r['paper']}-{r['claim']}" for r in rows("verdicts.csv")}
    assert len(ids) == len(set(ids)) and set(ids) == claims
    row = html[html.index("<li id=chidambaram2022-fig1_fails ") :].split("</summary>")[0]
    assert "holds · Fig. 1" in row and "●" in row


def test_every_item_with_rows_has_a_page_that_is_reached_from_the_gallery(built):
    gallery = (built / "results" / "index.html").read_text()
    for row in rows("items.csv"):
        page = f"{row['paper']}-{row['page']}.html"
        if row["figure"]:
            assert (built / "results" / page).is_file() and f"href={page}>" in gallery
            assert row["item"] in (built / "results" / page).read_text() or row["page"] == "theory"


def test_numbers_on_the_first_page_are_those_of_the_table(built):
    published = [r for r in rows("verdicts.csv") if r["paper"] != "notes" and r["ours"] == "0"]
    text = Text((built / "index.html").read_text()).words
    claims = {(r["paper"], r["claim"]) for r in published}
    assert f"All {len(claims)} claims at a glance" in text
    theorems = {(r["paper"], r["claim"]) for r in published if r["scale"] == "exact"}
    assert f"Theorems, in double precision {len(theorems)}" in text
    good = [r for r in published if r["claim"] == "table1" and r["paper"] == "chidambaram2022"]
    names = "no one two three four five six seven eight nine".split()
    agree = names[sum(r["finding"] == "agrees" for r in good)]
    assert f"{agree} of {names[len(good)]} probabilities agree" in text


def test_intervals_on_an_item_page_are_those_of_the_table(built):
    """Recomputed from the rows: in points, with two digits in the half-width."""
    row = next(
        r
        for r in rows("verdicts.csv")
        if (r["claim"], r["item"], r["part"])
        == ("fig4_ece", "fig4_cifar10_lenet", "ece, alpha = 1")
    )
    mean, low, high = (100 * float(row[k]) for k in ("effect", "low", "high"))
    digits = 2 if 0.1 <= (high - low) / 2 < 1 else 1
    want = f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}] points".replace("-", "−")
    assert want in Text((built / "results" / "carratino2020-fig4.html").read_text()).words


@pytest.mark.parametrize(
    ("effect", "low", "high", "told"),
    [
        (1.23456, 1.2, 1.27, "1.235 [1.200, 1.270]"),
        (-123.4, -150.0, -96.8, "−123 [−150, −97]"),
        (-0.0001, -0.31, 0.31, "0.00 [−0.31, 0.31]"),
        (6.674e-05, None, None, "0.000067"),
        (None, None, None, ""),
    ],
)
def test_an_effect_has_two_digits_in_its_half_width_and_no_exponent(effect, low, high, told):
    assert parts.Part("p", True, "> 0", effect, low, high, "supported", "").told == told


@pytest.mark.parametrize(
    ("expected", "effect", "low", "high", "strength"),
    [
        ("> 0", 3.0, 1.0, 5.0, 1.5),
        ("< 0", 3.0, 1.0, 5.0, -1.5),
        ("> 0.5", 0.75, 0.5, 1.0, 1.0),
        ("33.33", 31.33, 30.33, 32.33, -2.0),
        ("", 3.0, 1.0, 5.0, float("inf")),
        ("> 0", 3.0, None, None, float("inf")),
    ],
)
def test_how_far_a_part_lies_on_the_papers_side(expected, effect, low, high, strength):
    part = parts.Part("p", True, expected, effect, low, high, "supported", "")
    assert part.strength == pytest.approx(strength)


def test_a_closed_row_shows_the_part_that_speaks_least_for_its_claim(built):
    """By hand from the table: of the smallest effect against half its interval."""
    own = [
        r
        for r in rows("verdicts.csv")
        if (r["claim"], r["setting"], r["decides"]) == ("fig5_c", "a stand-in", "1") and r["low"]
    ]
    assert len(own) > 1
    row = min(
        own, key=lambda r: side(r) * float(r["effect"]) / (float(r["high"]) - float(r["low"]))
    )
    scale = 1 if "cross" in row["part"] else 100
    low, high = (scale * float(row[k]) for k in ("low", "high"))
    html = (built / "claims.html").read_text()
    closed = html[html.index("<li id=carratino2020-fig5_c ") :].split("</summary>")[0]
    (interval,) = re.findall(r"\[(−?[\d.]+), (−?[\d.]+)\]", closed)
    told = [float(number.replace("−", "-")) for number in interval]
    assert told == pytest.approx([low, high], abs=0.006)
    assert f"weakest of {len(own)}" in closed and "<svg class=iv>" in closed


def side(row: dict[str, str]) -> int:
    return 1 if row["expected"] == "> 0" else -1


def test_templates_hold_no_digit_but_in_code_headings_and_formulas():
    for path in (HERE / "templates").glob("*.html"):
        text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", path.read_text(), flags=re.DOTALL)
        for stack, words_ in Text(text).pieces:
            words_ = re.sub(r"1 − λ|95 % interval|A8", "", words_)  # formulas, a name, a place
            if not {"code", "pre", "h1", "h2", "h3", "title"} & set(stack):
                assert not re.search(r"\d", words_), f"{path.name}: {words_.strip()!r}"
    for text in re.findall(r'^text = "(.*)"$', COPY.read_text(), flags=re.MULTILINE):
        bare = re.sub(r"α [=≥≤] [\d.]+|\([\w/.-]+\.html\)|CIFAR-10|ResNet-\d+|\{\w+\}", "", text)
        assert not re.search(r"\d", bare), text


def test_a_finding_whose_verdict_has_changed_stops_the_build(folder, tmp_path):
    edited(
        folder,
        "verdicts.csv",
        lambda text: re.sub(
            r"^(chidambaram2022,fig1_fails,.*),holds,",
            r"\1,does not hold,",
            text,
            flags=re.MULTILINE,
        ),
    )
    with pytest.raises(InputError) as error:
        site.build(folder, tmp_path / "site")
    line = str(error.value)
    assert "most results come out as printed" in line and "fig1_fails" in line
    assert "does not hold" in line and "\n" not in line
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("need", "says"),
    [
        ("chidambaram2022.table1: 10 of 10 agrees", "now 9 of 9 are agrees"),
        ("chidambaram2022.table1: 8 of 8 agrees", "now 9 of 9 are agrees"),
        ("chidambaram2022.fig1_fails: not holds", "now fig1_fails on fig1: holds"),
        ("chidambaram2022.fig1_fails: hold", "hold is no verdict"),
        ("chidambaram2022.nothing: holds", "names nothing that was run"),
        ("fig1_fails holds", "must read paper.claim"),
    ],
)
def test_a_need_that_fails_or_means_nothing_is_named(need, says, tmp_path):
    copy = tmp_path / "copy.toml"
    copy.write_text(f'[sentence.one]\ntext = "Mixup fails."\nneeds = ["{need}"]\n')
    with pytest.raises(InputError, match=re.escape(says)):
        read_copy(copy, tables.read(RESULTS))


NEED = 'needs = ["chidambaram2022.fig1_fails: holds"]'
NET = "cifar10-resnet32-imported-23d7d983"


def test_a_number_of_a_network_that_nobody_here_trained_is_that_of_its_row(tmp_path):
    frame = pd.read_csv(RESULTS / "imported.csv").set_index(["run_id", "evaluation", "eval_alpha"])
    ece = 100 * frame.loc[(NET, "rescaled", 0.5), "ece"]
    copy, ask = tmp_path / "copy.toml", f"imported {NET}: ece, rescaled at 0.5"
    copy.write_text(f'[sentence.one]\ntext = "It is {{x}}."\nnumbers.x = "{ask}"\n{NEED}\n')
    said = read_copy(copy, tables.read(RESULTS)).sentences["one"]
    assert said == f"It is {ece:.2f}%."
    copy.write_text(copy.read_text().replace("at 0.5", "at 0.7"))
    with pytest.raises(InputError, match=r"at 0.7' names 0 rows of imported.csv"):
        read_copy(copy, tables.read(RESULTS))


def test_a_number_of_parts_with_a_finding_that_no_part_has_is_refused(tmp_path):
    """Misspelt, it would be told as none of them."""
    copy = tmp_path / "copy.toml"
    copy.write_text(
        f'[sentence.one]\ntext = "{{x}}"\nnumbers.x = "chidambaram2022.table1: agree"\n{NEED}\n'
    )
    with pytest.raises(InputError, match="no part of any claim is agree"):
        read_copy(copy, tables.read(RESULTS))


def test_every_sentence_is_on_a_page():
    read = tables.read(RESULTS)
    asked = "".join(path.read_text() for path in (HERE / "templates").iterdir())
    names = {page.name for page in read.pages} | set(re.findall(r'"(\w+)"', asked))
    assert set(read_copy(COPY, read).sentences) <= names


def test_a_missing_map_of_the_moons_is_named(folder, tmp_path):
    (maps := folder / "maps").unlink()
    maps.mkdir()
    with pytest.raises(InputError, match=r"maps/moons-0.5-mlp-erm-\w+.csv: is not there"):
        site.build(folder, tmp_path / "site")


def test_two_settings_of_the_moons_with_one_alpha_are_refused(folder, tmp_path):
    again = "".join(
        re.sub(r"^moons-0.5-mlp-mixup-a32-\w+", "moons-0.5-mlp-mixup-a32-other", line)
        for line in (folder / "runs.csv").read_text().splitlines(keepends=True)
        if line.startswith("moons-0.5-mlp-mixup-a32-")
    )
    edited(folder, "runs.csv", lambda text: text + again)
    with pytest.raises(InputError, match="must tell them apart"):
        site.build(folder, tmp_path / "site")


def test_a_sentence_without_needs_is_refused(tmp_path):
    (tmp_path / "copy.toml").write_text('[sentence.one]\ntext = "Mixup is good."\n')
    with pytest.raises(InputError, match="a finding needs verdicts"):
        read_copy(tmp_path / "copy.toml", tables.read(RESULTS))


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("verdicts.csv", lambda t: t.replace(",fig4_digits,", ",fig4_letters,"), "fig4_letters"),
        ("verdicts.csv", lambda t: t.replace(",holds,", ",perhaps,", 1), "'perhaps' is no verdict"),
        ("verdicts.csv", lambda t: t.replace("effect", "efect", 1), "its columns must be"),
        ("items.csv", lambda t: t.replace("chidambaram2022/fig1-paper", "x/y"), "has no rows"),
        ("ERRATA.md", lambda t: t.replace("**Right.**", "Right:", 1), "has no Right"),
    ],
)
def test_tables_that_do_not_fit_together_stop_the_build_with_one_line(
    name, change, says, folder, tmp_path
):
    edited(folder, name, change)
    with pytest.raises(InputError, match=re.escape(says)) as error:
        site.build(folder, tmp_path / "site")
    assert "\n" not in str(error.value)


def test_a_missing_figure_stops_the_build(folder, tmp_path):
    (folder / "figures").unlink()
    shutil.copytree(RESULTS / "figures", folder / "figures", ignore=shutil.ignore_patterns("*.p*"))
    (folder / "figures" / "carratino2020" / "fig4_digits-short.svg").unlink()
    with pytest.raises(InputError, match=r"fig4_digits-short\.svg: the figure is missing"):
        site.build(folder, tmp_path / "site")


@pytest.mark.parametrize(
    ("html", "says"),
    [
        ('<a href="nowhere.html">x</a>', "the link nowhere.html leads to no file"),
        ('<a href="#gone">x</a>', "the link #gone leads to no place"),
        ('<a href="../results/gone.csv">x</a>', r"\.\./results/gone.csv leads to no file"),
    ],
)
def test_a_link_that_leads_nowhere_is_named(html, says, tmp_path):
    (tmp_path / "a.html").write_text(html)
    with pytest.raises(InputError, match=says):
        check_links(tmp_path, {"a.html": html}, RESULTS)


def test_a_command_tells_bad_input_in_one_line(tmp_path):
    done = commands.run("scripts/site.py", "--results-dir", str(tmp_path / "none"))
    assert done.returncode == 2 and done.stderr.count("\n") == 1


def test_colours_of_drawings_are_the_pages(built):
    """Tokens are papers.style's colours, the sheet has both modes, and drawings use nothing else
    but what is mixed of them (grounds of maps and rows, which are pictures)."""
    from mixup_repro.papers import style

    wanted = {style.INK: "ink", style.SOFT: "soft", style.LINE: "line", style.WASH: "wash"}
    wanted |= {
        style.HELP: "help",
        style.GREY: "m-erm",
        style.BLUE: "m-mixup",
        style.ORANGE: "m-resc",
    }
    wanted |= {style.PURPLE: "m-approx", style.GREEN: "m-mod"}
    wanted |= {
        style.TEXT[c]: wanted[c].replace("m-", "t-") for c in (style.BLUE, style.ORANGE, style.GREY)
    }
    for colour, name in wanted.items():
        assert figures.TOKENS[colour.lower()] == name
    sheet = (HERE / "style.css").read_text()
    for name in set(figures.TOKENS.values()):
        assert len(re.findall(rf"--{name}:", sheet)) == 2
    light = sheet[: sheet.index("prefers-color-scheme")]
    for colour, name in wanted.items():
        assert f"--{name}:{colour}" in light


def test_greek_and_code_are_set_as_a_reader_wants_them():
    assert words.rich("alpha of X_3^2 <b>") == "α of X<sub>3</sub><sup>2</sup> &lt;b&gt;"
    assert words.rich("`method.alpha=1` and theta_bar") == "<code>method.alpha=1</code> and θ̄"
    assert words.rich("[a](b.html), [c](https://d.e/)", "../") == (
        '<a href="../b.html">a</a>, <a href="https://d.e/">c</a>'
    )


def test_what_is_said_of_several_verdicts():
    assert words.together([words.HOLDS, words.NOT_RUN]) is words.HOLDS
    assert words.together([words.HOLDS, words.FAILS]) is words.PART
    assert words.together([words.UNCLEAR, words.FAILS]) is words.UNCLEAR
    assert words.together([]) is words.NOT_RUN
    assert words.word("holds here in part (2 of 7)", "x") is words.PART


def test_the_lines_to_copy_run_and_rescale():
    """A linear network without intercept is undone exactly: eq. (22) by hand."""
    code = (HERE / "rescale_example.txt").read_text()
    model = torch.nn.Linear(3, 2, bias=False)
    inputs, train = torch.randn(5, 3), torch.randn(8, 3)
    names = {"torch": torch, "model": model, "inputs": inputs, "train_inputs": train}
    names |= {"train_labels": torch.tensor([0, 1] * 4), "classes": 2, "alpha": 1.0}
    exec(code, names)
    theta = theta_bar(1.0)
    shrunk = theta * inputs + (1 - theta) * train.mean(0)
    want = model(shrunk) / theta + 0.5 * (1 - 1 / theta)
    torch.testing.assert_close(names["logits"], want)
    x, y = torch.randn(6, 3), torch.eye(2)[torch.tensor([0, 1] * 3)]
    names |= {"x": x, "y": y, "cross_entropy": torch.nn.functional.cross_entropy}
    exec((HERE / "mixup_example.txt").read_text(), names)
    assert names["loss"].isfinite() and names["mixed"].shape == x.shape
