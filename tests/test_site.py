"""The pages of the site say what is so: theory names functions and tests that exist, and every example of it runs."""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tests.helpers.pages import blocks, play
from tests.helpers.plugin import declare

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
THEORY = (DOCS / "theory.md").read_text()
HIDDEN = re.compile(r"```\{code-cell\}[^\n]*\n:tags: \[remove-cell\]\n.*?```", re.DOTALL)
KERNEL = re.sub(r"```\{code-cell\}[^\n]*\n(?::[^\n]*\n)*", "```python\n", HIDDEN.sub("", (DOCS / "kernel.md").read_text()))
PAGES = [page for page in DOCS.rglob("*.md") if "_build" not in page.parts]
ENTRY = re.compile(r"^\* (computed|proved) by (.*?)(?=^\*|^$|\Z)", re.DOTALL | re.MULTILINE)
FUNCTION, TEST = re.compile(r"\]\(#(saltus\.[\w.]+)\)"), re.compile(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)")


def named(path: str) -> object:
    """What a dotted name of the reference stands for: a room, then names in it."""
    package, room, *names = path.split(".")
    module = importlib.import_module(f"{package}.{room}")
    assert names[0] in module.__all__, f"{path} is not a name that {room} lists"
    return functools.reduce(getattr, names, module)


@functools.cache
def names_in(file: str) -> set[str]:
    return {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}


def test_every_function_of_the_theory_exists() -> None:
    found = FUNCTION.findall(THEORY)
    assert len(found) > 30
    for path in found:
        assert named(path) is not None
    with pytest.raises(AttributeError):  # the twin
        named("saltus.process.OrnsteinUhlenbeck.bridges")


def test_every_test_of_the_theory_exists() -> None:
    found = TEST.findall(THEORY)
    assert len(found) > 25
    for name, file in found:
        assert name in names_in(file), f"{file} has no {name}"
    assert "test_nothing" not in names_in(found[0][1])  # the twin


def test_every_formula_is_computed_and_proved() -> None:
    """Between two formulas of the page, or before the end of its section, both links stand."""
    told = [(kind, text) for kind, text in ENTRY.findall(THEORY)]
    assert [kind for kind, _ in told] == ["computed", "proved"] * (len(told) // 2)
    for kind, text in told:
        assert (FUNCTION if kind == "computed" else TEST).search(text), text
    parts = re.split(r"^\$\$", THEORY, flags=re.MULTILINE)
    sections = re.split(r"^## ", THEORY, flags=re.MULTILINE)[2:-1]
    assert len(parts) > 10
    for section in sections:
        assert "* computed by" in section.rsplit("$$", 1)[-1], section[:40]


def extension(name: str) -> ModuleType:
    """One of those that the site is built with; Sphinx finds them by their folder."""
    found = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_docstrings_become_what_autodoc_reads() -> None:
    given = """Of z (B, *E) and |z|:

$$
a = b
$$

| name | is |
|---|---|
| `a` | $x^2$ of (B, *E) |

    code = 1 * 2"""
    expected = r"""Of z (B, \*E) and \|z\|:

.. math::

    a = b

.. list-table::
    :header-rows: 1

    * - name
      - is
    * - `a`
      - :math:`x^2` of (B, \*E)

    code = 1 * 2"""
    found = "\n".join(extension("docstrings").rewritten(given.split("\n")))
    assert re.sub(r"\n{3,}", "\n\n", found) == expected


def test_formulas_become_mathml_and_unknown_ones_are_told() -> None:
    converted = extension("mathml").converted
    for formula, parts in {r"-\frac12 \ln \bar\alpha": ("<mfrac>", "<mn>1</mn>", "ln", "α"), r"a &= b \\ c &= d": ("ams-align",)}.items():
        assert all(part in converted(formula, block=True) for part in parts)
    with pytest.raises(Exception, match="nothing"):
        converted(r"\nothing", block=False)


def test_bars_of_a_norm_are_two_fences_of_one_size() -> None:
    converted = extension("mathml").converted
    bar = '<mo form="{}" stretchy="false">‖</mo>'
    for formula in (r"E\, \|y - f(z_t)\|^2", r"\|x\| + \|y\|"):
        found = converted(formula, block=False)
        sides = [form for part in found.split("<mo ")[1:] for form in ("prefix", "postfix") if f"<mo {part}".startswith(bar.format(form))]
        assert sides == ["prefix", "postfix"] * (formula.count(r"\|") // 2)
    assert "∥" in converted(r"\mathrm{KL}(q \,\|\, p)", block=False)


class Highlighter:
    """Sphinx's, less the colours."""

    @staticmethod
    def highlight_block(code: str, *_: str, **__: str) -> str:
        return f"<div><pre>{code}</pre></div>"


def test_every_test_of_the_theory_has_an_anchor_on_the_page_of_its_file() -> None:
    sources = extension("sources")
    for name, file in TEST.findall(THEORY):
        code = (ROOT / file).read_text()
        shown = sources.highlighted(code, Highlighter)
        after = shown.split(f'<span id="{name}" class="target"></span>')[1]
        assert after.lstrip().startswith(("def ", "@"))  # its decorators are part of it
        assert f"def {name}(" in after
        assert re.sub('<span id="[^"]*" class="target"></span>', "", shown) == Highlighter.highlight_block(code)
    assert "test_nothing" not in sources.definitions(code)  # the twin


def test_plots_are_drawn_as_svg_for_the_page() -> None:
    profile = extension("figures").PROFILE
    assert '"svg"' in profile
    compile(profile, "profile", "exec")


def test_what_a_page_would_ask_another_machine_for_is_seen() -> None:
    outside = extension("offline").outside
    assert outside('<a href="https://arxiv.org">x</a><img src="_images/a.png"><link rel="stylesheet" href="a.css">') == []
    for tag in ('<script src="https://cdn.org/a.js">', "<img alt=x src='//cdn.org/a.png'>", '<link href="http://fonts.org/a.css">'):
        assert len(outside(tag)) == 1


def test_a_link_to_a_page_that_a_command_wrote_opens_it() -> None:
    pages = extension("pages")
    for name in pages.PAGES:
        assert (DOCS / name).is_file()
        place = f"../{name}"
        assert pages.linked(f"see [the study]({place}).") == f'see <a href="{place}">the study</a>.'
    assert pages.linked("see [the theory](theory.md).") == "see [the theory](theory.md)."


def test_the_citation_is_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()


def test_every_record_and_every_result_is_on_its_list() -> None:
    for folder in ("decisions", "results"):
        listed = (DOCS / folder / "README.md").read_text()
        for page in (DOCS / folder).glob("*.md"):
            assert page.name == "README.md" or f"({page.name})" in listed, page.name


LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if "://" not in link and not link.startswith("api/"):  # which the build writes
            assert (page.parent / link).exists(), link


def test_a_kernel_of_40_lines_is_trained_from_python_and_from_the_command_line(tmp_path: Path) -> None:
    """All in one process, which finds the kernel by its entry point."""
    code, *_ = blocks("python", KERNEL)
    (entry,) = blocks("toml", KERNEL)
    assert len([line for line in code.splitlines() if line]) <= 40
    site, home = tmp_path / "site", tmp_path / "home"
    home.mkdir()
    declare(site, "my_kernel", code, entry)
    printed = play(KERNEL.replace(code, ""), home, {"PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", site)))})
    assert "bits/dim" in printed
    assert (home / "my-samples" / "samples.png").is_file()


MOST_COLUMNS = 88  # of a line of code, which a page shows without scrolling
CELLS = re.compile(r"```\{code-cell\}[^\n]*\n((?::[^\n]*\n)*)(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", sorted((DOCS / "tutorials").glob("*.md")), ids=lambda page: page.stem)
def test_code_of_a_tutorial_fits_its_column(page: Path) -> None:
    for _, cell in CELLS.findall(page.read_text()):
        assert [line for line in cell.splitlines() if len(line) > MOST_COLUMNS] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exam", "fashion_mnist", "missing_values"])
def test_a_tutorial_runs(name: str, tmp_path: Path) -> None:
    """As a plain script, so that no kernel of Jupyter is needed; `make site` runs it as a notebook."""
    text = (DOCS / "tutorials" / f"{name}.md").read_text()
    cells = [cell for _, cell in CELLS.findall(text)]
    assert any("assert " in cell for cell in cells)
    script = "import matplotlib\nmatplotlib.use('Agg')\n" + "\n".join(cells)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
