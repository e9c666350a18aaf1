"""Uploads: one that is too large, does not say its size, or has no room is refused before it is read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from saltus.studio.limits import Limits
from saltus.studio.uploads import bound_uploads
from saltus.studio.workspace import Workspace

routes = pytest.importorskip("gradio.routes")
route_utils = pytest.importorskip("gradio.route_utils")
HTTPException = pytest.importorskip("starlette.exceptions").HTTPException


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Uploads that were read; the workspace has room for two megabytes, and a file may have one."""
    found = list[str]()

    async def read(request: Any, wait: float = 0) -> str:
        await asyncio.sleep(wait)
        found.append(request.headers["content-length"])
        return "read"

    monkeypatch.setattr(route_utils, "upload_fn", read)
    monkeypatch.setattr(routes, "upload_fn", read)
    limits = replace(Limits(), workspace_bytes=2 * 10**6, upload_bytes=10**6)
    bound_uploads(Workspace(tmp_path, limits), limits)
    return found


def sent(length: int | None, wait: float = 0) -> Any:
    return routes.upload_fn(SimpleNamespace(headers={} if length is None else {"content-length": str(length)}), wait)


def test_what_fits_is_read(taken: list[str]) -> None:
    for _ in range(9):  # one after the other
        assert asyncio.run(sent(10**6)) == "read"
    assert len(taken) == 9


@pytest.mark.parametrize("length", [2 * 10**6, None])
def test_what_is_too_large_or_of_no_size_is_refused(length: int | None, taken: list[str]) -> None:
    with pytest.raises(HTTPException) as caught:
        asyncio.run(sent(length))
    assert (caught.value.status_code, taken) == (413, [])


def test_those_that_come_at_once_are_counted_together(taken: list[str]) -> None:
    async def three() -> list[Any]:
        return await asyncio.gather(*(sent(10**6 - k, 1.0) for k in range(3)), return_exceptions=True)

    found = asyncio.run(three())
    assert [str(one) for one in found].count("read") == len(taken) == 2
    (refused,) = (one for one in found if one != "read")
    assert refused.status_code == 507
    assert "are kept" in refused.detail
    assert asyncio.run(sent(10**6)) == "read"


def test_a_full_workspace_takes_none(taken: list[str], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(1_500_000))
    with pytest.raises(HTTPException) as caught:
        asyncio.run(sent(10**6))
    assert (caught.value.status_code, taken) == (507, [])
