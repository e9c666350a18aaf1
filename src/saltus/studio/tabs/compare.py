"""The tab of comparisons: two samplers on the same seeds, and the curves that `saltus compare` has measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saltus.errors import SaltusError
from saltus.evaluation import METRICS
from saltus.extras import needs
from saltus.studio.tab import Studio, Tab, equivalents, job, stale_after, told
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

    def kept(choices: list[str], value: str | None) -> Any:
        """The choices that there are now, and the one that was made as long as it is among them."""
        return gr.Dropdown(choices, value=value if value in choices else choices[0])

    def allowed(first: str, second: str, sampler_a: str, sampler_b: str, calls: str, condition: str) -> tuple[Any, ...]:
        runs = [studio.runs[first], studio.runs[second]]
        return (
            *(kept(view.sampler_names(run), value) for run, value in zip(runs, (sampler_a, sampler_b), strict=True)),
            kept([OWN_CALLS, *map(str, allowed_calls(runs, limits.calls))], calls),
            kept([ANY, *allowed_classes(runs)], condition),
        )

    def shown(*values: Any) -> tuple[str, str, str]:
        *each, calls, condition, n, seed, guidance = values
        sides = []
        for name, sampler, temperature, eta, final in (each[:5], each[5:]):
            settings = settings_of(n, seed, calls, condition, "", guidance, temperature, eta, final)
            sides.append(view.Side(name, studio.runs[name], settings, sampler))
        return view.as_page(view.compared(*sides)), *told(view.equivalent(*sides))

    def side(letter: str) -> list[Any]:
        run = gr.Dropdown(names, value=names[0], label=f"Run {letter}")
        sampler = gr.Dropdown([view.OWN], value=view.OWN, label=f"Sampler {letter}")
        warm = gr.Slider(0, 2, value=0, step=0.05, label=f"Temperature {letter}", info="0 stands for the run's own")
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
            a, b = side("A"), side("B")
            calls = gr.Dropdown([OWN_CALLS], value=OWN_CALLS, label="Network calls of both")
            condition = gr.Dropdown([ANY, *studio.runs[names[0]].classes], value=ANY, label="Class of both")
            n = gr.Slider(1, limits.items, value=limits.items, step=1, label="Images of each")
            seed = gr.Number(0, precision=0, label="Seed of both")
            guidance = gr.Slider(0, 5, value=1, step=0.1, label="Guidance of both")
            go = gr.Button("Compare", variant="primary")
        with gr.Column(scale=3, min_width=320):
            page = gr.HTML(label="Two samplers", elem_id="compare-page")
            command, python = equivalents()
    chosen = [a[1], b[1], calls, condition]
    loaded = needs("gradio.context", extra="studio").Context.root_block.load
    gr.on(
        [a[0].change, b[0].change, loaded],
        job(allowed),
        [a[0], b[0], *chosen],
        chosen,
        api_name="compare_allowed",
        show_progress="hidden",
    )
    settings = [*a, *b, calls, condition, n, seed, guidance]
    made = gr.on([go.click, seed.submit], job(shown), settings, [page, command, python], api_name="compare")
    stale_after(settings, made, "compare-page")


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
