"""How requests come in and answers go out, on connections that stay open."""

from io import BytesIO

from werkzeug.http import http_date
from werkzeug.serving import WSGIRequestHandler
from werkzeug.test import run_wsgi_app


def handler_with(clock):
    """The handler whose answers are dated by that clock, as Stripe's are by its own."""

    class Handler(_Handler):
        def date_time_string(self, timestamp=None):
            return http_date(clock.now())

    return Handler


class _Handler(WSGIRequestHandler):
    """Keeps connections open, as Stripe does; werkzeug's own closes each of them."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or the second of two calls waits 40 ms

    def run_wsgi(self):
        """Read a whole request and answer it."""
        self.environ = environ = self.make_environ()
        length = int(self.headers.get("Content-Length") or 0)
        environ["wsgi.input"] = BytesIO(self.rfile.read(length))
        parts, status, headers = run_wsgi_app(self.server.app, environ)
        code, _space, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
        if "Content-Length" not in headers:
            self.close_connection = True
