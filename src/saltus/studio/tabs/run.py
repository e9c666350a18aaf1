"""The tab of a run: its curves while it is trained and after, and samples that grow."""

from __future__ import annotations

from typing import Any

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.studio.html import mistaken
from saltus.studio.tab import Studio, Tab, by_a_command, equivalents, job, ticking, told

__all__ = ["TAB"]

NAME = "Run"
_SECONDS = 4.0  # between two looks


def _build(studio: Studio) -> None:
    gr = needs("gradio", extra="studio")
    watching, names, timer = studio.watching, studio.runs.names, ticking(NAME, _SECONDS)

    def choices(key: str | None, name: str) -> Any:
        return gr.Dropdown(watching.names(key), value=name)

    def shown(key: str | None, name: str) -> tuple[str, str, str]:
        page, same = watching.look(key, name)
        return page, *told(same)

    def measured(key: str | None, name: str) -> tuple[str, str, str]:
        page, same = watching.look(key, name, measure=True)
        return page, *told(same)

    def ticked(key: str | None, name: str, before: str) -> tuple[Any, ...]:
        try:
            found = shown(key, name)
        except SaltusError as mistake:  # told once on the page, and not every few seconds beside it
            found = mistaken(mistake), "", ""
        return (gr.skip(), gr.skip(), gr.skip(), before) if found[0] == before else (*found, found[0])

    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            run = gr.Dropdown(names, value=watching.first, label="Run to watch", allow_custom_value=True, info="Yours are at the end")
            go = gr.Button("Show the run", variant="primary")
            floor = gr.Button("Measure the floors")
            gr.Markdown("Floors are what closed forms reach on the same items, in nats. Measuring them takes seconds to a minute.")
        with gr.Column(scale=3, min_width=320):
            page = gr.HTML("<p>While this tab is open, the run is looked at every few seconds.</p>", label="The run")
            command, python = equivalents()
    before = gr.State("")
    outputs = [page, command, python]
    gr.on([go.click, run.input], job(shown), [studio.key, run], outputs, api_name="run")
    floor.click(job(measured), [studio.key, run], outputs, api_name="run_floors", **by_a_command(studio.limits))
    timer.tick(job(ticked), [studio.key, run, before], [*outputs, before], api_name=False, show_progress="hidden", trigger_mode="once")
    run.focus(job(choices), [studio.key, run], [run], api_name=False, show_progress="hidden")


TAB = Tab(NAME, _build)
