"""Reads questions from requests: JSON with ids, or a form with pictures whose fields are text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request as HttpRequest

from searcher.service.asking import Asking, Upload
from searcher.service.bodies import Batch, FormQuestion, Options, Question, asking_of
from searcher.service.guards import is_local_socket
from searcher.service.policy import Policy
from searcher.service.problems import Problem
from shared.report import escape

_LONGEST_NAME = 255
_FIELD_BYTES = 64 * 1024
_FORM, _JSON = "multipart/form-data", "application/json"


async def read_search(http: HttpRequest, policy: Policy) -> tuple[Asking, Options]:
    """The question in a request's body. Raises `Problem`, `ValidationError`, `QueryError`."""
    if _kind(http) == _JSON:
        question = Question.model_validate_json(await http.body(), strict=True)
        return _trusted(question.asking(), http), question
    form, like, unlike = await _read_form(http, policy)
    if not like and not form.ids:
        raise Problem(422, "a question needs an example: give an image or ids")
    if max(len(like), len(unlike)) > policy.examples:
        raise Problem(422, f"a question has at most {policy.examples} pictures of a kind")
    asking = asking_of(form, [*like, *map(str, form.ids)], [*unlike, *map(str, form.not_ids)])
    return _trusted(asking, http), form


async def read_batch(http: HttpRequest, policy: Policy) -> list[tuple[Asking, Options]]:
    """All questions of a request's body: those of the JSON, or one of every picture of a form.

    Raises as `read_search`.
    """
    if _kind(http) == _JSON:
        batch = Batch.model_validate_json(await http.body(), strict=True)
        return [(_trusted(one.asking(), http), one) for one in batch.queries]
    form, like, unlike = await _read_form(http, policy)
    if not like or form.ids or form.not_ids or unlike:
        raise Problem(422, "a batch is a form of pictures, each a question: give image only")
    return [(_trusted(asking_of(form, [one]), http), form) for one in like]


def _kind(http: HttpRequest) -> str:
    kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (_FORM, _JSON):
        raise Problem(415, f"the body is {escape(kind) or 'of no kind'}: send {_FORM} or {_JSON}")
    return kind


async def _read_form(
    http: HttpRequest, policy: Policy
) -> tuple[FormQuestion, list[Upload], list[Upload]]:
    """The fields of a form and its pictures, to be like and unlike."""
    most = max(policy.examples, policy.batch)
    async with http.form(max_files=most, max_fields=most, max_part_size=_FIELD_BYTES) as form:
        fields = FormQuestion.model_validate(_fields(form))
        return fields, await _uploads(form, "image"), await _uploads(form, "not_image")


def _trusted(asking: Asking, http: HttpRequest) -> Asking:
    """Without device and inode from another machine, where they may be those of another file."""
    return asking if is_local_socket(http.scope) else asking.without_files()


_LISTS = ("ids", "not_ids", "where", "own_ids", "own_files")
_FILES = ("image", "not_image")
_FLAGS = ("verify", "explain", "records", "self")


def _fields(form: FormData) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name, value in form.multi_items():
        if name in _FILES:
            continue
        if not isinstance(value, str):
            raise Problem(422, f"the field {escape(name)[:40]} is no file: send text")
        if name in _LISTS:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise Problem(422, f"the field {escape(name)[:40]} is given twice")
        else:
            found[name] = _value(name, value)
    return found


def _value(name: str, text: str) -> str | int | bool:
    """The text of a field as JSON has it, where it could be taken for something else."""
    if name == "probes" and re.fullmatch("[0-9]{1,9}", text):
        return int(text)
    if name in _FLAGS:
        return {"true": True, "false": False}.get(text, text)
    return text


async def _uploads(form: FormData, name: str) -> list[Upload]:
    found = []
    for part in form.getlist(name):
        if not isinstance(part, UploadFile):
            raise Problem(422, f"the field {name} is text: send a file")
        found.append(Upload(_shown(part.filename), await part.read()))
    return found


def _shown(name: str | None) -> str:
    """What an upload is called: the last part of its name, which is never used as a path."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return escape(last)[:_LONGEST_NAME] or "upload"
