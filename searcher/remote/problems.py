"""What a service says when it does not answer: problem documents (RFC 9457)."""

from __future__ import annotations

from searcher.remote.connection import Reply
from searcher.remote.shape import Shape
from shared.errors import ImageRefused, ImageUnknown, LookalikeError, QueryError, ServiceError

_LONGEST = 1_000


class UploadRefused(ImageRefused):
    """A service takes no question of so many bytes; the home behind it may take it."""


def sentence(reply: Reply) -> str | None:
    """The `detail` of a problem, on one line; None if the reply is no problem document."""
    try:
        detail = Shape.read(reply.body, "the problem").text("detail")
    except ServiceError:
        return None
    return " ".join(detail[:_LONGEST].split()) or None


def refusal(reply: Reply) -> LookalikeError | None:
    """The error about the question itself, in the words of whoever raised it; None for a problem of
    another kind, which the next question would meet as well."""
    said = sentence(reply)
    if said is None:
        return None
    match reply.status:
        case 404:
            return ImageUnknown(said)
        case 413:
            return UploadRefused(said)
        case 422 if "errors" not in Shape.read(reply.body, "the problem").values:
            return QueryError(said)
    return None
