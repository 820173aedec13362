"""The OpenAPI document: what the gateway itself takes and gives. Requests that pass through may hold more."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from ponder import __version__
from ponder.gateway.wire.bounds import NAME
from ponder.gateway.wire.fields import ChatRequest, TextRequest

__all__ = ["TOLD", "document"]

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

_MODEL = {
    "type": "object",
    "required": ["id", "object"],
    "properties": {"id": {"type": "string"}, "object": {"const": "model"}},
}

_MODELS = {
    "type": "object",
    "required": ["object", "data"],
    "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _MODEL}},
}

_VECTORS = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "array", "items": {"type": "object", "required": ["embedding"]}}},
}

_TEXTS = {
    "type": "object",
    "required": ["model", "input"],
    "properties": {
        "model": {"type": "string", "minLength": 1, "maxLength": NAME},
        "input": {"anyOf": [{"type": "string"}, {"type": "array"}]},
        "ponder": {"type": "null"},
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

_CHECKED = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"enum": ["ok", "slow", "failed"]}, "ms": {"type": "number"}, "error": {"type": "string"}},
}

_HEALTH = {
    "type": "object",
    "required": ["status", "engine", "store", "upstreams"],
    "properties": {
        "status": {"enum": ["ok", "degraded", "down"]},
        "engine": _CHECKED,
        "store": _CHECKED,
        "upstreams": {"type": "object", "additionalProperties": _CHECKED},
    },
}

_READY = {
    "type": "object",
    "required": ["ready", "reasons"],
    "properties": {"ready": {"type": "boolean"}, "reasons": {"type": "array", "items": {"type": "string"}}},
}

_HEADERS = (
    (
        "Idempotency-Key",
        {"type": "string", "maxLength": NAME},
        "The same key gives the same run; an empty one is none.",
    ),
    (
        "x-ponder-deadline",
        {"type": "number", "exclusiveMinimum": 0, "maximum": 86_400},
        "Seconds by which an answer has to be there, the best there is.",
    ),
)


TOLD = {
    "x-ponder-strategy": ("string", "What answered."),
    "x-ponder-confidence": ("number", "The winner's share of the votes."),
    "x-ponder-stopped-because": ("string", "Why it stopped."),
    "x-ponder-overhead-ms": ("number", "Milliseconds in which no call was under way."),
    "x-ponder-usd": ("number", "What it cost, where the price is known."),
    "x-ponder-run": ("string", "The run, for /v1/runs/{id}."),
    "x-ponder-fallback": ("string", "What stood in, and for which upstream."),
}


@cache
def document(*, keyed: bool) -> dict[str, Any]:
    """The document, OpenAPI 3.1; `keyed` says whether requests need a key."""
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
            "/v1/embeddings": {"post": _EMBEDDING},
            "/v1/models": {"get": _look("listModels", _MODELS)},
            "/v1/models/{id}": {"get": {**_look("getModel", _MODEL), "parameters": [_parameter("id", "path", _ID)]}},
            "/health": {"get": _state("getHealth", _HEALTH)},
            "/ready": {"get": _state("getReady", _READY)},
            "/metrics": {"get": _METRICS},
            "/v1/runs/{id}": {"get": {**_look("getRun", _RUN), "parameters": [_parameter("id", "path", _ID)]}},
        },
        "components": {
            "schemas": {**components, "Error": _ERROR},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}] if keyed else [],
    }


_ID = {"type": "string", "minLength": 1}


def _parameter(name: str, place: str, schema: Any, description: str = "") -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": description}


def _completion(name: str, schema: Any) -> dict[str, Any]:
    data = {"type": "string", "description": "A chunk of the completion, an error, or at the end [DONE]."}
    stream = {"schema": {"type": "object", "required": ["data"], "properties": {"data": data}}}
    return {
        "operationId": name,
        "parameters": [_parameter(header, "header", kind, what) for header, kind, what in _HEADERS],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": _responses(
            {"application/json": {"schema": _COMPLETION}, "text/event-stream": stream},
            headers={header: {"schema": {"type": kind}, "description": what} for header, (kind, what) in TOLD.items()},
            links={"run": {"operationId": "getRun", "parameters": {"id": "$response.header.x-ponder-run"}}},
        ),
    }


def _look(name: str, schema: Any) -> dict[str, Any]:
    return {"operationId": name, "responses": _responses({"application/json": {"schema": schema}})}


def _state(name: str, schema: Any) -> dict[str, Any]:
    """What is for everybody; 503 says the same as 200."""
    content = {"application/json": {"schema": schema}}
    responses = {**_responses(content), "503": {"description": "It cannot work now.", "content": content}}
    return {"operationId": name, "security": [], "responses": responses}


def _responses(content: Any, **more: Any) -> dict[str, Any]:
    error = {"description": "What went wrong.", "content": {"application/json": {"schema": _ERROR_REFERENCE}}}
    return {"200": {"description": "The answer.", "content": content, **more}, "4XX": error, "5XX": error}


_ERROR_REFERENCE = {"$ref": "#/components/schemas/Error"}

_METRICS = {
    "operationId": "getMetrics",
    "responses": _responses({"text/plain": {"schema": {"type": "string"}}}),
}

_EMBEDDING = {
    "operationId": "createEmbedding",
    "requestBody": {"required": True, "content": {"application/json": {"schema": _TEXTS}}},
    "responses": _responses({"application/json": {"schema": _VECTORS}}),
}
