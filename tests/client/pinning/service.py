"""A pinning service in memory, made from the API's description; it pins nothing."""

import contextlib
import datetime as dt
import json
import re
import threading

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flair_client.serving import listen, url_of

TOKEN = "let-me-in"
DELEGATE = "/dnsaddr/pins.test/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb"
_STATES = ("queued", "pinning", "pinned", "failed")
_CID = re.compile(r"[A-Za-z0-9]{1,128}")
_FIRST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Refusal(Exception):
    """An answer that is none."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


class Service:
    """Keeps pins in a dictionary.

    Attributes:
        steps: the states that a new pin goes through, one for each look at it.
        trouble: (status, headers) of the next answers, instead of a true one.
        asked: (method, path) of every question.
        bodies: of every question that has one.
    """

    def __init__(self, steps=("queued", "pinning", "pinned")):
        self.steps = steps
        self.pins = {}
        self.trouble = []
        self.asked = []
        self.bodies = []
        self._left = {}

    def app(self):
        async def answer(request):
            body = await request.body()
            try:
                return self.answer(request, body)
            except Refusal as exc:
                error = {"error": {"reason": "REFUSED", "details": str(exc)}}
                return JSONResponse(error, exc.status)

        methods = ["GET", "POST"]
        return Starlette(
            routes=[
                Route("/pins", answer, methods=methods),
                Route("/pins/{requestid:path}", answer, methods=[*methods, "DELETE"]),
            ]
        )

    def answer(self, request, body):
        self.asked.append((request.method, request.url.path))
        if self.trouble:
            status, headers = self.trouble.pop(0)
            return Response(b"<html>busy", status, headers)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Refusal(401, "no such token")
        request_id = request.path_params.get("requestid")
        if request_id is None:
            if request.method == "GET":
                return JSONResponse(self.list(request.query_params))
            return JSONResponse(self.add(_pin(body), self.bodies), 202)
        if request_id not in self.pins:
            raise Refusal(404, "no such pin")
        if request.method == "DELETE":
            del self.pins[request_id]
            return Response(status_code=202)
        if request.method == "POST":
            made = self.add(_pin(body), self.bodies)
            del self.pins[request_id]
            return JSONResponse(made, 202)
        return JSONResponse(self.step(request_id))

    def add(self, pin, bodies=None):
        if bodies is not None:
            bodies.append(pin)
        n = len(self._left)
        created = _FIRST + dt.timedelta(seconds=n)
        made = {
            "requestid": f"r{n}/a b",
            "status": self.steps[0],
            "created": created.isoformat().replace("+00:00", "Z"),
            "pin": pin,
            "delegates": [DELEGATE],
            "info": {"status_details": f"position {n}"},
        }
        self.pins[made["requestid"]] = made
        self._left[made["requestid"]] = list(self.steps[1:])
        return dict(made)

    def step(self, request_id):
        found = self.pins[request_id]
        if self._left[request_id]:
            found["status"] = self._left[request_id].pop(0)
        return found

    def list(self, query):
        limit = _number(query.get("limit", "10"))
        states = query.get("status", "pinned").split(",")
        cids = query["cid"].split(",") if "cid" in query else None
        if not set(states) <= set(_STATES) or len(cids or ()) > 10:
            raise Refusal(400, "no such status, or too many CIDs")
        if query.get("match", "exact") not in (
            "exact",
            "iexact",
            "partial",
            "ipartial",
        ):
            raise Refusal(400, "no such match")
        if len(query.get("name", "")) > 255:
            raise Refusal(400, "the name is too long")
        before, after = (_time(query.get(name)) for name in ("before", "after"))
        found = [
            one
            for one in sorted(
                self.pins.values(), key=lambda one: one["created"], reverse=True
            )
            if one["status"] in states
            and (cids is None or one["pin"]["cid"] in cids)
            and ("name" not in query or one["pin"].get("name") == query["name"])
            and (before is None or _time(one["created"]) < before)
            and (after is None or _time(one["created"]) > after)
        ]
        return {"count": len(found), "results": found[:limit]}


def _number(text):
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 1000):
        raise Refusal(400, "limit is 1 to 1000")
    return int(text)


def _time(text):
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(400, "no date") from None
    if found.tzinfo is None:
        raise Refusal(400, "no zone")
    return found


def _pin(body):
    try:
        pin = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "no JSON") from None
    if not isinstance(pin, dict) or not isinstance(pin.get("cid"), str):
        raise Refusal(400, "no cid")
    name, meta = pin.get("name", ""), pin.get("meta", {})
    origins = pin.get("origins", [])
    is_good = (
        isinstance(name, str)
        and len(name) <= 255
        and isinstance(meta, dict)
        and all(isinstance(one, str) for one in meta.values())
        and isinstance(origins, list)
        and len(origins) <= 20
        and all(isinstance(one, str) for one in origins)
        and len(set(origins)) == len(origins)
    )
    if not is_good or _CID.fullmatch(pin["cid"]) is None:
        raise Refusal(400, "malformed")
    return {key: pin[key] for key in ("cid", "name", "origins", "meta") if key in pin}


@contextlib.contextmanager
def serving(service):
    """Runs the service at loopback; gives its URL."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(
            uvicorn.Config(service.app(), log_config=None, lifespan="off")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            # The port is taken: whoever asks early waits in its queue.
            yield url_of("127.0.0.1", listener)
        finally:
            server.should_exit = True
            thread.join(30)
