"""Who a reader of the page is: a key that the browser keeps, so that trainings are found again when the page is loaded anew."""

from __future__ import annotations

import secrets
from typing import Any

from saltus.extras import needs

__all__ = ["reader"]

_BYTES = 16
_STORED, _SCRAMBLED = "saltus-studio", "saltus-studio"  # the key is a secret of the browser, and not this word


def reader() -> Any:
    """A `gradio.BrowserState` with the key; to be called while a page is laid out."""
    gr, context = needs("gradio", extra="studio"), needs("gradio.context", extra="studio")
    key = gr.BrowserState(None, storage_key=_STORED, secret=_SCRAMBLED)
    context.Context.root_block.load(_known, [key], [key], api_name=False, show_progress="hidden", queue=False)
    return key


def _known(key: str | None) -> str:
    return key if isinstance(key, str) and key else secrets.token_hex(_BYTES)
