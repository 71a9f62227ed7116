"""What becomes of a model that was just made: it answers at once, or after it has been filled."""

from __future__ import annotations

from indexer.database import Database
from indexer.journal import Journal
from shared.errors import NoModel
from shared.models import Models, Pair
from shared.settings import Settings


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
    points = 0
    if settings.journal.exists():
        database = Database(settings.journal)
        points = Journal(database).count_points(answering.encoder)
        database.close()
    if points:
        models.set_next(pair)
        return True
    models.set_current(pair)
    return False
