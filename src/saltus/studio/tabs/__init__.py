"""The tabs of the page, from the left: one file each, and one line here."""

from saltus.studio.tab import Tab
from saltus.studio.tabs import noise

__all__ = ["TABS"]

TABS: tuple[Tab, ...] = (noise.TAB,)
