"""The addon's Stripe client, loaded without the addon around it.

Importing the addon's package would load its Odoo models; the client needs only its
files of constants (and those, Odoo's translation helper).
"""

import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

_NAME = "checkout_links_alone"
_ADDON = Path(__file__).resolve().parent.parent / "kantivo_checkout_links"


def _load(module):
    if _NAME not in sys.modules:
        spec = importlib.machinery.ModuleSpec(_NAME, None, is_package=True)
        spec.submodule_search_locations.append(str(_ADDON))
        sys.modules[_NAME] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{_NAME}.{module}")


const = _load("const")
kinds = _load("kinds")
stripe_client = _load("stripe_client")
StripeClient = stripe_client.StripeClient
StripeError = stripe_client.StripeError
