"""The tabs of the page, from the left: one file each, and one line here."""

from saltus.studio.tab import Tab
from saltus.studio.tabs import collapse, compare, leaps, noise, run, your_data

__all__ = ["TABS"]

TABS: tuple[Tab, ...] = (noise.TAB, collapse.TAB, leaps.TAB, compare.TAB, run.TAB, your_data.TAB)
