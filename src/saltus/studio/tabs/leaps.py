"""The tab of leaps: samples of one or several runs, their paths, and one latent drawn again."""

from __future__ import annotations

from typing import Any

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.studio.limits import number, whole
from saltus.studio.runs import Run
from saltus.studio.tab import NO_IMAGES, Studio, Tab, equivalents, job, stale_after, told
from saltus.studio.views import leaps as view
from saltus.studio.views import leaps_page

__all__ = ["TAB"]

OWN = "the run's own"
ANY = "any"


def settings_of(
    n: float,
    seed: float,
    calls: str,
    condition: str | None,
    start: str,
    guidance: float,
    temperature: float,
    eta: str = OWN,
    final: str = OWN,
) -> view.LeapSettings:
    """From what the page holds; a temperature of 0 stands for the run's own."""
    return view.LeapSettings(
        n=whole(n, "images"),
        seed=whole(seed, "the seed"),
        calls=None if calls in ("", OWN) else int(calls),
        condition="" if condition in (None, ANY) else str(condition),
        start=None if start in ("", OWN) else start,
        guidance=number(guidance, "guidance"),
        temperature=number(temperature, "the temperature") or None,
        eta=None if eta == OWN else float(eta),
        final=None if final == OWN else final,
    )


def _build(studio: Studio) -> None:
    gr = needs("gradio", extra="studio")
    names, limits = studio.runs.images, studio.limits
    if not names:
        gr.Markdown(NO_IMAGES)
        return

    def chosen(given: list[str]) -> dict[str, Run]:
        if not given:
            raise SaltusError("no run was chosen; choose at least one")
        return {name: studio.runs[name] for name in given}

    def allowed(given: list[str]) -> tuple[Any, ...]:
        runs = [studio.runs[name] for name in given]
        deepest = max((run.model.chain.levels.L for run in runs[:1]), default=1)
        calls, starts, classes = view.allowed_calls(runs, limits.calls), view.allowed_starts(runs), view.allowed_classes(runs)
        return (
            gr.Dropdown([OWN, *map(str, calls)], value=OWN),
            gr.Dropdown([OWN, *starts], value=OWN),
            gr.Dropdown([ANY, *classes], value=ANY),
            gr.Slider(maximum=limits.calls if runs and runs[0].model.chain.any_step else deepest, value=deepest),
        )

    def shown(given: list[str], *values: Any) -> tuple[str, str, str]:
        runs, settings = chosen(given), settings_of(*values)
        found = {name: (run, view.leap(run, settings)) for name, run in runs.items()}
        return leaps_page.as_page(found, settings), *told(leaps_page.equivalent(runs, settings))

    def again(given: list[str], item: float, level: float, *values: Any) -> tuple[str, str, str]:
        name, run = next(iter(chosen(given).items()))
        settings, item, level = settings_of(*values), whole(item, "the image"), whole(level, "the level")
        page = leaps_page.latent_page(run, view.another_latent(run, settings, item, level), item, level)
        return page, *told(leaps_page.latent_equivalent(name, run, settings, item, level))

    first = [studio.runs[names[0]]]
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            runs = gr.CheckboxGroup(names, value=names[:1], label="Runs")
            calls = gr.Dropdown([OWN, *map(str, view.allowed_calls(first, limits.calls))], value=OWN, label="Network calls")
            start = gr.Dropdown([OWN, *view.allowed_starts(first)], value=OWN, label="Start")
            condition = gr.Dropdown([ANY, *view.allowed_classes(first)], value=ANY, label="Class")
            n = gr.Slider(1, limits.items, value=8, step=1, label="Images")
            seed = gr.Number(0, precision=0, label="Seed")
            guidance = gr.Slider(0, 5, value=1, step=0.1, label="Guidance", info="Weight of the class; 1 is the model itself")
            temperature = gr.Slider(0, 2, value=0, step=0.05, label="Temperature of latents", info="0 stands for the run's own")
            go = gr.Button("Sample", variant="primary")
        with gr.Column(scale=3, min_width=320):
            page = gr.HTML(leaps_page.INVITATION, label="Samples and paths", elem_id="leaps-page")
            command, python = equivalents()
            with gr.Accordion("Hold z fixed, and draw one latent again", open=False):
                gr.Markdown("Of the first run that is chosen. All other noise stays.")
                with gr.Row():
                    item = gr.Slider(0, 7, value=0, step=1, label="Image")
                    level = gr.Slider(1, limits.calls, value=first[0].model.chain.levels.L, step=1, label="Level l of the z that is held")
                redraw = gr.Button("Draw the latent again")
                drawn = gr.HTML(label="One latent drawn again")
                shell, code = equivalents()
    settings = [n, seed, calls, condition, start, guidance, temperature]
    runs.change(job(allowed), [runs], [calls, start, condition, level], api_name="leaps_allowed", show_progress="hidden")
    n.change(lambda n: gr.Slider(maximum=max(1, n - 1)), [n], [item], api_name=False, show_progress="hidden")
    made = gr.on([go.click, seed.submit], job(shown), [runs, *settings], [page, command, python], api_name="leaps")
    stale_after([runs, *settings], made, "leaps-page")
    redraw.click(job(again), [runs, item, level, *settings], [drawn, shell, code], api_name="latent")


TAB = Tab("Leaps", _build)
