"""What becomes of a model that was just made: it answers at once, or after it has been filled."""

from __future__ import annotations

import contextlib

from indexer.database import Database
from indexer.journal import Journal
from shared.errors import NoModel, StoreError, StoreMissing
from shared.models import Models, Pair
from shared.settings import Settings
from shared.store.hub import open_store


def make_current_or_next(settings: Settings, pair: Pair) -> bool:
    """Make the pair current, or the next one where points answer already; whether it waits.

    Raises `ModelError`, `JournalError`.
    """
    models = Models(settings.models)
    try:
        answering = models.current()
    except NoModel:
        models.set_current(pair)
        return False
    if _may_answer(settings, answering):
        models.set_next(pair)
        return True
    models.set_current(pair)
    return False


def _may_answer(settings: Settings, pair: Pair) -> bool:
    """Whether points may answer with a pair. On a server they may be those of other indexers, and
    where that does not tell, it is taken for granted."""
    if settings.qdrant_urls:
        try:
            with contextlib.closing(open_store(settings, pair.encoder)) as store:
                return store.count() > 0
        except StoreMissing:
            return False
        except StoreError:
            return True
    if not settings.journal.exists():
        return False
    database = Database(settings.journal)
    try:
        return Journal(database).count_points(pair.encoder) > 0
    finally:
        database.close()
