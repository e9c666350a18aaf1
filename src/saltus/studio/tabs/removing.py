"""The part of the tab of a reader's data that removes what the reader has sent and made."""

from __future__ import annotations

from typing import Any

from saltus.extras import needs
from saltus.studio.choice import own_run
from saltus.studio.html import paragraph
from saltus.studio.tab import Studio, job
from saltus.studio.workspace import remove

__all__ = ["build"]

DATA, RUN, ALL = "the chosen data", "the chosen run", "all that I sent and made"


def build(studio: Studio, data: Any, run: Any) -> None:
    """Lay it out; `data` and `run` are the components that choose a reader's data and run."""
    gr = needs("gradio", extra="studio")
    workspace, trainings, key = studio.workspace, studio.trainings, studio.key

    def removed(key: str | None, what: str, data: str | None, run: str | None) -> tuple[Any, Any, str]:
        session = workspace.session(key)
        if what == DATA:
            session.remove_data(data)
            words, data = f"{data} is removed. A run that learned it can be used, and cannot be gone on with.", None
        elif what == RUN:
            trainings.remove(session, [own_run(studio, session, run)])
            words, run = f"{run} is removed.", None
        else:
            trainings.remove(session, [session.check_run(name) for name in session.runs])
            remove(session.folder)
            words, data, run = "All that you sent and made is removed.", None, None
            session = workspace.session(key)
        return gr.Dropdown(session.data, value=data), gr.Dropdown(studio.runs_of(session), value=run), str(paragraph(words))

    with gr.Accordion("Remove", open=False):
        gr.Markdown("For good: it cannot be brought back.")
        what = gr.Radio([DATA, RUN, ALL], value=DATA, label="What is removed")
        go = gr.Button("Remove it", variant="stop")
        said = gr.HTML(label="What was removed")
    go.click(job(removed), [key, what, data, run], [data, run, said], api_name="remove")
