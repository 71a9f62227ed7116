"""A collection's parameters as the server tells them: what was asked for over its defaults."""

from __future__ import annotations

import copy
from typing import Any

DEFAULTS: dict[str, Any] = {
    "params": {
        "shard_number": 1,
        "replication_factor": 1,
        "write_consistency_factor": 1,
        "on_disk_payload": True,
    },
    "hnsw_config": {
        "m": 16,
        "ef_construct": 100,
        "full_scan_threshold": 10000,
        "max_indexing_threads": 0,
        "on_disk": False,
    },
    "optimizer_config": {
        "deleted_threshold": 0.2,
        "vacuum_min_vector_number": 1000,
        "default_segment_number": 0,
        "max_segment_size": None,
        "memmap_threshold": None,
        "indexing_threshold": 10000,
        "flush_interval_sec": 5,
        "max_optimization_threads": None,
    },
    "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1},
    "quantization_config": None,
}
_PARAMETERS = (
    "vectors",
    "sparse_vectors",
    "shard_number",
    "sharding_method",
    "replication_factor",
    "write_consistency_factor",
    "read_fan_out_factor",
    "on_disk_payload",
)
_SECTIONS = {
    "hnsw_config": "hnsw_config",
    "optimizers_config": "optimizer_config",
    "wal_config": "wal_config",
    "quantization_config": "quantization_config",
    "strict_mode_config": "strict_mode_config",
    "metadata": "metadata",
}
"""Names in the request that makes a collection, and in the answer that describes it."""


def described(made: dict[str, Any], indexes: dict[str, Any], count: int) -> dict[str, Any]:
    """The answer to `GET /collections/{name}`."""
    config = copy.deepcopy(DEFAULTS)
    asked = _filled(made)
    config["params"] |= {key: asked[key] for key in _PARAMETERS if key in asked}
    for asked_as, told_as in _SECTIONS.items():
        if asked_as in asked:
            known = config.get(told_as)
            config[told_as] = known | asked[asked_as] if known else asked[asked_as]
    return {
        "status": "green",
        "optimizer_status": "ok",
        "indexed_vectors_count": 0,
        "points_count": count,
        "segments_count": 1,
        "config": config,
        "payload_schema": indexes,
    }


def merged(made: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The parameters after a change: sections field by field, `Disabled` takes one away."""
    result = copy.deepcopy(made)
    change = _filled(change)
    for key, value in (change.pop("params", {}) | change).items():
        held = result.get(key)
        if key == "quantization_config":
            result[key] = None if value == "Disabled" else value
        elif isinstance(held, dict) and isinstance(value, dict):
            result[key] = merged(held, value)
        else:
            result[key] = value
    return result


def _filled(value: Any) -> Any:
    """Without the fields that say nothing."""
    if isinstance(value, dict):
        return {key: _filled(part) for key, part in value.items() if part is not None}
    return value
