"""The tab of a reader's own data: sent, looked at, trained on within a budget, and what a model of a table is for."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.studio.choice import given_run, own_run
from saltus.studio.commands import names_a_field, result_of
from saltus.studio.html import mistaken, paragraph
from saltus.studio.limits import number, whole
from saltus.studio.received import ENDINGS, receive
from saltus.studio.tab import GIVEN, Studio, Tab, by_a_command, equivalents, job, ticking, told
from saltus.studio.tabs import removing, your_rows
from saltus.studio.trainings import command_of
from saltus.studio.views import inspected as view
from saltus.studio.watching import MINE
from saltus.studio.workspace import Session, remove

__all__ = ["TAB"]

NAME = "Your data"
_SECONDS = 4.0  # between two looks at a training
_PICTURE = "items.png"


def _build(studio: Studio) -> None:
    gr = needs("gradio", extra="studio")
    limits, workspace, trainings, key = studio.limits, studio.workspace, studio.trainings, studio.key
    watching, timer = studio.watching, ticking(NAME, _SECONDS)

    def inspected(session: Session, name: str, notes: list[str], how: view.DataSettings) -> tuple[Any, str, str, str]:
        data = session.check_data(name)
        picture = session.new_made("items", ".png") if (session.folder / data).is_dir() else None
        try:
            found = result_of(view.inspection(data, how, session.relative(picture) if picture else None), session.folder, limits)
            png = picture.read_bytes() if picture else None
        except SaltusError as error:
            if picture is None or "there is no picture" not in str(error):
                raise
            found, png = result_of(view.inspection(data, how), session.folder, limits), None
        finally:
            if picture is not None:
                remove(picture)
        found["refused"] = how.lack(session.folder / data) or found["refused"]
        same = told(view.equivalent(data, how, _PICTURE if png else None))
        return gr.Dropdown(session.data, value=name), view.as_page(found, notes, png), *same

    def sent(key: str | None, file: str | None, *settings: Any) -> tuple[Any, str, str, str]:
        if not file:
            raise SaltusError("no file was sent; drop a zip of images, or a table as CSV or Parquet")
        session, how = workspace.session(key), view.DataSettings.chosen(*settings)
        received = receive(Path(file), session, workspace, limits)
        try:
            return inspected(session, received.name, received.notes, how)
        except SaltusError as error:
            if names_a_field(str(error)):  # by which it may be read: it is kept, and to be looked at again
                page = str(paragraph(f'{error}. Then press "Look at the data".'))
                return gr.Dropdown(session.data, value=received.name), page, *told(view.equivalent(session.check_data(received.name), how))
            session.remove_data(received.name)
            raise

    def looked(key: str | None, name: str | None, *settings: Any) -> tuple[Any, str, str, str]:
        return inspected(workspace.session(key), name or "", [], view.DataSettings.chosen(*settings))

    def started(key: str | None, name: str | None, *settings: Any) -> tuple[Any, str, str, str]:
        session = workspace.session(key)
        data, how = session.check_data(name), view.DataSettings.chosen(*settings[:4])
        train = view.TrainSettings(number(settings[4], "minutes"), whole(settings[5], "network calls"), whole(settings[6], "the seed"))
        if lack := how.lack(session.folder / data):
            raise SaltusError(lack)
        workspace.check_room(session)
        run = session.new_run(str(name))
        place = session.relative(run)
        trainings.start(session, run, view.training(data, place, how, train), train.minutes)
        return (
            gr.Dropdown(studio.runs_of(session), value=run.name),
            watched(key, run.name),
            *told(view.training_equivalent(data, place, how, train)),
        )

    def watched(key: str | None, run: str | None) -> str:
        if given_run(studio, workspace.session(key), run):
            return watching.look(key, str(run).removeprefix(GIVEN))[0]
        return watching.look(key, f"{MINE}{run}")[0]

    def ticked(key: str | None, run: str | None, before: str) -> tuple[Any, Any]:
        if not key or not run:
            return gr.skip(), before
        try:
            page = watched(key, run)
        except SaltusError as mistake:  # told once on the page, and not every few seconds beside it
            page = mistaken(mistake)
        return (gr.skip(), before) if page == before else (page, page)

    def stopped(key: str | None, run: str | None) -> str:
        trainings.stop(own_run(studio, workspace.session(key), run))
        return watched(key, run)

    def resumed(key: str | None, run: str | None) -> tuple[str, str]:
        session = workspace.session(key)
        place = own_run(studio, session, run)
        workspace.check_room(session)
        trainings.resume(session, place)
        return watched(key, run), shlex.join(["saltus", *command_of(place)])

    def packed(key: str | None, run: str | None) -> Any:
        return gr.File(str(workspace.packed(own_run(studio, workspace.session(key), run))), visible=True)

    def choices(key: str | None, data: str | None, run: str | None) -> tuple[Any, Any]:
        session = workspace.session(key)
        return gr.Dropdown(session.data, value=data), gr.Dropdown(studio.runs_of(session), value=run)

    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            file = gr.File(label="A zip of images, or a table", file_types=[*ENDINGS, ".gz"], type="filepath", height=140)
            data = gr.Dropdown([], label="Data", allow_custom_value=True, info="What you have sent")
            size = gr.Slider(0, 128, value=0, step=1, label="Size of images", info="Pixels of a side; 0 leaves them as they are")
            crop = gr.Checkbox(False, label="Cut images to squares", info="Or they are stretched to the size")
            colours = gr.Radio([*view.COLOURS], value=next(iter(view.COLOURS)), label="Colours", info="That every image gets")
            labels = gr.Checkbox(False, label="Learn classes", info="Folders of images, or a column named label")
            look = gr.Button("Look at the data")
        with gr.Column(scale=3, min_width=320):
            page = gr.HTML(f"<p>{view.INVITATION}</p>", label="What is in the data")
            command, python = equivalents()
    gr.Markdown("## Train")
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            minutes = gr.Slider(0.1, limits.minutes, value=2, step=0.1, label="Minutes of training", info="As many updates as fit")
            levels = gr.Slider(0, 16, value=0, step=1, label="Network calls of a sample", info="0 leaves the choice to saltus")
            seed = gr.Number(0, precision=0, label="Seed of the training")
            start = gr.Button("Start a training", variant="primary")
            given = studio.runs_of()
            run = gr.Dropdown(
                given, value=next(iter(given), None), label="Your run", allow_custom_value=True, info="One training runs at a time"
            )
            with gr.Row():
                stop, resume = gr.Button("Stop", min_width=100), gr.Button("Go on", min_width=100)
            pack = gr.Button("Make a zip of the model")
            model = gr.File(label="The model", interactive=False, visible=False)
        with gr.Column(scale=3, min_width=320):
            progress = gr.HTML("<p>No training was started.</p>", label="The training")
            shell, code = equivalents()
    before, how = gr.State(""), [size, crop, colours, labels]
    file.upload(job(sent), [key, file, *how], [data, page, command, python], api_name="send", **by_a_command(limits))
    look.click(job(looked), [key, data, *how], [data, page, command, python], api_name="look", **by_a_command(limits))
    start.click(job(started), [key, data, *how, minutes, levels, seed], [run, progress, shell, code], api_name="train")
    stop.click(job(stopped), [key, run], [progress], api_name="stop")
    resume.click(job(resumed), [key, run], [progress, shell], api_name="resume")
    run.input(job(watched), [key, run], [progress], api_name="watch")
    pack.click(job(packed), [key, run], [model], api_name="model")
    timer.tick(job(ticked), [key, run, before], [progress, before], api_name=False, show_progress="hidden", trigger_mode="once")
    for chosen in (data, run):
        chosen.focus(job(choices), [key, data, run], [data, run], api_name=False, show_progress="hidden")
    your_rows.build(studio, data, run)
    removing.build(studio, data, run)


TAB = Tab(NAME, _build)
