"""The Pinning Service API 1.0.0, described anew as OpenAPI 3: paths, shapes, limits.

https://ipfs.github.io/pinning-services-api-spec/. What a server must answer and a
client may ask; the tests hold both to it.
"""

STATES = ["queued", "pinning", "pinned", "failed"]
CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"


def _ref(name):
    return {"$ref": f"#/components/schemas/{name}"}


def _body(name):
    return {"application/json": {"schema": _ref(name)}}


def _answers(status, name=None):
    good = {"description": "done"}
    if name is not None:
        good["content"] = _body(name)
    failures = {
        code: {"description": "refused", "content": _body("Failure")}
        for code in ("400", "401", "404", "409", "4XX", "5XX")
    }
    return {status: good, **failures}


_REQUEST_ID = {
    "name": "requestid",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
}
_PIN_BODY = {"required": True, "content": _body("Pin")}
_ADDRESSES = {
    "type": "array",
    "items": {"type": "string"},
    "uniqueItems": True,
    "maxItems": 20,
}


def _query(name, schema, **more):
    return {"name": name, "in": "query", "schema": schema, **more}


_FILTERS = [
    _query(
        "cid",
        {"type": "array", "items": {"type": "string"}, "maxItems": 10},
        style="form",
        explode=False,
    ),
    _query("name", {"type": "string", "maxLength": 255}),
    _query("match", {"enum": ["exact", "iexact", "partial", "ipartial"]}),
    _query(
        "status",
        {"type": "array", "items": {"enum": STATES}, "minItems": 1},
        style="form",
        explode=False,
    ),
    _query("before", {"type": "string", "format": "date-time"}),
    _query("after", {"type": "string", "format": "date-time"}),
    _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
]

DESCRIPTION = {
    "openapi": "3.0.3",
    "info": {"title": "IPFS Pinning Service API", "version": "1.0.0"},
    "security": [{"accessToken": []}],
    "paths": {
        "/pins": {
            "get": {"parameters": _FILTERS, "responses": _answers("200", "PinResults")},
            "post": {
                "requestBody": _PIN_BODY,
                "responses": _answers("202", "PinStatus"),
            },
        },
        "/pins/{requestid}": {
            "parameters": [_REQUEST_ID],
            "get": {"responses": _answers("200", "PinStatus")},
            "post": {
                "requestBody": _PIN_BODY,
                "responses": _answers("202", "PinStatus"),
            },
            "delete": {"responses": _answers("202")},
        },
    },
    "components": {
        "securitySchemes": {"accessToken": {"type": "http", "scheme": "bearer"}},
        "schemas": {
            "Pin": {
                "type": "object",
                "required": ["cid"],
                "properties": {
                    "cid": {"type": "string", "pattern": "^[A-Za-z0-9]{1,128}$"},
                    "name": {"type": "string", "maxLength": 255},
                    "origins": _ADDRESSES,
                    "meta": {
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                    },
                },
            },
            "PinStatus": {
                "type": "object",
                "required": ["requestid", "status", "created", "pin", "delegates"],
                "properties": {
                    "requestid": {"type": "string"},
                    "status": {"enum": STATES},
                    "created": {"type": "string", "format": "date-time"},
                    "pin": _ref("Pin"),
                    "delegates": {**_ADDRESSES, "minItems": 1},
                    "info": {
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                    },
                },
            },
            "PinResults": {
                "type": "object",
                "required": ["count", "results"],
                "properties": {
                    "count": {"type": "integer", "minimum": 0},
                    "results": {
                        "type": "array",
                        "items": _ref("PinStatus"),
                        "maxItems": 1000,
                    },
                },
            },
            "Failure": {
                "type": "object",
                "required": ["error"],
                "properties": {
                    "error": {
                        "type": "object",
                        "required": ["reason"],
                        "properties": {
                            "reason": {"type": "string"},
                            "details": {"type": "string"},
                        },
                    }
                },
            },
        },
    },
}
