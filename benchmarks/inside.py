"""One function of a row, run in a process of Odoo's on a database.

``python -m benchmarks.inside DATABASE MODULE FUNCTION`` reads the function's arguments
from standard input and prints its answer, both JSON. ``kit.Bench.inside`` calls it.
"""

import importlib
import json
import sys

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.tools import config


def main(database: str, module: str, name: str) -> None:
    """Call ``module.name(env, **arguments)`` and print what it returns."""
    config.parse_config(["--log-level=warn"], setup_logging=True)
    function = getattr(importlib.import_module(module), name)
    arguments = json.load(sys.stdin)
    with Registry(database).cursor() as cr:
        answer = function(api.Environment(cr, SUPERUSER_ID, {}), **arguments)
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
