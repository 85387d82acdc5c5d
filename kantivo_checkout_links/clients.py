"""Who sends a request, as far as a server behind a proxy can know. Without Odoo."""

import ipaddress
from collections.abc import Mapping
from typing import NamedTuple

# Addresses that a proxy in front of Odoo has, and with it all who come through it.
# https://www.iana.org/assignments/iana-ipv4-special-registry
# https://www.iana.org/assignments/iana-ipv6-special-registry
_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        "10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 "
        "192.168.0.0/16 ::1/128 fc00::/7 fe80::/10".split(),
    )
)
# What proxies add. Odoo reads it where `proxy_mode` is on, and then says so.
_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")
_READ_BY_ODOO = "werkzeug.proxy_fix.orig"
# What one subscriber has. https://www.rfc-editor.org/rfc/rfc6177
_IPV6_PREFIX = 64


class Client(NamedTuple):
    """Where a request comes from.

    :ivar network: An IPv4 address, or the network of an IPv6 one; None where only a
        proxy is seen.
    :ivar is_private: Whether that may be a proxy's all the same.
    """

    network: str | None = None
    is_private: bool = False


def read_client(environ: Mapping) -> Client:
    """The client of a request.

    :param environ: Of WSGI, after Odoo's own handling of proxies.
    """
    is_hidden = any(environ.get(name) for name in _FORWARDED)
    if is_hidden and _READ_BY_ODOO not in environ:
        return Client()
    try:
        address = ipaddress.ip_address(environ.get("REMOTE_ADDR") or "")
    except ValueError:
        return Client()
    address = getattr(address, "ipv4_mapped", None) or address
    is_private = any(address in network for network in _PRIVATE)
    if address.version == 4:
        return Client(str(address), is_private)
    network = ipaddress.ip_network((address, _IPV6_PREFIX), strict=False)
    return Client(str(network), is_private)
