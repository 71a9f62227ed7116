"""`indexer forget`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.console import DebugOption, HomeOption, reported_errors, say

if TYPE_CHECKING:
    from indexer.roots import Root, Roots
    from shared.settings import Settings

PATIENCE_SECONDS = 20.0
"""How long to wait for the running indexer."""


def forget(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A remembered folder or its name.")],
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Forget a folder and its points. The pictures themselves are not touched."""
    with reported_errors(debug):
        from indexer.database import Database
        from indexer.parts import with_remembered_part
        from indexer.roots import Roots, find_root
        from shared.lock import is_running
        from shared.settings import load_settings

        settings = with_remembered_part(load_settings({"home": home}))
        if is_running(settings.run):
            database = Database(settings.journal)
            roots = Roots(database)
            root = find_root(roots.all(), folder)
            roots.request(root.id, "forgotten")
            _wait_until_gone(roots, root)
            database.close()
        else:
            root = _forget_here(settings, folder)
        say(f"forgot {root.id}")


def _wait_until_gone(roots: Roots, root: Root) -> None:
    """The running indexer does it between two batches."""
    import time

    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(one.id == root.id for one in roots.all()):
        if time.monotonic() > deadline:
            say("the running indexer was asked, and will do it when it can")
            raise typer.Exit
        time.sleep(0.1)


def _forget_here(settings: Settings, folder: str) -> Root:
    from indexer.forgetting import delete_points
    from indexer.home import Home
    from indexer.roots import find_root
    from indexer.targets import known_collections
    from shared.store.hub import open_hub

    stays = not settings.qdrant_urls  # as its owner, so that queries of an embedded store go on
    with Home(settings, "indexer forget") as opened, open_hub(settings, long_lived=stays) as hub:
        root = find_root(opened.roots.all(), folder)
        names = set(hub.names())
        if hub.is_shared:
            names &= known_collections(opened.models)
        collections = ((name, hub.collection(name)) for name in sorted(names))
        delete_points(collections, opened.journal, root.id, opened.partition)
        opened.roots.drop(root.id)
        opened.publish_roots()
        return root
