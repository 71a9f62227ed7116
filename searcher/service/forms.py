"""The schemas of forms: the options of a question as text, and pictures."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from searcher.service.bodies import FormQuestion, Options
from searcher.service.policy import Policy


def question(policy: Policy) -> dict[str, Any]:
    """A form that is one question, with at least one picture or id to be like."""
    schema = _schema(FormQuestion, {"image": policy.examples, "not_image": policy.examples})
    some = {
        name: {"required": [name], "properties": {name: {"minItems": 1}}}
        for name in ("image", "ids")
    }
    return schema | {"anyOf": list(some.values())}


def batch(policy: Policy) -> dict[str, Any]:
    """A form whose every picture is a question."""
    schema = _schema(Options, {"image": policy.batch}) | {"required": ["image"]}
    schema["properties"]["image"]["minItems"] = 1
    return schema


def _schema(options: type[BaseModel], files: dict[str, int]) -> dict[str, Any]:
    """The options, and files with the most there may be of each."""
    schema = options.model_json_schema()
    del schema["description"]
    schema["properties"] = {
        **{name: _as_text(value) for name, value in schema["properties"].items()},
        **{name: _files(most) for name, most in files.items()},
    }
    return schema


def _as_text(schema: dict[str, Any]) -> dict[str, Any]:
    """A field of a form is there or not; it cannot be null."""
    choices = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return rest | choices[0] if len(choices) == 1 else schema


def _files(most: int) -> dict[str, Any]:
    file = {"type": "string", "format": "binary"}
    return {"type": "array", "items": file, "maxItems": most}
