"""The page of the collapse study: its sentences, plots and pictures, in words that need no other text."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from saltus.data import digits
from saltus.studies.collapse.experiment import Descent, Exact, Plan, Sampled, SamplerKind, Source, Trained
from saltus.studies.collapse.page import write_page
from tests.helpers.html import HOSTILE, check


def test_the_page_of_the_collapse_study_says_what_it_is_about(tmp_path: Path) -> None:
    plan = Plan(lasts=(3.0, 8.0), widths=(4, 8), updates=(2, 4), runs=1)
    images = torch.zeros(4, 1, 8, 8)
    descent = Descent(0.1, 0.5, [0.2, 0.15, 0.1, 0.1, 1.8], [1.3, 1.5, 1.0, 0.06], [1.2, 1.4, 0.9, 0.07], 0.3)
    levels = {last: [0.0, 0.5, 1.0, 2.0, last] for last in plan.lasts}
    records = [
        *(Exact(levels[last], 0.1, descent, images) for last in plan.lasts),
        *(Trained(levels[8.0], width, 10, n, 0, 0.1, descent, images) for width in plan.widths for n in plan.updates),
        Trained(levels[3.0], 8, 10, 4, 0, 0.1, descent, images),
        Sampled(Source.REAL, SamplerKind.NONE, None, 0, 1.0, 0.1, images),
    ]
    kinds = [kind for kind in SamplerKind if kind is not SamplerKind.NONE]
    sources = ((Source.EXACT, None), (Source.NETWORK, 0))
    records += [Sampled(source, kind, seed, 4, 0.5, 0.2, images) for source, seed in sources for kind in kinds]
    claims = [f"A sentence with {name}." for name in HOSTILE]
    found = {
        "finding": f"One sentence with {HOSTILE[0]}.",
        "claims": claims,
        "data": HOSTILE[6],
        "seed": 0,
        "held_out": 9,
        "seconds": 1.5,
        "machine": HOSTILE[8],
    }
    write_page(digits(), plan, records, found, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    page = check(text)
    assert all(claim in page.text for claim in claims)
    assert found["finding"] in page.text
    assert "<details open" not in text
    assert text.index("One sentence with") < text.index("<details")
    assert page.count("svg") == 4
    assert page.count("img") == 2 + 4 + 9
    prose = " ".join(page.text.split())
    assert "the least-squares loss E|y − f(zt, t)|²" in prose
    assert "The plain decoder iterates it" in prose
    assert "1 seed from 0 on" in prose
    assert "128 samples are held" not in prose
    assert "512 samples are held against 9 test items" in prose
    assert not re.search(
        r"Problem \d|equation \(|specification|part \(|\(a\)|\(b\)|\(c\)", prose.replace(SamplerKind.PLAIN_DECODER.value, "")
    )
