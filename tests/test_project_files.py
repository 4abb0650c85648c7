"""Files that other tools read: the Dockerfile, hooks, forms of issues, and who the authors are.

Docker and GitHub are not here: what these files name is held to what there is.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib

import pytest
import yaml

from mixup_repro.paths import CHECKOUT

FORMS = sorted((CHECKOUT / ".github/ISSUE_TEMPLATE").glob("*.yml"))


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their words, lines that go on joined."""
    lines = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    return [tuple(s.split(None, 1)) for s in lines if s and not s.startswith("#")]


def targets() -> set[str]:
    text = (CHECKOUT / "Makefile").read_text()
    return set(re.findall(r"^([a-z0-9./-]+):", text, re.MULTILINE))


def test_the_dockerfile_names_what_there_is():
    found = instructions()
    kinds = [kind for kind, _ in found]
    assert kinds[:2] == ["ARG", "FROM"] and found[1][1] == "${BASE}"
    assert set(kinds) <= {"ARG", "FROM", "RUN", "WORKDIR", "COPY", "ENTRYPOINT", "CMD"}
    for words in (text.split()[:-1] for kind, text in found if kind == "COPY"):
        assert words and all((CHECKOUT / word).exists() for word in words), words
    made = [s for kind, text in found if kind == "RUN" for s in text.split("&&") if "make " in s]
    called = [shlex.split(s) for s in made if s.split()[0] == "make"]
    assert called and all(set(words[1:]) <= targets() for words in called)
    last = dict(found)
    assert re.findall(r'"([^"]+)"', last["ENTRYPOINT"])[-1] in targets()
    assert re.findall(r'"([^"]+)"', last["CMD"])[0] in targets()


def test_what_the_environment_is_made_of_comes_before_it_is_made():
    found = instructions()
    at = next(k for k, (kind, text) in enumerate(found) if text == "make .venv/installed")
    before = {word for kind, text in found[:at] if kind == "COPY" for word in text.split()}
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    rule = re.search(r"^\.venv/installed: (.+)$", (CHECKOUT / "Makefile").read_text(), re.M)[1]
    needed = {*rule.split(), project["readme"], *project["license-files"], "Makefile", "setup.py"}
    assert needed | {"mixup_repro/__init__.py"} <= before
    assert "requirements.lock" in rule


def test_hooks_call_the_tools_of_make_lint_and_say_no_versions():
    (repo,) = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repo["repo"] == "local"
    lint = (CHECKOUT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    for hook in repo["hooks"]:
        assert hook["language"] == "system"
        tool = hook["entry"].removeprefix(".venv/bin/python ")
        assert tool.startswith("-m ") and tool.removesuffix(" --check") in lint, tool


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_forms_of_issues_are_whole(form):
    read = yaml.safe_load(form.read_text())
    if form.stem == "config":
        assert set(read) <= {"blank_issues_enabled", "contact_links"}
        return
    assert read["name"] and read["description"]
    for part in read["body"]:
        assert part["type"] in {"textarea", "input"} and part["attributes"]["label"]
        named = re.findall(r"\b(?:results|site|docs)/[\w./]*", part["attributes"]["description"])
        assert all((CHECKOUT / path.rstrip(".")).exists() for path in named), named
    assert any(part["validations"]["required"] for part in read["body"])


def test_there_is_a_form_for_each_kind_of_issue():
    assert {form.stem for form in FORMS} == {"bug", "claim", "question", "config"}


def test_authors_are_the_same_everywhere():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text())["authors"]
    assert [a["name"] for a in project["authors"]] == [a["name"] for a in cited] != []


def test_the_newest_entry_of_the_changelog_is_this_version():
    from mixup_repro import __version__

    versions = re.findall(r"^## \[(.+?)\] - ", (CHECKOUT / "CHANGELOG.md").read_text(), re.M)
    assert versions[0] == __version__


def test_make_demo_is_listed_and_its_words_are_one_grid():
    shown = subprocess.run(["make", "help"], cwd=CHECKOUT, capture_output=True, text=True).stdout
    assert re.search(r"make demo +\S", shown)
    dry = ["make", "-n", "--no-print-directory", "-o", ".venv/installed", "demo"]
    lines = subprocess.run(dry, cwd=CHECKOUT, capture_output=True, text=True).stdout.splitlines()
    train, report = (line.split() for line in lines)
    assert train[1:3] == ["scripts/train.py", "-m"] and report[1] == "scripts/report.py"
    assert train[3:] == report[2:] and "make demo" in (CHECKOUT / "README.md").read_text()


@pytest.mark.slow  # half a minute
def test_make_demo_ends_with_a_picture(tmp_path):
    from test_targets import copy_of_code, make

    checkout = copy_of_code(tmp_path)
    done = make(checkout, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    picture = done.stdout.split()[-1]
    assert picture.endswith("/fig1_ring.png") and picture.startswith(str(checkout))
    with open(picture, "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"
