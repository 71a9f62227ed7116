"""`ServicePictures`: indexed images as small pictures, as a service shows them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from searcher.pictures import EDGE, Picture, located, picture_name
from searcher.remote.connection import Service
from searcher.remote.problems import sentence
from searcher.remote.shape import Shape
from shared.errors import ImageRefused
from shared.reading import Limits
from shared.types import ImageRecord

_THUMBNAIL_BYTES = 4 * 2**20
_NOT_SHOWN = "not shown by the service"


@dataclass(frozen=True, slots=True)
class ServicePictures:
    """Fetched one by one. `roots`: the folders that are known on this machine as well."""

    service: Service
    roots: Mapping[str, Path]
    limits: Limits

    def of(self, record: ImageRecord | None) -> Picture:
        """An indexed image; one that is gone or damaged costs only its picture. Raises
        `ServiceError`."""
        if record is None:
            return Picture("", None, "unknown image")
        path = located(self.roots, record)
        here = path if path is not None and os.path.isfile(path) else None
        return self._picture(record.id, picture_name(record.path), here)

    def of_point(self, point: str) -> Picture:
        """The indexed image with an id. Raises `ServiceError`."""
        reply = self.service.get(f"/images/{quote(point, safe='')}/record")
        if reply.status != 200:
            return Picture(point, None, sentence(reply) or _NOT_SHOWN)
        path = Shape.read(reply.body, "the record").text("path")
        return self._picture(point, picture_name(path), None)

    def _picture(self, point: str, name: str, path: str | None) -> Picture:
        from shared.images import thumbnail

        reply = self.service.get(
            f"/images/{quote(point, safe='')}/thumbnail?size={EDGE}", limit=_THUMBNAIL_BYTES
        )
        if reply.status != 200:
            return Picture(name, None, sentence(reply) or _NOT_SHOWN, path)
        try:
            return Picture(name, thumbnail(reply.body, EDGE, self.limits), path=path)
        except ImageRefused as error:
            return Picture(name, None, str(error), path)
