"""Data: files, folders and arrays become float32 tensors y, split once, and samples become files' values again."""

from saltus.data.bins import Binned, Listed
from saltus.data.columns import Column, ListedColumn, NumberColumn
from saltus.data.conditions import Conditions, Labels
from saltus.data.dataset import DataSet, subsample
from saltus.data.encoding import Encoding, Standardised
from saltus.data.layout import Layout
from saltus.data.sources import digits, load, read_items
from saltus.data.table import Columns

__all__ = [
    "Binned",
    "Column",
    "Columns",
    "Conditions",
    "DataSet",
    "Encoding",
    "Labels",
    "Layout",
    "Listed",
    "ListedColumn",
    "NumberColumn",
    "Standardised",
    "digits",
    "load",
    "read_items",
    "subsample",
]
