"""Rows on the page: nothing of them is markup, formulas are told, and a report can do nothing to the page around it."""

from __future__ import annotations

import gzip
import html
import re
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saltus.studio.views.rows_page import first_rows, formulas, report_page, rows_page, score_page, strangest
from tests.helpers.watched import HOSTILE

ROWS = f'age,{HOSTILE[0]},note\n-5,=1+1,"a,\n{HOSTILE[2]}"\n+7e3,@home,-x\n-inf,,"{{0}}"\n'


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv"])
def test_the_first_rows_are_those_of_the_file(ending: str, tmp_path: Path) -> None:
    file, text = tmp_path / f"rows{ending}", ROWS.replace(",", "\t") if ending == ".tsv" else ROWS
    file.write_bytes(gzip.compress(text.encode()) if ending.endswith(".gz") else text.encode())
    headings, rows = first_rows(file)
    assert headings == ["age", HOSTILE[0], "note"]
    assert [row[1] for row in rows] == ["=1+1", "@home", ""]


def test_parquet_says_what_is_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, None], "=b": ["=1", "x"]}), tmp_path / "rows.parquet")
    assert first_rows(tmp_path / "rows.parquet") == (["a", "=b"], [["1", "=1"], ["", "x"]])
    assert formulas(tmp_path / "rows.parquet") == 0


def test_formulas_are_counted_and_numbers_are_none(tmp_path: Path) -> None:
    """A name, =1+1, @home and -x; -5, +7e3 and -inf are numbers.  The file stays as it is."""
    file = tmp_path / "rows.csv"
    file.write_text(ROWS)
    assert formulas(file) == 4
    page = rows_page(file, "3 rows <b>under</b> age=1:2.", ["2 cells are missing still."])
    assert "4 cells start with =, +, - or @" in page
    assert file.read_text() == ROWS
    file.write_text("age\n-5\n")
    assert "spreadsheet" not in rows_page(file, "1 row.")


def test_nothing_of_rows_is_markup(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    page = rows_page(tmp_path / "rows.csv", "3 rows <b>under</b> age=1:2.")
    assert "<script" not in page
    assert "<b>" not in page
    assert "{0}" in page


def test_the_strangest_row_is_first_and_what_never_came_before_it(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("row,nats,anomaly,column,column_anomaly\n0,-3.5,0.5,a,1\n1,-9,4.25,<i>b</i>,3\n2,-inf,7,b,inf\n")
    first, n = strangest(file)
    assert [row["row"] for row in first] == ["2", "1", "0"]
    assert n == 0
    page = score_page({"rows": 3, "unseen": 1}, file)
    assert page.index("7.00") < page.index("4.25") < page.index("0.50")
    assert page.count("never came") == 2 + 1
    assert "<i>" not in page


def test_scores_are_read_once_in_little_memory(tmp_path: Path) -> None:
    """Whatever the file has: rows of a hundred thousand that are equally strange stay in their order."""
    file = tmp_path / "scores.csv"
    file.write_text("row,nats,anomaly,column,column_anomaly\n" + "".join(f"{k},-1.5,{k % 7},=a,2.5\n" for k in range(100_000)))
    tracemalloc.start()
    first, n = strangest(file)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row["row"] for row in first] == [str(k) for k in range(6, 140, 7)]
    assert n == 100_000
    assert most < 2**19 < file.stat().st_size


def test_a_cell_of_any_length_is_read(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"a,b\n{'x' * 200_000},=1\n")
    assert formulas(file) == 1
    page = rows_page(file, "1 row.")
    assert "1 cell starts with" in page
    assert len(page) < 10_000


def test_a_report_is_shut_in() -> None:
    document = "<!doctype html><title>{x}</title><script>alert('1')</script><p class=\"a\">&lt;b&gt;"
    page = report_page(document, ["the <b>finding</b>"])
    (frame,) = re.findall(r'<iframe class="report" title="The quality report" sandbox="" srcdoc="([^"]*)"></iframe>', page)
    assert html.unescape(frame) == document
    assert "<script" not in page
    assert "<b>" not in page
