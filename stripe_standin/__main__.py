"""The command: `python -m stripe_standin --help`."""

import argparse
import logging
import os
import sys
import threading

from werkzeug.serving import make_server

from .app import create_app
from .delivery import Destination
from .serving import handler_with
from .world import World


def main(argv=None):
    """Serve until the process is ended."""
    options = parser().parse_args(argv)
    logging.basicConfig(format="%(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    world = World(options.speed)
    world.deliveries.main = _destination(options)
    server = make_server(
        "127.0.0.1",
        options.port,
        create_app(world),
        threaded=True,
        request_handler=handler_with(world.clock),
    )
    world.base_url = f"http://127.0.0.1:{server.port}"
    world.start()
    if options.until_stdin_closes:
        threading.Thread(target=_leave_with_parent, daemon=True).start()
    print(f"Stand-in for Stripe on {world.base_url}", flush=True)
    server.serve_forever()


def parser():
    """The command line."""
    command = argparse.ArgumentParser("python -m stripe_standin", description=__doc__)
    command.add_argument("--port", type=int, default=0, help="0: a free one")
    command.add_argument("--webhook-url", help="where events are delivered")
    command.add_argument("--webhook-secret", default="whsec_standin")
    command.add_argument(
        "--speed",
        type=_positive,
        default=10.0,
        help="how many times faster than Stripe waits and retries run (default 10)",
    )
    command.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when the process that started it is gone",
    )
    return command


def _positive(text):
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return value


def _destination(options):
    if not options.webhook_url:
        return None
    return Destination("we_main", options.webhook_url, [options.webhook_secret])


def _leave_with_parent():
    # A buffered read would hold a lock that the interpreter wants at Ctrl-C.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
