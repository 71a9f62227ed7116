"""How many event streams are open; each costs a connection for as long as its page is."""

from __future__ import annotations

from collections.abc import AsyncIterator


class Streams:
    """Counts streams up to `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.open = 0

    def enter(self) -> bool:
        """Take a place; False if there is none."""
        if self.open >= self._most:
            return False
        self.open += 1
        return True

    async def counted(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The stream; its place is free again when it ends."""
        try:
            async for part in stream:
                yield part
        finally:
            self.open -= 1
