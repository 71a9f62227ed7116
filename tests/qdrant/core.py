"""The store behind both faces: qdrant-client's local mode, made to answer as the server would."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from qdrant_client import models
from qdrant_client.local import json_path_parser, payload_value_extractor
from qdrant_client.local.local_collection import LocalCollection
from qdrant_client.local.qdrant_local import QdrantLocal

from tests.qdrant.asking import Refusal
from tests.qdrant.describing import described, merged
from tests.qdrant.keeping import OneCommit, Parameters

# Local mode parses the path of a condition anew for every point, a third of a search's time.
payload_value_extractor.parse_json_path = lru_cache(  # type: ignore[attr-defined]
    json_path_parser.parse_json_path
)


class Core:
    """All collections. One request after another: local mode is not safe for threads."""

    def __init__(self, storage: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._local = QdrantLocal(
            str(storage) if storage else ":memory:", force_disable_check_same_thread=True
        )
        self._parameters = Parameters(storage)
        self._operations = 0
        self.facets: dict[tuple[str, str], set[Any]] = {}
        for collection in self._local.collections.values():
            _commit_once(collection)

    def close(self) -> None:
        """Let go of the folder."""
        with self._lock:
            self._local.close()

    def create(self, name: str, body: dict[str, Any]) -> None:
        """Make a collection with the body of the request that asks for it."""
        with self._lock, refusing():
            if self._local.collection_exists(name):
                raise Refusal(409, f"Wrong input: Collection `{name}` already exists!")
            asked = models.CreateCollection(**body)
            # What is remembered of a collection that is not made does no harm; the other way
            # round, a process killed in between would have one without its parameters.
            self._parameters.made[name] = body
            self._parameters.indexes[name] = {}
            self._parameters.save()
            self._local.create_collection(
                name, asked.vectors, asked.sparse_vectors, metadata=asked.metadata
            )
            _commit_once(self._local.collections[name])

    def update(self, name: str, body: dict[str, Any]) -> None:
        """Change parameters of a collection."""
        with self._lock:
            name = self._real(name)
            self._parameters.made[name] = merged(self._parameters.made[name], body)
            self._parameters.save()

    def drop(self, name: str) -> bool:
        """Delete a collection and its aliases; whether there was one."""
        with self._lock:
            existed = self._local.delete_collection(name)
            self._parameters.made.pop(name, None)
            self._parameters.indexes.pop(name, None)
            self._parameters.save()
            return existed

    def names(self) -> list[str]:
        """The collections, not the aliases."""
        with self._lock:
            return list(self._local.collections)

    def exists(self, name: str) -> bool:
        """Whether a collection or an alias is called so."""
        with self._lock:
            return self._local.collection_exists(name)

    def info(self, name: str) -> dict[str, Any]:
        """A collection as the server describes it."""
        with self._lock:
            name = self._real(name)
            indexes = {
                field: {**_index(schema), "points": self._having(name, field)}
                for field, schema in self._parameters.indexes[name].items()
            }
            count = self._local.count(name).count
            return described(self._parameters.made[name], indexes, count)

    def index(self, name: str, field: str, schema: Any) -> None:
        """Make a payload index."""
        with self._lock:
            self._parameters.indexes[self._real(name)][field] = schema
            self._parameters.save()

    def unindex(self, name: str, field: str) -> None:
        """Drop a payload index; one that is not there is passed over."""
        with self._lock:
            self._parameters.indexes[self._real(name)].pop(field, None)
            self._parameters.save()

    def change_aliases(self, actions: list[dict[str, Any]]) -> None:
        """Carry out all actions or none."""
        with self._lock, refusing():
            changes = models.ChangeAliasesOperation(actions=actions)  # type: ignore[arg-type]
            for change in changes.actions:
                if isinstance(change, models.CreateAliasOperation):
                    self._may_alias(change.create_alias)
            self._local.update_collection_aliases(changes.actions)

    def aliases(self, name: str | None = None) -> list[dict[str, str]]:
        """All aliases, or those of one collection."""
        with self._lock:
            return [
                {"alias_name": alias, "collection_name": collection}
                for alias, collection in self._local.aliases.items()
                if name in (None, collection)
            ]

    def write(self, name: str, operations: list[dict[str, Any]]) -> list[int]:
        """Carry out point operations, each as in a batch; their numbers."""
        with self._lock, refusing():
            collection = self._local.collections[self._real(name)]
            changes = models.UpdateOperations(operations=operations)  # type: ignore[arg-type]
            try:
                collection.batch_update_points(changes.operations)
            finally:
                # What an operation has done before it fails stays done, on the server as well.
                if collection.storage is not None:
                    collection.storage.storage.commit()
            self._operations += len(operations)
            return list(range(self._operations - len(operations), self._operations))

    @contextmanager
    def reading(self, name: str) -> Iterator[tuple[LocalCollection, QdrantLocal, str]]:
        """A collection to read from, local mode as a whole, and the collection's own name."""
        with self._lock, refusing():
            name = self._real(name)
            yield self._local.collections[name], self._local, name

    def indexed(self, name: str, field: str) -> str | None:
        """The type of a field's payload index."""
        with self._lock:
            schema = self._parameters.indexes[self._real(name)].get(field)
            return None if schema is None else str(_index(schema)["data_type"])

    def halves(self, name: str) -> bool:
        """Whether any vector of the collection is kept in half precision."""
        with self._lock:
            vectors = models.CreateCollection(**self._parameters.made[self._real(name)]).vectors
            several = vectors if isinstance(vectors, dict) else {"": vectors}
            kept = {vector.datatype for vector in several.values() if vector is not None}
            return models.Datatype.FLOAT16 in kept

    def _real(self, name: str) -> str:
        real = self._local.aliases.get(name, name)
        if real not in self._local.collections:
            raise Refusal(404, f"Not found: Collection `{name}` doesn't exist!")
        return real

    def _may_alias(self, wanted: models.CreateAlias) -> None:
        if wanted.alias_name in self._local.collections:
            raise Refusal(409, f"Wrong input: Collection `{wanted.alias_name}` already exists!")
        if wanted.collection_name not in self._local.collections:
            raise Refusal(404, f"Not found: Collection `{wanted.collection_name}` doesn't exist!")

    def _having(self, name: str, field: str) -> int:
        collection = self._local.collections[name]
        empty = models.IsEmptyCondition(is_empty=models.PayloadField(key=field))
        return int(collection.count(models.Filter(must_not=[empty])).count)


@contextmanager
def refusing() -> Iterator[None]:
    """Local mode's errors as the server's."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Refusal(400, f"Format error in JSON body: {place}: {first['msg']}") from error
    except KeyError as error:
        raise Refusal(404, f"Not found: No point with id {error.args[0]} found") from error
    except (ValueError, AssertionError) as error:
        raise Refusal(400, f"Wrong input: {str(error).removeprefix('Wrong input: ')}") from error


def _index(schema: Any) -> dict[str, Any]:
    if isinstance(schema, str):
        return {"data_type": schema}
    return {"data_type": schema["type"], "params": schema}


def _commit_once(collection: LocalCollection) -> None:
    if collection.storage is not None:
        once: Any = OneCommit(collection.storage.storage)
        collection.storage.storage = once
