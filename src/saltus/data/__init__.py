"""Data: files, folders and arrays become float32 tensors y, split once, and samples become files' values again."""

from saltus.data.bins import Binned, Listed
from saltus.data.conditions import Conditions, Labels
from saltus.data.dataset import DataSet, subsample
from saltus.data.encoding import Encoding, Standardised
from saltus.data.layout import Layout
from saltus.data.sources import digits, load, read_items

__all__ = [
    "Binned",
    "Conditions",
    "DataSet",
    "Encoding",
    "Labels",
    "Layout",
    "Listed",
    "Standardised",
    "digits",
    "load",
    "read_items",
    "subsample",
]
