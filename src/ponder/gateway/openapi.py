"""The OpenAPI document: what the gateway itself takes and gives. Requests that pass through may hold more."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from ponder import __version__
from ponder.gateway.wire import ChatRequest, TextRequest

__all__ = ["document"]

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}

_USAGE = {
    "type": "object",
    "required": ["prompt_tokens", "completion_tokens", "total_tokens"],
    "properties": {
        name: {"type": "integer", "minimum": 0} for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    },
}

_COMPLETION = {
    "type": "object",
    "required": ["choices"],
    "properties": {
        "id": {"type": "string"},
        "object": {"type": "string"},
        "created": {"type": "integer"},
        "model": {"type": "string"},
        "choices": {"type": "array", "items": {"type": "object"}},
        "usage": _USAGE,
        "ponder": {"type": "object", "description": "The run: strategy, votes, confidence, why it stopped, price."},
    },
}

_MODELS = {
    "type": "object",
    "required": ["object", "data"],
    "properties": {
        "object": {"const": "list"},
        "data": {"type": "array", "items": {"type": "object", "required": ["id", "object"]}},
    },
}

_RUN = {
    "type": "object",
    "required": ["id", "object", "status", "strategy", "model"],
    "properties": {
        "id": {"type": "string"},
        "status": {"enum": ["running", "done", "interrupted", "failed"]},
        "strategy": {"type": "string"},
        "model": {"type": "string"},
        "bill": {"type": "object"},
        "branches": {"type": "array", "items": {"type": "object"}},
        "stopped_because": {"type": "string"},
    },
}

_HEADERS = (
    ("Idempotency-Key", {"type": "string", "minLength": 1}, "The same key gives the same run."),
    (
        "x-ponder-deadline",
        {"type": "number", "exclusiveMinimum": 0, "maximum": 86_400},
        "Seconds by which an answer has to be there, the best there is.",
    ),
)


@cache
def document() -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    kinds = (ChatRequest, TextRequest)
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    chat, text = schemas
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ponder",
            "version": __version__,
            "description": "The chat API with better answers behind it: name a model ponder/STRATEGY/MODEL.",
        },
        "paths": {
            "/v1/chat/completions": {"post": _completion("createChatCompletion", chat)},
            "/v1/completions": {"post": _completion("createCompletion", text)},
            "/v1/models": {"get": _look("listModels", _MODELS)},
            "/v1/runs/{id}": {"get": {**_look("getRun", _RUN), "parameters": [_parameter("id", "path", _ID)]}},
        },
        "components": {
            "schemas": {**components, "Error": _ERROR},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}, {}],
    }


_ID = {"type": "string", "minLength": 1}


def _parameter(name: str, place: str, schema: Any, description: str = "") -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": description}


def _completion(name: str, schema: Any) -> dict[str, Any]:
    stream = {"schema": {"type": "string", "description": "Server-sent events, the last of them [DONE]."}}
    return {
        "operationId": name,
        "parameters": [_parameter(header, "header", kind, what) for header, kind, what in _HEADERS],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": _responses({"application/json": {"schema": _COMPLETION}, "text/event-stream": stream}),
    }


def _look(name: str, schema: Any) -> dict[str, Any]:
    return {"operationId": name, "responses": _responses({"application/json": {"schema": schema}})}


def _responses(content: Any) -> dict[str, Any]:
    error = {"description": "What went wrong.", "content": {"application/json": {"schema": _ERROR_REFERENCE}}}
    return {"200": {"description": "The answer.", "content": content}, "4XX": error, "5XX": error}


_ERROR_REFERENCE = {"$ref": "#/components/schemas/Error"}
