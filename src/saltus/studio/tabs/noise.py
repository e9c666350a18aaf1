"""The tab of the noise process: an item, a slider over time, and the way back."""

from __future__ import annotations

from pathlib import Path

from saltus.extras import needs
from saltus.studio.items import read_image
from saltus.studio.limits import number, whole
from saltus.studio.runs import EXAMPLES
from saltus.studio.tab import NO_IMAGES, Studio, Tab, equivalents, job, told
from saltus.studio.views import noise as view

__all__ = ["TAB"]

_LEAST = 0.001  # step of a slider over time


def _build(studio: Studio) -> None:
    gr = needs("gradio", extra="studio")
    names = studio.runs.images
    if not names:
        gr.Markdown(NO_IMAGES)
        return
    start = view.NoiseSettings()

    def shown(name: str, item: float, dropped: str | None, t: float, s: float, seed: float, alpha: float, N: float) -> tuple[str, str, str]:
        run = studio.runs[name]
        t, s = number(t, "the time t"), number(s, "the time s")
        settings = view.NoiseSettings(t, min(s, t), whole(seed, "the seed"), number(alpha, "alpha"), whole(N, "N"))
        y = read_image(Path(dropped), run.model.encoding) if dropped else run.item(whole(item, "the item"))
        page = view.as_page(y, view.noised(y, settings), settings, run.model.chain.levels, run.shown)
        return page, *told(view.equivalent(run, Path(dropped).name if dropped else whole(item, "the item"), settings))

    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            run = gr.Dropdown(names, value=names[0], label="Run", info="Whose items and levels are shown")
            item = gr.Slider(0, EXAMPLES - 1, value=0, step=1, label="Item", info="One of the run's")
            dropped = gr.File(label="Or an image of your own", file_types=["image"], type="filepath", height=140)
            seed = gr.Number(start.seed, precision=0, label="Seed")
            alpha = gr.Slider(0.01, 0.999, value=start.alpha, step=0.001, label="Constant alpha of a level")
            N = gr.Slider(1, 1000, value=start.N, step=1, label="N levels per unit time")
        with gr.Column(scale=3, min_width=320):
            t = gr.Slider(0, view.LAST, value=start.t, step=_LEAST, label="Time t", info="0 is data, larger is noisier")
            s = gr.Slider(0, view.LAST, value=start.s, step=_LEAST, label="Cleaner time s", info="Where the bridge leads back to, up to t")
            first, *same = shown(names[0], 0, None, start.t, start.s, start.seed, start.alpha, start.N)
            page = gr.HTML(first, label="The noise process")
            command, python = equivalents(*same)
    gr.on([t.change, s.change], lambda t, s: min(s, t), [t, s], [s], api_name=False, show_progress="hidden", trigger_mode="always_last")
    dropped.change(lambda file: gr.Slider(interactive=not file), [dropped], [item], api_name=False, show_progress="hidden")
    settings = [run, item, dropped, t, s, seed, alpha, N]
    gr.on(
        [*(each.change for each in settings)],
        job(shown),
        settings,
        [page, command, python],
        api_name="noise",
        trigger_mode="always_last",
        show_progress="hidden",
    )


TAB = Tab("Noise", _build)
