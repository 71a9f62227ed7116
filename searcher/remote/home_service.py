"""The service of a home, which listens on a socket in it, and the home itself where it fails."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from searcher.asked import Asked, Refused, Texts, Wish
from searcher.pictures import RootPictures
from shared.errors import ServiceError, StoreError
from shared.reading import Limits
from shared.roots import known_roots
from shared.settings import Settings
from shared.store.sharing import SEARCH_SOCKET_NAME, socket_path

if TYPE_CHECKING:
    from searcher.remote.asker import ServiceAsker


class ServiceFirst:
    """An `Asker` that asks the home's service, and goes on without it once it fails.

    What it does not answer as this process would is asked here as well: so its output is the same.
    """

    def __init__(self, service: ServiceAsker, settings: Settings, wish: Wish) -> None:
        self._service, self._settings, self._wish = service, settings, wish
        self.roots: Mapping[str, Path] = service.roots
        limits = Limits(settings.max_pixels, settings.max_file_bytes)
        self.pictures = RootPictures(self.roots, limits)

    def close(self) -> None:
        """End the connection to the service."""
        self._service.close()

    def answers(self, queries: Sequence[Texts]) -> Iterator[Asked | Refused]:
        """What comes back for each query, in their order. Raises as `HomeAsker`."""
        told = 0
        try:
            for texts, found in zip(queries, self._service.answers(queries), strict=True):
                if isinstance(found, Refused) and not self._is_final(found, texts):
                    break
                told += 1
                yield found
        except ServiceError:
            pass  # it stopped, is busy or of another version: nothing of the query was printed
        if told < len(queries):
            from searcher.home_asker import HomeAsker

            yield from HomeAsker(self._settings, self._wish).answers(queries[told:])

    def _is_final(self, found: Refused, texts: Texts) -> bool:
        """Whether this process would say the same. It can tell which of several examples it was,
        and takes larger files."""
        from searcher.remote.problems import UploadRefused

        several = len(texts) + len(self._wish.against) != 1
        return not several and not isinstance(found.error, UploadRefused)


def running_service(settings: Settings, wish: Wish) -> ServiceFirst | None:
    """The service of this home if one listens there. None also for what is drawn: a home has the
    pictures beside it, and its encoder makes heat maps."""
    if wish.draws:
        return None
    try:
        path = os.fspath(socket_path(settings.run, SEARCH_SOCKET_NAME))
    except StoreError:
        return None
    if not os.path.exists(path):
        return None
    from searcher.remote.sockets import connected

    try:
        link = connected(path)
    except OSError:
        return None
    from importlib.metadata import version

    from searcher.remote.asker import ServiceAsker
    from searcher.remote.connection import Service

    service, roots = Service.at_socket(link, path), known_roots(settings)
    asker = ServiceAsker(service, wish, settings, roots, version("lookalike"))
    return ServiceFirst(asker, settings, wish)
