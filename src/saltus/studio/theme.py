"""How the page looks: fonts of the reader's system, and a few rules beside Gradio's own; nothing is fetched from anywhere."""

from __future__ import annotations

from typing import Any

from saltus.extras import needs

__all__ = ["CSS", "theme"]

_FONT = ("system-ui", "sans-serif")
_MONO = ("ui-monospace", "monospace")

_SUBDUED = ("body_text_color_subdued", "block_info_text_color", "block_label_text_color", "block_title_text_color")

CSS = """
:root { --color-accent: var(--primary-700) }
.dark { --color-accent: var(--primary-400) }
.gradio-container { max-width: 76rem !important; width: 100% !important; margin: 0 auto !important }
.unseen { position: absolute !important; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
input[type="range"]:focus-visible { outline: 3px solid var(--slider-color); outline-offset: 4px }
.studio[data-stale] > * { opacity: 0.45 }
.studio[data-stale]::before { content: "The settings have changed since. Press the button again."; font-weight: 600 }
.studio figure { margin: 0 0 1rem; min-width: 0 }
.studio figcaption { font-size: 0.85rem; margin-top: 0.25rem; color: var(--body-text-color); overflow-wrap: anywhere }
.studio figure img { display: block; max-width: 100%; image-rendering: pixelated; border-radius: 4px }
.studio .plot { overflow-x: auto }
.studio figure svg { width: 100%; min-width: 27rem; max-width: 44rem; height: auto; color: var(--body-text-color); fill: currentColor }
.studio figcaption a { white-space: nowrap }
.studio .side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(45%, 9rem), 1fr)); gap: 0.75rem; align-items: start }
.studio .side.large { grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)) }
.studio .wide { overflow-x: auto; margin-bottom: 1rem }
.studio :is(table, thead, tbody, tr) { border: 0 !important }
.studio table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem }
.studio th, .studio td { padding: 0.25rem 0.7rem; text-align: right; border: 0 solid var(--border-color-primary) !important }
.studio tr > * { border-bottom-width: 1px !important }
.studio :is(th, td):first-child { text-align: left; min-width: 7rem }
.studio h3 { font-size: 1.05rem; margin: 0.75rem 0 0.4rem }
.studio p { max-width: 44rem; margin: 0 0 0.75rem; overflow-wrap: anywhere }
.studio iframe.report { width: 100%; height: 44rem; border: 1px solid var(--border-color-primary); border-radius: 4px }
.studio a { color: var(--link-text-color); text-decoration: underline }
input[type="range"]::-webkit-slider-thumb { border: 2px solid var(--slider-color) !important }
input[type="range"]::-moz-range-thumb { border: 2px solid var(--slider-color) !important }
@media (max-width: 640px) {
  .gradio-container { padding: 0.5rem !important }
  .studio table { font-size: 0.8rem }
  .studio th, .studio td { padding: 0.25rem 0.35rem }
  .studio th:first-child { min-width: 4rem }
  .studio figure svg { min-width: 0 }
  .studio .many, .studio .many :is(tbody, tr, th, td) { display: block; text-align: left }
  .studio .many thead { display: none }
  .studio .many td::before { content: attr(data-heading) ": "; color: var(--body-text-color-subdued) }
  .studio .many td { border: 0 !important }
  .studio .many td:empty { display: none !important }
}
"""


def theme() -> Any:
    """Gradio's plainest theme, in fonts that every system has."""
    themes = needs("gradio", extra="studio").themes
    base = themes.Base(font=_FONT, font_mono=_MONO, primary_hue=themes.colors.blue, neutral_hue=themes.colors.gray)
    light = dict.fromkeys(_SUBDUED, "*neutral_600")  # on white the lighter greys of the theme are hard to read
    strong = dict.fromkeys(("button_primary_background_fill", "link_text_color"), "*primary_700")
    return base.set(**light, **strong, **{f"{name}_dark": "*neutral_300" for name in _SUBDUED})
