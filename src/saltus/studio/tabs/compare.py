"""The tab of comparisons: two samplers on the same seeds, and the curves that `saltus compare` has measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saltus.errors import SaltusError
from saltus.evaluation import METRICS
from saltus.extras import needs
from saltus.studio.tab import Studio, Tab, equivalents, job, told
from saltus.studio.tabs.leaps import ANY, settings_of
from saltus.studio.tabs.leaps import OWN as OWN_CALLS
from saltus.studio.views import compare as view
from saltus.studio.views import comparison
from saltus.studio.views.leaps import allowed_calls, allowed_classes

__all__ = ["TAB"]

ETAS = ("0", "0.25", "0.5", "0.75", "1")
FINALS = ("auto", "mode", "mean", "sample")


def _build(studio: Studio) -> None:
    gr = needs("gradio", extra="studio")
    if studio.runs.images:
        _two(studio, gr)
    gr.Markdown("## A comparison that saltus compare has measured")
    _measured(studio, gr)


def _two(studio: Studio, gr: Any) -> None:
    """Two samplers, live."""
    names, limits = studio.runs.images, studio.limits

    def allowed(*given: str) -> tuple[Any, ...]:
        runs = [studio.runs[name] for name in given]
        return (
            *(gr.Dropdown(view.sampler_names(run), value=view.OWN) for run in runs),
            gr.Dropdown([OWN_CALLS, *map(str, allowed_calls(runs, limits.calls))], value=OWN_CALLS),
            gr.Dropdown([ANY, *allowed_classes(runs)], value=ANY),
        )

    def shown(*values: Any) -> tuple[str, str, str]:
        *each, calls, condition, n, seed, guidance = values
        sides = []
        for name, sampler, temperature, eta, final in (each[:5], each[5:]):
            settings = settings_of(n, seed, calls, condition, "", guidance, temperature, eta, final)
            sides.append(view.Side(name, studio.runs[name], settings, sampler))
        return view.as_page(view.compared(*sides)), *told(view.equivalent(*sides))

    def side(letter: str, temperature: float) -> list[Any]:
        run = gr.Dropdown(names, value=names[0], label=f"Run {letter}")
        sampler = gr.Dropdown([view.OWN], value=view.OWN, label=f"Sampler {letter}")
        warm = gr.Slider(0, 2, value=temperature, step=0.05, label=f"Temperature {letter}", info="0 stands for the run's own")
        with gr.Accordion(f"More of {letter}", open=False):
            return [
                run,
                sampler,
                warm,
                gr.Dropdown([OWN_CALLS, *ETAS], value=OWN_CALLS, label=f"Eta {letter}", info="Share of fresh noise"),
                gr.Dropdown([OWN_CALLS, *FINALS], value=OWN_CALLS, label=f"Last step {letter}"),
            ]

    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            a, b = side("A", 0), side("B", 1.5 if studio.runs[names[0]].has_latents else 0)
            calls = gr.Dropdown([OWN_CALLS], value=OWN_CALLS, label="Network calls of both")
            condition = gr.Dropdown([ANY, *studio.runs[names[0]].classes], value=ANY, label="Class of both")
            n = gr.Slider(1, limits.items, value=limits.items, step=1, label="Images of each")
            seed = gr.Number(0, precision=0, minimum=0, label="Seed of both")
            guidance = gr.Slider(0, 5, value=1, step=0.1, label="Guidance of both")
            go = gr.Button("Compare", variant="primary")
        with gr.Column(scale=3, min_width=320):
            page = gr.HTML(label="Two samplers")
            command, python = equivalents()
    gr.on(None, job(allowed), [a[0], b[0]], [a[1], b[1], calls, condition], api_name="compare_allowed", show_progress="hidden")
    settings = [*a, *b, calls, condition, n, seed, guidance]
    gr.on([go.click, seed.submit], job(shown), settings, [page, command, python], api_name="compare")


def _measured(studio: Studio, gr: Any) -> None:
    """A compare.json, of a folder or dropped."""
    places = {place.name or str(place): place for place in studio.comparisons}

    def shown(place: str | None, dropped: str | None, metric: str | None) -> tuple[Any, str, str, str]:
        if not dropped and place not in places:
            raise SaltusError("no comparison was chosen; drop the compare.json that saltus compare wrote")
        file = Path(dropped) if dropped else places[str(place)] / comparison.FILE
        summary = comparison.read_comparison(file)
        known = comparison.measured(summary)
        name = metric if metric in known else known[0]
        folder = "my-comparison" if dropped else str(places[str(place)])
        page = comparison.as_page(summary, name)
        choices = [(METRICS[other].title, other) for other in known]
        return gr.Dropdown(choices, value=name), page, *told(comparison.equivalent(summary, name, folder))

    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            place = gr.Dropdown([*places], value=next(iter(places), None), label="Comparison", visible=bool(places))
            dropped = gr.File(label="A compare.json", file_types=[".json"], type="filepath", height=140)
            metric = gr.Dropdown([(METRICS[name].title, name) for name in METRICS], value="sliced_wasserstein", label="Figure")
            go = gr.Button("Show", variant="primary")
        with gr.Column(scale=3, min_width=320):
            page = gr.HTML(label="A comparison")
            command, python = equivalents()
    gr.on(
        [go.click, dropped.upload, metric.input],
        job(shown),
        [place, dropped, metric],
        [metric, page, command, python],
        api_name="comparison",
    )


TAB = Tab("Compare", _build)
