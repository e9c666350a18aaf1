"""The page and its server: tabs side by side, bounded, and closed to all but this machine unless a password guards it."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from saltus.errors import SaltusError
from saltus.extras import needs
from saltus.studio.limits import Limits
from saltus.studio.readers import reader
from saltus.studio.runs import Runs
from saltus.studio.tab import Studio
from saltus.studio.tabs import TABS
from saltus.studio.theme import CSS, theme
from saltus.studio.trainings import Trainings
from saltus.studio.uploads import bound_uploads, fetch_nothing
from saltus.studio.workspace import Workspace

__all__ = ["PASSWORD", "USER", "build_app", "is_loopback", "serve"]

USER = "saltus"
"""Whom the password is of."""
PASSWORD = "SALTUS_STUDIO_PASSWORD"
"""The environment variable that may hold it."""
TITLE = "saltus studio"

_FEWEST_LETTERS = 8  # of a password
_THREADS = 4  # for each job that runs: memory of many would stay
_KEPT = 3600  # seconds that files of the page are kept
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self' data: blob:; form-action 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'self'"
)
"""By which a browser refuses to fetch anything from another machine, whatever a library's page asks for."""


def build_app(
    runs: Runs,
    limits: Limits,
    comparisons: Sequence[Path] = (),
    workspace: Workspace | None = None,
    trainings: Trainings | None = None,
) -> Any:
    """The page, a `gradio.Blocks` that is not served yet.

    Args:
        runs: that are shown.
        limits: of what may be asked for.
        comparisons: folders that `saltus compare` wrote.
        workspace: where readers' files are; a temporary one unless given.
        trainings: that readers start.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before the library is loaded, which else reports that it was
    gr = needs("gradio", extra="studio")
    kept = workspace or Workspace(limits=limits)
    os.environ["GRADIO_TEMP_DIR"] = str(kept.uploads)  # which the library reads when the page is built
    fetch_nothing()
    bound_uploads(kept, limits)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(_KEPT, _KEPT)) as app:
        studio = Studio(runs, limits, kept, trainings or Trainings(limits), reader(), tuple(comparisons))
        gr.Markdown(f"# {TITLE}\nThe noise process, the collapse of a decoder, and a chain that draws in a few calls.")
        with gr.Tabs():
            for tab in TABS:
                with gr.Tab(tab.name, id=tab.name):
                    gr.Markdown(f"## {tab.name}", elem_classes="unseen")  # for readers who go by headings
                    tab.build(studio)
    return app.queue(max_size=limits.waiting, default_concurrency_limit=limits.at_once)


def serve(app: Any, limits: Limits, *, host: str = "127.0.0.1", port: int = 7860, password: str = "", block: bool = True) -> str:
    """Serve the page until it is stopped; its address.

    Args:
        app: of `build_app`.
        limits: of uploads.
        host: the address to listen at.
        port: 0 for any that is free.
        password: that is asked for; required unless the host is this machine alone.
        block: whether to wait until the user stops it.

    Raises:
        SaltusError: for another host without a password, a short password, or a port that is taken.
    """
    check_access(host, password)
    middleware = [needs("starlette.middleware", extra="studio").Middleware(_Guarded, hosts=_hosts(host))]
    try:
        _, address, _ = app.launch(
            server_name=host,
            server_port=port or None,
            auth=(USER, password) if password else None,
            share=False,
            max_threads=_THREADS * limits.at_once,
            quiet=True,
            show_error=False,
            ssr_mode=False,
            enable_monitoring=False,
            run_history=False,  # whose page may send it to a hub
            footer_links=[],
            max_file_size=limits.upload_bytes,
            prevent_thread_lock=True,
            app_kwargs={"middleware": middleware},
            theme=theme(),
            css=CSS,
        )
    except OSError as error:
        raise SaltusError(f"the port {port} of {host} cannot be used; give another with --port, or end what uses it") from error
    if block:
        app.block_thread()
    return str(address)


def check_access(host: str, password: str) -> None:
    """Raise SaltusError for an address that others reach without a password, or one that is soon guessed."""
    if password and len(password) < _FEWEST_LETTERS:
        raise SaltusError(f"a password of {len(password)} letters was given; expected at least {_FEWEST_LETTERS}: choose a longer one")
    if not password and not is_loopback(host):
        raise SaltusError(
            f"the address {host} is open to other machines, and no password was given; give one with --password-file or {PASSWORD}, "
            "or leave --host out"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hosts(host: str) -> frozenset[str]:
    """The names by which a browser may ask for the page; any name where others may reach it."""
    return frozenset({"localhost", "127.0.0.1", "[::1]", host}) if is_loopback(host) else frozenset()


def _header(scope: Any, name: bytes) -> str:
    return str(dict(scope["headers"]).get(name, b"").decode("latin-1"))


def _host_of(scope: Any) -> str:
    """The host that a request is for, without its port."""
    asked = _header(scope, b"host")
    host, colon, port = asked.rpartition(":")
    return host if colon and port.isdigit() else asked


def _is_own(scope: Any) -> bool:
    """Whether a request comes from this page, or from no page: others, also those of another port, may start nothing here.

    Browsers say which page a request is of.  Where a server before this one has another name for it, only `sec-fetch-site` does.
    """
    if (site := _header(scope, b"sec-fetch-site")) == "same-origin":
        return True
    origin = _header(scope, b"origin")
    if origin:
        return site in ("", "none") and origin.rpartition("//")[2] == _header(scope, b"host")
    return site in ("", "none") or scope["method"] in ("GET", "HEAD")


class _Guarded:
    """Around the server: a page elsewhere may not reach it under a name of its own, and its own pages fetch nothing from elsewhere."""

    def __init__(self, app: Any, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._hosts and _host_of(scope) not in self._hosts:
            await send({"type": "http.response.start", "status": 421, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"this page is for its own machine"})
            return
        if not _is_own(scope):
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"another page may send nothing to this one"})
            return

        async def answered(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", _POLICY.encode())]
            await send(message)

        await self._app(scope, receive, answered)
