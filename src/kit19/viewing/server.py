"""``kit19.view``: open folders and serve their pages until Ctrl-C."""

from __future__ import annotations

import importlib.util
import secrets
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from kit19.catalog import CatalogLike, load_catalog
from kit19.core.arguments import Count, OnProgress, one_or_more, public, silent
from kit19.core.errors import ArgumentError, Kit19Error, OutputError, Problem
from kit19.core.local_server import LOCAL_NAMES, base_url, host_name, listen
from kit19.fetching.data_dir import resolve_data_dir

if TYPE_CHECKING:
    from kit19.viewing.site import Site

HOST = "127.0.0.1"
PORT = 8019
_LAYER = ("jinja2", "starlette", "uvicorn")


@dataclass(frozen=True)
class Viewed:
    """What was viewed until the server was stopped.

    Attributes:
        url: The address of the pages, without its token.
        opened: The folders: key, kind and path of each.
    """

    url: str
    opened: list[dict[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON data."""
        return asdict(self)


@dataclass(frozen=True)
class Bundled:
    """A bundle that was written.

    Attributes:
        folder: Its folder.
        pages: How many pages it has.
        left_out: Addresses that pages link to and that are not in it: the number of pages is limited.
    """

    folder: str
    pages: int
    left_out: int

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON data."""
        return asdict(self)


def _ignore(_url: str, _opened: list[dict[str, str]], _once: str) -> None:
    """Nobody waits for the start."""


@public
def view(  # noqa: PLR0913  one parameter an option of the command
    paths: str | Path | Collection[str | Path],
    *,
    host: str = HOST,
    port: Annotated[int, Field(ge=0, le=65_535)] = PORT,
    data_dir: str | Path | None = None,
    catalog: CatalogLike = None,
    tokenizer: str | Path | None = None,
    allowed_hosts: str | Collection[str] = (),
    unsafe_open_to_network: bool = False,
    on_start: Callable[[str, list[dict[str, str]], str], None] = _ignore,
) -> Viewed:
    """Serve pages about builds, audits, results, comparisons and runs. Returns after Ctrl-C.

    Args:
        paths: Their folders, or folders that hold some.
        host: The address to listen on. Default: this machine only.
        port: The port; 0 for any free one.
        data_dir: The folder of upstream files, for records and benchmark items; ``"sample"`` for
            kit19's sample; default: where ``kit19 fetch`` puts them.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).
        tokenizer: The folder of a model, or its ``tokenizer.json``: lengths are shown in tokens too.
        allowed_hosts: Names under which other machines may call the server.
        unsafe_open_to_network: Listen on an address that other machines can reach. Whoever knows the
            address that is printed then sees every opened folder.
        on_start: Called when the server listens, with the address, its token included; the folders;
            and an address that opens the pages once, for command lines that others can see.

    Raises:
        ArgumentError: Other machines could reach the address.
        OutputError: The packages of ``kit19[view]`` are not installed, the address cannot be used, or
            the tokenizer cannot be read.
        Kit19Error: A path is missing, or nothing that can be viewed.
    """
    require_layer()
    if host_name(host) not in LOCAL_NAMES and not unsafe_open_to_network:
        what = f"other machines can reach {host}, and would see the opened folders"
        fix = "leave --host out, or add --unsafe-open-to-network"
        raise ArgumentError(Problem(what, "host", fix))
    from kit19.viewing.app import make_app  # noqa: PLC0415  starlette loads when used

    site = _open(paths, data_dir, catalog, tokenizer)
    described = [{"key": one.key, "kind": one.kind, "path": str(one.path)} for one in site.opened]
    with listen(host, port) as listening:
        import uvicorn  # noqa: PLC0415

        token, once = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        url = base_url(host, listening)
        names = [*LOCAL_NAMES, host, *one_or_more(allowed_hosts, "allowed_hosts")]
        app = make_app(site, names, token, listening.getsockname()[1], once)
        config = uvicorn.Config(app, log_level="warning", lifespan="off", server_header=False)
        threading.Thread(target=_prepare, args=(site,), daemon=True).start()
        on_start(f"{url}/?token={token}", described, f"{url}/?token={once}")
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after its orderly end
            uvicorn.Server(config).run(sockets=[listening])
        return Viewed(url, described)


@public
def bundle_view(  # noqa: PLR0913  one parameter an option of the command
    paths: str | Path | Collection[str | Path],
    out: str | Path,
    *,
    language: Literal["en", "ko"] = "en",
    most: Count = 5_000,
    data_dir: str | Path | None = None,
    catalog: CatalogLike = None,
    tokenizer: str | Path | None = None,
    on_progress: OnProgress = silent,
) -> Bundled:
    """Write the pages of ``view`` as a static site.

    Args:
        paths: As for ``view``.
        out: The folder; an earlier bundle there is replaced.
        language: The language of the pages.
        most: Most pages: overviews and lists first, then single records.
        data_dir: As for ``view``.
        catalog: As for ``view``.
        tokenizer: As for ``view``.
        on_progress: Called with how many pages are made, and how many there are so far.

    Raises:
        OutputError: The packages of ``kit19[view]`` are not installed, or the folder has other files or
            cannot be written.
        Kit19Error: As for ``view``.
    """
    require_layer()
    from kit19.viewing.bundle import write_bundle  # noqa: PLC0415

    site = _open(paths, data_dir, catalog, tokenizer)
    return write_bundle(site, Path(out), language=language, most=most, on_progress=on_progress)


def _open(
    paths: str | Path | Collection[str | Path],
    data_dir: str | Path | None,
    catalog: CatalogLike,
    tokenizer: str | Path | None,
) -> Site:
    from kit19.viewing.app import has_font  # noqa: PLC0415  starlette loads when used
    from kit19.viewing.data.tokens import Tokenizer  # noqa: PLC0415
    from kit19.viewing.opening import open_paths  # noqa: PLC0415
    from kit19.viewing.site import Site  # noqa: PLC0415

    opened = open_paths(one_or_more(paths, "paths"))
    if not opened:
        fix = "give a build, an audit, results …"
        raise ArgumentError(Problem("names no folder", "paths", fix))
    counter = None if tokenizer is None else Tokenizer(Path(tokenizer))
    return Site(opened, load_catalog(catalog), resolve_data_dir(data_dir), has_font(), counter)


def require_layer() -> None:
    """Check that the packages of the extra ``view`` are there.

    Raises:
        OutputError: They are not.
    """
    missing = [one for one in _LAYER if importlib.util.find_spec(one) is None]
    if missing:
        what = f"viewing needs {', '.join(missing)}, which is not installed"
        raise OutputError(Problem(what, fix="pip install 'kit19[view]'"))


def _prepare(site: Any) -> None:
    """Read what the first page shows while the browser starts."""
    first = site.opened[0]
    if first.kind == "build":
        with suppress(Kit19Error):  # the page itself says what is wrong
            _ = site.build(first).table.lengths
