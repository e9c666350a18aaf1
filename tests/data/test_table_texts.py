"""A file of a table is written as it was, with cells that were missing filled."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from saltus.data.table_texts import TableFile
from saltus.errors import SaltusError
from tests.helpers.checks import assert_one_sentence

CONTENT = """zip,ok,"a ""name"", quoted",at,words
00501,TRUE,1.50,2024-01-01T12:00,
00502,,NA,,""
,FALSE,2.0,2024-01-02T13:00,"two
lines, and a comma"
"""


def filled(file: TableFile, **columns: pa.Array) -> pa.Table:
    """The table of a file with other columns."""
    table = file.table
    for name, values in columns.items():
        k = next(k for k, own in enumerate(table.column_names) if own.startswith(name))
        table = table.set_column(k, table.column_names[k], values)
    return table


def test_texts_stay_and_values_are_written_as_elsewhere_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CONTENT)
    file = TableFile.read(tmp_path / "a.csv", {"zip": "text"})
    at = file.table.column("at")
    columns = {
        "zip": pa.array(["1", "2", "00502"]),
        "ok": pa.array([True, True, False]),
        "a": pa.array([9.0, 2.25, 9.0]),
        "at": pa.array([at[0].as_py(), at[2].as_py(), at[2].as_py()], at.type),
    }
    file.write(tmp_path / "b.csv", filled(file, **columns))
    expected = CONTENT.replace("00502,,NA,,", "00502,TRUE,2.25,2024-01-02T13:00,").replace("\n,FALSE", "\n00502,FALSE")
    assert (tmp_path / "b.csv").read_text() == expected
    file.write(tmp_path / "c.csv", file.table)
    assert (tmp_path / "c.csv").read_text() == CONTENT


def test_decimals_are_written_with_commas_where_the_file_does(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a;b\n1;2,5\n2;\n;0,5\n")
    file = TableFile.read(tmp_path / "a.csv")
    file.write(tmp_path / "b.csv", filled(file, a=pa.array([1.0, 2.0, 7.25]), b=pa.array([2.5, 1.75, 0.5])))
    assert (tmp_path / "b.csv").read_text() == "a;b\n1;2,5\n2;1,75\n7,25;0,5\n"


@pytest.mark.parametrize("name", ["a.txt", "gone.csv", "."])
def test_what_is_no_file_of_a_table_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(CONTENT)
    with pytest.raises(SaltusError) as caught:
        TableFile.read(tmp_path / name)
    assert_one_sentence(caught.value, str(tmp_path / name), "expected a table in a file of the kind")
