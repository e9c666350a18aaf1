"""What stands in place of functions of Gradio: uploads have an end, each and all together, and no address is fetched."""

from __future__ import annotations

import asyncio
from typing import Any

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.studio.limits import Limits
from saltus.studio.workspace import Workspace

__all__ = ["bound_uploads", "fetch_nothing"]

_AROUND = 2**16  # bytes of a request around its file
_TOO_LARGE, _FULL = 413, 507  # what HTTP calls it


def _replace(library: Any, name: str, work: Any) -> None:
    """Put a function in place of one of a module of the library.

    Raises:
        SaltusError: if it has none of this name.
    """
    if not hasattr(library, name):
        version = needs("gradio", extra="studio").__version__
        raise SaltusError(f"gradio {version} takes files in an unknown way; install the version that saltus was tested with")
    setattr(library, name, work)


def fetch_nothing() -> None:
    """Refuse an address that a client gives as a file."""

    async def refused(url: str) -> Any:
        raise SaltusError(f"the address {url!r:.80} was given where a file was expected; nothing is fetched from elsewhere: give the file")

    _replace(needs("gradio.processing_utils", extra="studio"), "async_ssrf_protected_get", refused)


def bound_uploads(workspace: Workspace, limits: Limits) -> None:
    """Have the server of the page take one file at a time, and none that the workspace has no room for.

    The library counts the bytes of each file, and neither how many files a request has nor what is there already.
    """
    upload, failed = needs("gradio.route_utils", extra="studio").upload_fn, needs("starlette.exceptions", extra="studio").HTTPException
    coming = 0

    async def bounded(request: Any, *others: Any, **options: Any) -> Any:
        nonlocal coming
        told = request.headers.get("content-length", "")
        length = int(told) if told.isdecimal() else limits.upload_bytes + _AROUND + 1
        if length > limits.upload_bytes + _AROUND:
            raise failed(_TOO_LARGE, f"an upload is too large, or does not say its size; expected at most {limits.upload_bytes:,} bytes")
        coming += length
        try:
            await asyncio.to_thread(workspace.check_room, None, coming)
            return await upload(request, *others, **options)
        except SaltusError as error:
            raise failed(_FULL, str(error)) from None
        finally:
            coming -= length

    _replace(needs("gradio.routes", extra="studio"), "upload_fn", bounded)
