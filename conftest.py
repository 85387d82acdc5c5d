"""What pytest must know to run Odoo's tests as Odoo's own runner would."""

import os


def pytest_configure(config):
    """Give each of the processes that share the tests its own stand-in for Stripe."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        urls = os.environ.get("CHECKOUT_STANDIN_URL", "").split()
        os.environ["CHECKOUT_STANDIN_URL"] = urls[int(worker.removeprefix("gw"))]


def pytest_collection_modifyitems(config, items):
    """Leave out tests tagged ``-standard``, which Odoo runs only when named."""
    left_out = [item for item in items if not _is_standard(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if _is_standard(item)]


def _is_standard(item) -> bool:
    tags = getattr(getattr(item, "cls", None), "test_tags", {"standard"})
    return "standard" in tags
