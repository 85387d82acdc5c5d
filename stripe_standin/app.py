"""The web application: API, hosted page and control API on one port."""

import socket

from flask import Flask, Response, request

from . import resources  # noqa: F401  (registers the API's paths)
from .control import control_blueprint
from .gate import Gate, Incoming
from .hosted import hosted_blueprint

MAX_BODY = 1 << 20


def create_app(world):
    """The application that shows and changes this world."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json.sort_keys = False
    app.register_blueprint(hosted_blueprint(world))
    app.register_blueprint(control_blueprint(world), url_prefix="/_standin")
    _add_api(app, Gate(world))
    return app


def _add_api(app, gate):
    def answer(**path):
        return _response(gate.handle(_incoming()))

    methods = ["GET", "POST", "DELETE"]
    app.add_url_rule("/v1/<path:rest>", "v1", answer, methods=methods)
    app.add_url_rule("/v2/<path:rest>", "v2", answer, methods=methods)


def _incoming():
    posted = request.method == "POST"
    form = request.get_data() if posted else request.query_string
    return Incoming(
        request.method,
        request.path,
        form.decode("utf-8", errors="replace"),
        request.headers,
        request.environ["REMOTE_PORT"],
    )


def _response(answer):
    if answer.cut == "hang":
        return _hang_up()
    body = answer.text().encode()
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **answer.headers,
    }
    parts = _half(body, _socket()) if answer.cut == "half" else iter([body])
    return Response(parts, answer.status, headers)


def _half(body, connection):
    yield body[: len(body) // 2]
    connection.shutdown(socket.SHUT_RDWR)


def _hang_up():
    _socket().shutdown(socket.SHUT_RDWR)
    return Response(status=500)


def _socket():
    return request.environ["werkzeug.socket"]
