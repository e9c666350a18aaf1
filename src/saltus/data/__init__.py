"""Data: files, folders and arrays become float32 tensors y, split once, and samples become files' values again."""

from saltus.data.bins import Binned, Listed
from saltus.data.cells import DTYPES, TEXT, as_arrow, in_unit
from saltus.data.columns import CategoryColumn, Column, ListedColumn, MissingColumn, NumberColumn, StepColumn
from saltus.data.conditions import Conditions, Labels
from saltus.data.dataset import DataSet
from saltus.data.determined_columns import DeterminedColumn, MappedColumn, PairedColumn
from saltus.data.determined_sums import SummedColumn
from saltus.data.encoding import Encoding, Standardised
from saltus.data.inspection import Inspection, inspect
from saltus.data.items import Examples, Items, subsample
from saltus.data.layout import Layout
from saltus.data.preparation import AS_GIVEN, Preparation
from saltus.data.sources import digits, load, read_items
from saltus.data.table import Columns
from saltus.data.table_files import TABLES, TableKind, table_ending, table_writer
from saltus.data.tables import cells_in, table_parts

__all__ = [
    "AS_GIVEN",
    "DTYPES",
    "TABLES",
    "TEXT",
    "Binned",
    "CategoryColumn",
    "Column",
    "Columns",
    "Conditions",
    "DataSet",
    "DeterminedColumn",
    "Encoding",
    "Examples",
    "Inspection",
    "Items",
    "Labels",
    "Layout",
    "Listed",
    "ListedColumn",
    "MappedColumn",
    "MissingColumn",
    "NumberColumn",
    "PairedColumn",
    "Preparation",
    "Standardised",
    "StepColumn",
    "SummedColumn",
    "TableKind",
    "as_arrow",
    "cells_in",
    "digits",
    "in_unit",
    "inspect",
    "load",
    "read_items",
    "subsample",
    "table_ending",
    "table_parts",
    "table_writer",
]
