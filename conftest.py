"""What pytest must know to run Odoo's tests as Odoo's own runner would."""


def pytest_collection_modifyitems(config, items):
    """Leave out tests tagged ``-standard``, which Odoo runs only when named."""
    left_out = [item for item in items if not _is_standard(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if _is_standard(item)]


def _is_standard(item) -> bool:
    tags = getattr(getattr(item, "cls", None), "test_tags", {"standard"})
    return "standard" in tags
