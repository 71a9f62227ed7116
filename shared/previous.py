"""The pair that answered before an upgrade, kept true for a while so that it can answer again.

`previous.json` beside `current.json` names it, and until when its collection is kept.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from shared.errors import ModelError
from shared.files import write_json
from shared.models import FORMAT_VERSION, Models, Pair

FILE_NAME = "previous.json"


@dataclass(frozen=True, slots=True)
class Previous:
    """A pair whose collection is still kept, until a time in seconds since 1970 (UTC)."""

    pair: Pair
    until: float

    @property
    def is_over(self) -> bool:
        """Whether its time has passed."""
        return time.time() >= self.until


def read_previous(models: Models) -> Previous | None:
    """What is kept beside the current pair, also when its time is over; None if nothing is.

    Raises `ModelError` for a file that cannot be read.
    """
    path = models.root / FILE_NAME
    try:
        value = json.loads(path.read_bytes())
        if value["format"] != FORMAT_VERSION:
            raise ModelError(
                f"{path} has format {value['format']!r}, this program reads {FORMAT_VERSION}: "
                "use the version that made it, or delete it"
            )
        pair = Pair(str(value["encoder"]), str(value["generation"]))
        return Previous(pair, float(value["until"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {error}: delete it") from error


def keep_previous(models: Models, pair: Pair, seconds: float) -> None:
    """Keep this pair for so long from now on; it takes the place of what was kept before."""
    value = {
        "format": FORMAT_VERSION,
        "encoder": pair.encoder,
        "generation": pair.generation,
        "until": time.time() + seconds,
    }
    write_json(models.root / FILE_NAME, value)


def forget_previous(models: Models) -> None:
    """Keep nothing beside the current pair any more."""
    (models.root / FILE_NAME).unlink(missing_ok=True)
