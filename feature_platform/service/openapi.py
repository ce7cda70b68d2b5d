"""The HTTP door described as OpenAPI 3.1, at /openapi.json."""

from importlib.metadata import version
from typing import Any

from feature_platform.service.json_request import FIELDS
from feature_platform.service_settings import ServiceSettings

_KEY = {"type": ["integer", "string"]}
_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}
_TEXTS = {"type": "array", "items": _TEXT}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "list": _TEXT,
    "version": _WHOLE,
    "features": _TEXTS,
    "kinds": _TEXTS,
    "entities": {
        "type": "object",
        "additionalProperties": {"oneOf": [_KEY, {"type": "array", "items": _KEY}]},
    },
    "at": {"type": ["integer", "string"]},
    "deadline_ms": {"type": "number"},
    "layout": {"enum": ["rows", "columns"]},
    "states": {"type": "boolean"},
}
_ABOUT = {
    "list": "The name of a stored feature list; or send `features`.",
    "version": "Of the list; without it the newest.",
    "features": "Names such as post_engagement.views_30m, instead of a list.",
    "kinds": "Only the columns about these kinds of entity.",
    "entities": "By kind of entity one key for all rows, or a list with a key for each row.",
    "at": "A past time instead of now, epoch milliseconds or ISO-8601.",
    "deadline_ms": "Milliseconds from now after which the answer is of no use.",
    "layout": "`rows`: an object for each row. `columns`: an array for each feature.",
    "states": "Also say of each value why it is there or not.",
}
_ERRORS = {
    "400": "INVALID_ARGUMENT or OUT_OF_RANGE: the request is wrong.",
    "401": "UNAUTHENTICATED: the token is missing or wrong.",
    "404": "NOT_FOUND: an unknown list, version or feature, with the nearest name.",
    "413": "RESOURCE_EXHAUSTED: the body is too large.",
    "429": "RESOURCE_EXHAUSTED: too many requests are under way.",
    "500": "INTERNAL: the service failed.",
    "503": "UNAVAILABLE: the store answered for none of the entities.",
    "504": "DEADLINE_EXCEEDED.",
}


def document(settings: ServiceSettings) -> dict[str, Any]:
    """Return the description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Feature service",
            "version": version("feature-platform"),
            "description": (
                f"At most {settings.entities_max} keys and {settings.message_bytes_max} bytes a "
                f"request; without deadline_ms it has {settings.deadline_ms} ms."
            ),
        },
        "security": [{"token": []}],
        "paths": {
            "/features": {"post": _features()},
            "/lists/{name}": {"get": _list()},
            "/healthz": {"get": _plain("Whether requests should come here; 503 while it ends.")},
            "/metrics": {"get": _plain("Metrics for Prometheus.")},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _error()},
        },
    }


def _features() -> dict[str, Any]:
    properties = {name: {**_SCHEMAS[name], "description": _ABOUT[name]} for name in FIELDS}
    schema = {
        "type": "object",
        "properties": properties,
        "required": ["entities"],
        "additionalProperties": False,
    }
    example = {"list": "feed_ranker", "entities": {"user_id": 17, "post_id": [4711, 4712]}}
    return {
        "summary": "The features of entities",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example}},
        },
        "responses": {"200": _json(_answer()), **_errors()},
    }


def _answer() -> dict[str, Any]:
    row = {
        "entity": _TEXT,
        "entities": {"type": "object", "additionalProperties": _TEXT},
        "status": {"enum": ["ok", "no_data", "unavailable"]},
        "values": {"type": "object"},
        "states": {"type": "object", "additionalProperties": _TEXT},
        "counts_since": {"type": "object", "additionalProperties": _TEXT},
        "error": _TEXT,
    }
    column = {"name": _TEXT, "type": _TEXT, "values": {"type": "array"}, "states": _TEXTS}
    properties = {
        "list": _TEXT,
        "version": _WHOLE,
        "rows": {"type": "array", "items": {"type": "object", "properties": row}},
        "columns": {"type": "array", "items": {"type": "object", "properties": column}},
        "entities": {"type": "object", "additionalProperties": _TEXTS},
        "status": _TEXTS,
        "errors": {"type": "object", "additionalProperties": _TEXT},
    }
    return {"type": "object", "properties": properties}


def _list() -> dict[str, Any]:
    return {
        "summary": "The columns and kinds of entity of a feature list",
        "parameters": [
            {"name": "name", "in": "path", "required": True, "schema": _TEXT},
            {"name": "version", "in": "query", "schema": _WHOLE},
        ],
        "responses": {"200": _json({"type": "object"}), **_errors()},
    }


def _error() -> dict[str, Any]:
    error = {
        "code": {**_TEXT, "description": "As gRPC names it, such as NOT_FOUND."},
        "kind": _TEXT,
        "message": _TEXT,
        "unavailable": _WHOLE,
        "entities": {"type": "object", "additionalProperties": _TEXT},
    }
    return {
        "type": "object",
        "properties": {"error": {"type": "object", "properties": error}},
    }


def _errors() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {
        code: {"description": text, "content": {"application/json": {"schema": schema}}}
        for code, text in _ERRORS.items()
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "The answer.", "content": {"application/json": {"schema": schema}}}


def _plain(summary: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "The answer."}}}
