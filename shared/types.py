"""Records and small protocols that cross rooms."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

if TYPE_CHECKING:  # whoever only asks a service handles records and no arrays
    import numpy as np
    from numpy.typing import NDArray

EMBEDDING_SIZE = 512
"""Length of every vector: the latent size of the article's autoencoder."""

Embeddings: TypeAlias = "NDArray[np.float32]"
"""float32 (n, 512), every row of unit L2 length."""

Pixels: TypeAlias = "NDArray[np.uint8]"
"""uint8 (height, width, 3), RGB; a batch is (n, height, width, 3)."""

Raw: TypeAlias = bytes
"""A path or name as the file system spells it; it need not be UTF-8."""

PIXELS_VERSION = 2
"""The version of `PixelSpec` that new encoders are trained with."""

PHASH_VERSION = 2
"""The version of the perceptual hash that new points have."""

Fit = Literal["stretch", "cover", "contain"]
Filter = Literal["box", "bilinear", "hamming", "bicubic", "lanczos"]


@dataclass(frozen=True, slots=True)
class PixelSpec:
    """How a file becomes the network's input; part of an encoder's identity.

    `size`: edge of the square, in pixels. `fit`: *stretch* ignores the aspect ratio, *cover* crops
    the longer side, *contain* pads the shorter one with the picture's ground. `filter`: the
    resampling filter. `draft`: JPEGs may be decoded at a fraction of their size (faster, changes
    pixels a little). `ground`: RGB, 0-255, the ground of a picture: it shows through transparency
    and pads what is contained. `shares`: made from what is loaded for a spec of at least this size
    before it, so that a JPEG is decoded once; its pixels then depend a little on that one, so that
    it is for no encoder.

    `version`: 1 takes the file's numbers as they are and lays every picture on `ground`; 2 converts
    the colours of an embedded profile to sRGB, and lays a transparent picture that would vanish on
    `ground` on a dark one (`shared.grounds`).
    """

    size: int = 64
    fit: Fit = "stretch"
    filter: Filter = "bilinear"
    draft: bool = True
    ground: tuple[int, int, int] = (255, 255, 255)
    shares: bool = False
    version: int = 1

    def __post_init__(self) -> None:
        if self.version not in range(1, PIXELS_VERSION + 1):
            raise ValueError(f"version is {self.version}: it must be 1 to {PIXELS_VERSION}")
        if self.size < 1:
            raise ValueError(f"size is {self.size}: it must be at least 1 pixel")
        for name, value, known in (("fit", self.fit, Fit), ("filter", self.filter, Filter)):
            if value not in get_args(known):
                raise ValueError(f"{name} is {value!r}: it must be one of {get_args(known)}")
        if len(self.ground) != 3 or not all(0 <= level <= 255 for level in self.ground):
            raise ValueError(f"ground is {self.ground}: it must be three levels from 0 to 255")

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON values; `shares` and `version` only where they are not the default, so
        that the first encoders keep their ids."""
        value = asdict(self) | {"ground": list(self.ground)}
        usual = {"shares": False, "version": 1}
        return {name: one for name, one in value.items() if usual.get(name, ...) != one}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PixelSpec:
        """The spec that `to_json` wrote; raises KeyError, TypeError or ValueError on others."""
        return cls(**{**value, "ground": tuple(value["ground"])})


class Change(Enum):
    """What happened to a path between the journal's memory and the disk."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


def shown_path(raw: bytes) -> str:
    """A path's bytes as valid Unicode for people and JSON; U+FFFD stands for what is not UTF-8."""
    return raw.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What the store keeps beside a vector: the payload of one point.

    `path` is relative to `root` (a root id) and shown as valid Unicode; `path_raw` holds the bytes
    as URL-safe base64, and only when `path` does not encode back to them. `folders` lists every
    ancestor folder inside the root. `cluster` lists labels (``"g1/3"``), one per generation that
    the point is part of. `phash` is 16 hex digits, of `phash_version`, and hashes of different
    versions are not compared; `bytes` and `mtime` (seconds since the epoch) are the file's;
    `taken_at` (from EXIF) and `indexed_at` are ISO 8601.
    """

    id: str
    root: str
    path: str
    folders: tuple[str, ...]
    cluster: tuple[str, ...]
    sha256: str
    phash: str
    width: int
    height: int
    format: str
    bytes: int
    mtime: float
    taken_at: str | None
    indexed_at: str
    encoder: str
    path_raw: str | None = None
    phash_version: int = 1

    def relative(self) -> Raw:
        """The path inside the root, as the file system spells it."""
        if self.path_raw is not None:
            return base64.urlsafe_b64decode(self.path_raw)
        return self.path.encode()

    def to_payload(self) -> dict[str, Any]:
        """The payload as the store keeps it: everything but the id; absent values are left out."""
        payload = {
            name: getattr(self, name) for name in _PAYLOAD_FIELDS if getattr(self, name) is not None
        }
        return payload | {"folders": list(self.folders), "cluster": list(self.cluster)}

    @classmethod
    def from_payload(cls, point_id: str, payload: Mapping[str, Any]) -> ImageRecord:
        """The record that `to_payload` wrote; keys of later versions are passed over."""
        known = {name: payload[name] for name in _PAYLOAD_FIELDS if name in payload}
        known |= {"folders": tuple(payload["folders"]), "cluster": tuple(payload["cluster"])}
        return cls(id=point_id, **{"taken_at": None, **known})


_PAYLOAD_FIELDS = tuple(field.name for field in fields(ImageRecord) if field.name != "id")


def record_path(relative: bytes) -> tuple[str, str | None]:
    """`path` and `path_raw` of an `ImageRecord` for a path's raw bytes."""
    shown = shown_path(relative)
    if shown.encode() == relative:
        return shown, None
    return shown, base64.urlsafe_b64encode(relative).decode()


def ancestor_folders(relative: bytes) -> tuple[str, ...]:
    """Every folder above a relative path, nearest last: ``a/b/c.jpg`` gives ``("a", "a/b")``."""
    parts = relative.split(b"/")[:-1]
    return tuple(shown_path(b"/".join(parts[: n + 1])) for n in range(len(parts)))


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """One answer of a search: cosine similarity in [-1, 1]; `record` is None if not asked for."""

    id: str
    score: float
    record: ImageRecord | None


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One point read back by id; `vector` is float32 (512,) or None if not asked for."""

    record: ImageRecord
    vector: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded file. `pixels` has one array per requested `PixelSpec`, in that order.

    `width` and `height` are the picture's as a person sees it, after EXIF orientation. `phash` is
    of the newest version, `old_phash` of version 1, which points of older versions have.
    """

    pixels: tuple[Pixels, ...]
    sha256: str
    phash: str
    old_phash: str
    width: int
    height: int
    format: str
    taken_at: str | None


class Encoder(Protocol):
    """Pixels to embeddings. `id` names the bundle, `spec` the geometry it was trained on."""

    @property
    def id(self) -> str:
        """The bundle's id."""
        ...

    @property
    def spec(self) -> PixelSpec:
        """The geometry of the pixels that `encode` takes."""
        ...

    def encode(self, pixels: Pixels) -> Embeddings:
        """uint8 (n, size, size, 3) to float32 (n, 512) with unit rows."""
        ...


class Stage(Protocol):
    """One stage of a long task, as the person who waits sees it."""

    def advance(self, n: int = 1) -> None:
        """`n` more of the stage's units are done."""
        ...

    def note(self, text: str) -> None:
        """A short remark shown beside the bar, such as the last loss."""
        ...


class Progress(Protocol):
    """How long tasks report; a terminal, a log or nothing stands behind it."""

    def stage(self, name: str, total: int | None) -> AbstractContextManager[Stage]:
        """Start a stage of `total` units (None: unknown); it ends with the context."""
        ...

    def say(self, text: str) -> None:
        """One line for the person who waits."""
        ...


def absolute_path(root: str | os.PathLike[str], record: ImageRecord) -> str:
    """Where the picture lies, given the folder its root id stands for."""
    return os.fsdecode(os.path.join(os.fsencode(root), record.relative()))
