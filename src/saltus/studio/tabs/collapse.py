"""The tab of the collapse: one image again and again, and what brings diversity back."""

from __future__ import annotations

from saltus.extras import needs
from saltus.studio.limits import number, whole
from saltus.studio.tab import Studio, Tab, equivalents, job, stale_after, told
from saltus.studio.views import collapse as view

__all__ = ["TAB"]


def _build(_: Studio) -> None:
    gr = needs("gradio", extra="studio")
    start = view.CollapseSettings()

    def shown(last: float, levels: float, updates: float, width: float, seed: float, n: float) -> tuple[str, str, str]:
        settings = view.CollapseSettings(
            number(last, "t_L"),
            whole(levels, "levels"),
            whole(updates, "updates"),
            whole(width, "the width"),
            whole(seed, "the seed"),
            whole(n, "samples"),
        )
        return view.as_page(view.collapsed(settings)), *told(view.equivalent(settings))

    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            gr.Markdown("A network is trained on handwritten digits for a few seconds, and followed from noise to data.")
            last = gr.Slider(0.1, 20, value=start.last, step=0.1, label="Last time t_L", info="Earlier, z_L still tells of the item")
            levels = gr.Slider(1, 8, value=start.levels, step=1, label="Levels")
            updates = gr.Slider(1, 1200, value=start.updates, step=1, label="Updates of the training")
            width = gr.Slider(1, 144, value=start.width, step=1, label="Width of the network")
            seed = gr.Number(start.seed, precision=0, label="Seed")
            n = gr.Slider(1, 12, value=start.n, step=1, label="Samples shown")
            go = gr.Button("Train and follow", variant="primary")
        with gr.Column(scale=3, min_width=320):
            page = gr.HTML(label="The collapse", elem_id="collapse-page")
            command, python = equivalents(*told(view.equivalent(start)))
    settings = [last, levels, updates, width, seed, n]
    made = gr.on(
        [go.click, seed.submit],
        job(shown),
        settings,
        [page, command, python],
        api_name="collapse",
        concurrency_id="training",
        concurrency_limit=1,
    )
    stale_after(settings, made, "collapse-page")


TAB = Tab("Collapse", _build)
