"""Data: files and folders become float32 tensors y, split once, and samples become files' values again."""

from saltus.data.dataset import DataSet
from saltus.data.encoding import Binned, Encoding, Standardised
from saltus.data.layout import Layout
from saltus.data.sources import digits, load

__all__ = ["Binned", "DataSet", "Encoding", "Layout", "Standardised", "digits", "load"]
