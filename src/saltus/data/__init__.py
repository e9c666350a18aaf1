"""Data: files, folders and arrays become float32 tensors y, split once, and samples become files' values again."""

from saltus.data.bins import Binned, Listed
from saltus.data.category_columns import CategoryColumn, CodeColumn, OrdinalColumn
from saltus.data.column_cells import Expected
from saltus.data.columns import Column, ListedColumn, MissingColumn, NumberColumn, StepColumn
from saltus.data.conditions import Conditions, Labels
from saltus.data.dataset import DataSet
from saltus.data.declared import Declared, declarations
from saltus.data.determined_columns import DeterminedColumn, MappedColumn, PairedColumn
from saltus.data.determined_sums import SummedColumn
from saltus.data.dtypes import TEXT, as_arrow, is_dtype, type_of
from saltus.data.encoding import Encoding, Standardised
from saltus.data.inspection import Inspection, inspect
from saltus.data.items import MEASURED, MOST_FITTED, Examples, Items, subsample
from saltus.data.layout import Layout
from saltus.data.preparation import AS_GIVEN, Preparation
from saltus.data.sources import BUILT_IN, digits, load, read_items
from saltus.data.table import Columns
from saltus.data.table_files import TABLES, TableKind, table_ending, table_writer
from saltus.data.tables import cells_in, table_parts, with_durations

__all__ = [
    "AS_GIVEN",
    "BUILT_IN",
    "MEASURED",
    "MOST_FITTED",
    "TABLES",
    "TEXT",
    "Binned",
    "CategoryColumn",
    "CodeColumn",
    "Column",
    "Columns",
    "Conditions",
    "DataSet",
    "Declared",
    "DeterminedColumn",
    "Encoding",
    "Examples",
    "Expected",
    "Inspection",
    "Items",
    "Labels",
    "Layout",
    "Listed",
    "ListedColumn",
    "MappedColumn",
    "MissingColumn",
    "NumberColumn",
    "OrdinalColumn",
    "PairedColumn",
    "Preparation",
    "Standardised",
    "StepColumn",
    "SummedColumn",
    "TableKind",
    "as_arrow",
    "cells_in",
    "declarations",
    "digits",
    "inspect",
    "is_dtype",
    "load",
    "read_items",
    "subsample",
    "table_ending",
    "table_parts",
    "table_writer",
    "type_of",
    "with_durations",
]
