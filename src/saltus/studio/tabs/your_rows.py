"""The part of the tab of a reader's data that is for models of tables: rows, missing cells, strange rows, a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from saltus.data import table_ending
from saltus.extras import needs
from saltus.studio.choice import given_run, own_run
from saltus.studio.commands import result_of
from saltus.studio.limits import whole
from saltus.studio.tab import Studio, by_a_command, equivalents, job, told
from saltus.studio.trainings import command_of
from saltus.studio.views import rows as view
from saltus.studio.views import rows_page
from saltus.studio.workspace import Session, remove

__all__ = ["build"]

_Shown = tuple[str, Any, str, str]


def build(studio: Studio, data: Any, run: Any) -> None:
    """Lay it out; `data` and `run` are the components that choose a reader's data and run."""
    gr = needs("gradio", extra="studio")
    workspace, limits, key = studio.workspace, studio.limits, studio.key

    def done(session: Session, work: view.Job, file: Path, page: Callable[[dict[str, Any]], str], made: Path | None = None) -> _Shown:
        """Run a command, and show what it wrote, which is handed out and not kept; it is all in `made`, unless the file is alone."""
        workspace.check_room(session)
        try:
            found = result_of(work.arguments, session.folder, limits)
            return page(found), gr.File(str(workspace.given_out(file)), visible=True), *told(work.equivalent)
        finally:
            remove(made or file)

    def of(key: str | None, run: str | None) -> tuple[Session, str, str]:
        """A reader, a run as commands have it, and the ending of files of its rows."""
        session = workspace.session(key)
        if given := given_run(studio, session, run):
            return session, str(Path(given.place).resolve()), given.ending
        place = own_run(studio, session, run)
        data = view.data_of(command_of(place))
        view.check_rows(data)
        return session, session.relative(place), table_ending(data)

    def sampled(key: str | None, run: str | None, n: float, where: str, seed: float) -> _Shown:
        session, place, ending = of(key, run)
        settings = view.RowSettings(whole(n, "rows"), view.conditions(where or ""), whole(seed, "the seed"))
        out = session.new_made("samples")
        file = out / f"samples{ending}"
        words = f"{settings.n:,} rows{' under ' + ', '.join(settings.where) if settings.where else ''}, seed {settings.seed}."
        work = view.sample(place, session.relative(out), settings)
        return done(session, work, file, lambda _: rows_page.rows_page(file, words), out)

    def imputed(key: str | None, run: str | None, data: str | None, seed: float) -> _Shown:
        session, place, _ = of(key, run)
        rows = session.check_data(data)
        view.check_rows(rows)
        file = session.new_made("imputed", table_ending(rows))
        work = view.impute(place, rows, session.relative(file), whole(seed, "the seed"))

        def page(found: dict[str, Any]) -> str:
            columns = ", ".join(f"{name}: {count:,}" for name, count in found["by_column"].items())
            words = f"{found['filled']:,} missing cells in {found['rows']:,} rows are filled{f' ({columns})' if columns else ''}."
            left = [f"{found['left']:,} cells are missing still, in columns that were not learned."] if found["left"] else []
            return rows_page.rows_page(file, words, left)

        return done(session, work, file, page)

    def scored(key: str | None, run: str | None, data: str | None, seed: float) -> _Shown:
        session, place, _ = of(key, run)
        file = session.new_made("scores", ".csv")
        work = view.score(place, session.check_data(data), session.relative(file), whole(seed, "the seed"))
        return done(session, work, file, lambda found: rows_page.score_page(found, file))

    def reported(key: str | None, run: str | None, data: str | None, seed: float) -> _Shown:
        session, place, _ = of(key, run)
        file = session.new_made("report", ".html")
        work = view.report(place, session.check_data(data), session.relative(file), whole(seed, "the seed"))
        return done(session, work, file, lambda found: rows_page.report_page(file.read_text(), found["finding"]))

    def section(name: str, words: str, button: str, fields: Callable[[], list[Any]], work: Any, inputs: list[Any], api: str) -> None:
        with gr.Accordion(name, open=False), gr.Row():
            with gr.Column(scale=1, min_width=280):
                gr.Markdown(words)
                given = fields()
                go = gr.Button(button, variant="primary")
                file = gr.File(label=f"{name}: the file", interactive=False, visible=False)
            with gr.Column(scale=3, min_width=320):
                page = gr.HTML(label=name)
                command, python = equivalents()
        go.click(job(work), [key, *inputs, *given], [page, file, command, python], api_name=api, **by_a_command(limits))

    def seed() -> Any:
        return gr.Number(0, precision=0, label="Seed of the noise")

    def drawn() -> list[Any]:
        n = gr.Slider(1, limits.rows, value=100, step=1, label="Rows")
        where = gr.Textbox("", lines=3, label="Conditions, one a line", info="NAME=VALUE, NAME=LOW:HIGH, NAME=A|B")
        return [n, where, seed()]

    gr.Markdown("## Your table\nWith the run that is chosen above, once it is trained; rows that are filled or ranked are the chosen data.")
    section("New rows", "Rows that the model draws.", "Draw rows", drawn, sampled, [run], "rows")
    words = "Each missing cell is drawn from what it can be, given the rest of its row."
    section("Fill missing cells", words, "Fill the cells", lambda: [seed()], imputed, [run, data], "impute")
    words = "Rows by how strange they are beside rows that were held out, and the cell that is the strangest."
    section("Strange rows", words, "Rank the rows", lambda: [seed()], scored, [run, data], "score")
    words = "How good synthetic rows are, beside rows that were held out. It takes a minute or more."
    section("Quality report", words, "Write the report", lambda: [seed()], reported, [run, data], "report")
