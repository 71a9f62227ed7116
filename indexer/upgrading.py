"""Moving to another encoder while the one of before answers, and back again.

Everything lies in three small files of the models folder: `current`, `next` and `previous`. The
indexer keeps the collections of all three true, so that moving is one atomic change of names, and
moving back is another.
"""

from __future__ import annotations

from typing import Any

from indexer.database import Database
from indexer.journal import Journal
from shared.errors import ModelError
from shared.models import Models, Pair
from shared.previous import forget_previous, keep_previous, read_previous
from shared.settings import Settings


def begin(models: Models, encoder: str | None) -> Pair:
    """The pair to move to: the one that waits, or the newest clustering of a known encoder, named
    by the beginning of its id, which waits from now on.

    Raises `ModelError` if there is nothing to move to.
    """
    current, following = models.current(), models.next()
    if encoder is None:
        if following is None:
            raise ModelError(
                f"no other encoder waits, {current.encoder} answers: make one with `indexer train` "
                "or name one with --to"
            )
        if following.encoder == current.encoder:
            raise ModelError(
                f"only new clusters wait, {following.generation}: `indexer recluster` moves to them"
            )
        return following
    pair = _known(models, encoder)
    if pair.encoder == current.encoder:
        raise ModelError(f"encoder {pair.encoder} answers already: nothing to do")
    if following is not None and following.encoder not in (pair.encoder, current.encoder):
        raise ModelError(
            f"encoder {following.encoder} waits already: `indexer upgrade` moves to it, --rollback "
            "gives it up"
        )
    if following is None or following.encoder != pair.encoder:
        models.set_next(pair)
    return models.next() or pair


def _known(models: Models, beginning: str) -> Pair:
    """The newest clustering of the one encoder whose id begins so."""
    folder = models.root / "clusterings"
    found = sorted(one.name for one in folder.glob("*") if one.name.startswith(beginning))
    if len(found) != 1:
        known = ", ".join(sorted(one.name for one in folder.glob("*")))
        what = "no encoder" if not found else f"{len(found)} encoders"
        raise ModelError(f"{what} with an id that begins with {beginning!r}: known are {known}")
    generations = [one.name for one in (folder / found[0]).glob("g[1-9]*")]
    if not generations:
        raise ModelError(f"encoder {found[0]} has no clusters: train it again")
    return Pair(found[0], max(generations, key=lambda name: int(name[1:])))


def roll_back(models: Models) -> Pair:
    """Give up the encoder that waits; if none does, let the previous one wait to answer again.

    Returns the pair that shall answer, which for an encoder that was given up does so already.
    Raises `ModelError` if there is nothing to go back to.
    """
    current, following = models.current(), models.next()
    if following is not None and following.encoder != current.encoder:
        models.clear_next()
        return current
    previous = read_previous(models)
    if previous is None or previous.is_over or previous.pair.encoder == current.encoder:
        raise ModelError(
            f"no upgrade is under way and nothing is kept of one before: {current.encoder} answers"
        )
    models.set_next(previous.pair)
    return previous.pair


def switch(models: Models, old: Pair, new: Pair, grace_seconds: float) -> None:
    """Let `new` answer from now on, and keep `old` true for so long; 0 keeps nothing.

    Killed in between, nothing has changed, or `old` is kept as well as being current.
    """
    if grace_seconds > 0:
        keep_previous(models, old, grace_seconds)
    else:
        forget_previous(models)
    models.set_current(new)


def kept_pair(models: Models) -> Pair | None:
    """The previous pair if its collection is to be kept true beside those of current and next."""
    previous = read_previous(models)
    if previous is None or previous.is_over:
        return None
    following = models.next()
    others = {models.current().encoder, following.encoder if following else ""}
    return None if previous.pair.encoder in others else previous.pair


def gather(settings: Settings) -> dict[str, Any]:
    """Where an upgrade stands, as JSON values. Raises `ModelError`, `JournalError`."""
    models = Models(settings.models)
    current, following, previous = models.current(), models.next(), read_previous(models)
    database = Database(settings.journal)
    try:
        journal = Journal(database)
        return {
            "current": _told(current, journal),
            "next": _told(following, journal)
            if following and following.encoder != current.encoder
            else None,
            "lacking": journal.lacking(current.encoder, following.encoder)
            if following and following.encoder != current.encoder
            else None,
            "previous": _told(previous.pair, journal) | {"until": previous.until}
            if previous and not previous.is_over and previous.pair.encoder != current.encoder
            else None,
        }
    finally:
        database.close()


def _told(pair: Pair, journal: Journal) -> dict[str, Any]:
    return {
        "encoder": pair.encoder,
        "generation": pair.generation,
        "images": journal.count_points(pair.encoder),
    }
