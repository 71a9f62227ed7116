"""The exception tree. Every message is one line: what failed, the value received, what to do.

LookalikeError
├── SettingsError       a flag, an environment variable or the settings file
├── ImageRefused        one picture that cannot be decoded; costs that picture only
│   └── ImageChanged    the file changed while it was read; try it again later
├── QueryError          a question that cannot be asked (no such file, a URL that fails)
│   └── ImageUnknown    no indexed image has the id
├── NotReady            nothing can be searched yet, an indexer is at work
├── ServiceError        a search service that cannot be reached or does not answer as one
├── ModelError          a bundle or clustering that is missing, damaged or of another version
│   └── NoModel         nothing has been trained yet
├── StoreError          the vector store failed
│   ├── StoreBusy       another process holds the embedded store and did not let go in time
│   ├── StoreMissing    the collection does not exist
│   ├── StoreAway       a Qdrant server does not answer, or asks to come back later
│   ├── StoreRefused    a Qdrant server that cannot be used: wrong key, version, collection
│   └── VectorRefused   a vector that is not finite, not unit or of another length
├── JournalError        the journal cannot be opened, read or written
├── RootError           a watched folder that cannot be used
├── AlreadyRunning      another indexer works on this home
├── DiskFull            less free space than the mark that protects the store
├── LabelsError         a table of labels that cannot be used
└── TrainingError       too few images, no readable image, the extra is missing, ...
"""

from __future__ import annotations


class LookalikeError(Exception):
    """Root of all errors that Lookalike raises on purpose; `str()` is the line a user reads."""


class SettingsError(LookalikeError):
    """A setting has an unknown name or a value that cannot be used."""


class ImageRefused(LookalikeError):
    """A picture cannot be used; the message is the reason, without the path."""


class ImageChanged(ImageRefused):
    """The file changed between the start and the end of reading it."""


class ImageUnreadable(ImageRefused):
    """The file could not be read now, whatever it holds: try again later."""


class QueryError(LookalikeError):
    """A query cannot be asked."""


class ImageUnknown(QueryError):
    """No indexed image has the id that was given; it may have been deleted since."""


class ServiceError(LookalikeError):
    """A search service cannot be reached, does not answer, or does not answer as one."""


class ModelError(LookalikeError):
    """A model on disk is missing, damaged, or of a version this program does not read."""


class NoModel(ModelError):
    """No encoder and clustering are current in this home."""


class NotReady(LookalikeError):
    """Nothing can be searched yet; the message says what the indexer at work is doing."""


class StoreError(LookalikeError):
    """The vector store failed; the cause is chained."""


class StoreBusy(StoreError):
    """The embedded store is held by another process."""


class StoreMissing(StoreError):
    """The collection does not exist in the store."""


class StoreAway(StoreError):
    """A Qdrant server does not answer, or not now; what was asked may be asked again.

    `seconds`: how long it asked to be left alone, if it said so.
    """

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class StoreRefused(StoreError):
    """A Qdrant server, or a collection on it, cannot be used: only a person can change that."""


class VectorRefused(StoreError):
    """A vector has the wrong shape, is not finite, or is not of unit length."""


class JournalError(LookalikeError):
    """The journal cannot be opened, read or written."""


class RootError(LookalikeError):
    """A folder cannot be watched: missing, not a folder, or inside another root."""


class AlreadyRunning(LookalikeError):
    """Another indexer process works on this home."""


class DiskFull(LookalikeError):
    """Free space fell below the mark that protects store and journal."""


class LabelsError(LookalikeError):
    """A table of labels cannot be read, lacks a column, or contradicts itself."""


class TrainingError(LookalikeError):
    """Training cannot start or cannot finish."""
