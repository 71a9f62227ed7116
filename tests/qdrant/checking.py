"""Whether a request fits Qdrant's own description of its REST interface.

Stricter than the server in one way: it passes over fields that it does not know, here they are a
mistake. A newer client that asks an older server for something must not go unnoticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from tests.qdrant.asking import Asked

DOCUMENT = Path(__file__).with_name("openapi.json")

_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?", re.IGNORECASE
)
"""The document says RFC 3339; the server's documentation lets the zone and the seconds go."""
_FORMATS = {"date-time": lambda text: _DATE.fullmatch(text) is not None}


class Operation:
    """One method of one path, with its schemas."""

    def __init__(self, path: str, described: dict[str, Any], components: dict[str, Any]) -> None:
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))
        self.name: str = described["operationId"]
        self._path = re.compile(pattern)
        self._components = components
        self._parameters = {
            (parameter["in"], parameter["name"]): parameter
            for parameter in described.get("parameters", ())
        }
        content = described.get("requestBody", {}).get("content", {})
        self._body = content.get("application/json", {}).get("schema")

    def match(self, path: str) -> dict[str, str] | None:
        """The parts of the path by name, or None for another path."""
        found = self._path.fullmatch(path)
        return {key: unquote(part) for key, part in found.groupdict().items()} if found else None

    def problems(self, asked: Asked) -> Iterator[str]:
        """What does not fit, in words."""
        for name, text in asked.query.items():
            if ("query", name) not in self._parameters:
                yield f"unknown parameter {name!r}"
            elif not any(self._validators[name].is_valid(value) for value in _readings(text)):
                yield f"parameter {name}={text!r} does not fit"
        for (place, name), parameter in self._parameters.items():
            if place == "query" and parameter.get("required") and name not in asked.query:
                yield f"parameter {name!r} is missing"
        if self._body is None:
            if asked.body is not None:
                yield "has a body, which this route does not take"
        elif not self._body_validator.is_valid(asked.body):
            yield from _explained(self._body_validator, asked.body)

    @cached_property
    def _validators(self) -> dict[str, jsonschema_rs.Draft202012Validator]:
        return {
            name: self._validator(parameter["schema"])
            for (place, name), parameter in self._parameters.items()
            if place == "query"
        }

    @cached_property
    def _body_validator(self) -> jsonschema_rs.Draft202012Validator:
        return self._validator(self._body)

    def _validator(self, schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
        whole = json_schema(schema) | {"components": self._components}
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True, formats=_FORMATS)


class Checks:
    """All operations of the document."""

    def __init__(self, document: Path = DOCUMENT) -> None:
        described = json.loads(document.read_text(encoding="utf-8"))
        components = {
            "schemas": {
                name: json_schema(schema)
                for name, schema in described["components"]["schemas"].items()
            }
        }
        self._operations: dict[str, list[Operation]] = {}
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                one = Operation(path, operation, components)
                # `/collections/aliases` is to be tried before `/collections/{collection_name}`.
                position = 0 if "{" not in path else len(self._operations.get(method, ()))
                self._operations.setdefault(method, []).insert(position, one)

    def find(self, asked: Asked) -> tuple[Operation, dict[str, str]] | None:
        """The operation that is asked for and the parts of its path, or None."""
        for operation in self._operations.get(asked.method.lower(), ()):
            parts = operation.match(asked.path)
            if parts is not None:
                return operation, parts
        return None


def json_schema(schema: Any) -> Any:
    """An OpenAPI 3.0 schema as JSON Schema: nullable made a type, objects closed."""
    if isinstance(schema, list):
        return [json_schema(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: json_schema(value) for key, value in schema.items() if key != "nullable"}
    if "properties" in schema:
        made["properties"] = {key: json_schema(part) for key, part in schema["properties"].items()}
        if schema.get("type") == "object":
            made.setdefault("additionalProperties", False)
    if "oneOf" in made:  # the server takes the first that fits, it does not mind a second
        made["anyOf"] = made.pop("oneOf")
    if schema.get("nullable") is True:
        return {"anyOf": [made, {"type": "null"}]} if made else {"type": "null"}
    return made


def _readings(text: str) -> Iterator[Any]:
    """What the text of a parameter may stand for."""
    yield text
    if text in ("true", "false"):
        yield text == "true"
    if re.fullmatch(r"-?\d+", text):
        yield int(text)


def _explained(validator: jsonschema_rs.Draft202012Validator, body: Any) -> Iterator[str]:
    for error in validator.iter_errors(body):
        place = "/".join(map(str, error.instance_path)) or "body"
        yield f"{place}: {_short(error.message)}"


def _short(text: str, most: int = 300) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"
