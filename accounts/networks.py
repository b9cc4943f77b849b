"""Network addresses as plain rules: which networks a token may be used from, and where a request came from."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from accounts.roles import Refused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAPPED = 96  # the bits of ::ffff:0:0/96, under which IPv6 writes IPv4 addresses
HOUSEHOLD = 64  # the bits of an IPv6 address that one customer of a provider holds


class InvalidNetwork(Refused):
    """The text names no network; says what was meant where that can be told."""


def _as_ipv4(network: Network) -> Network:
    """The IPv4 network that an IPv6 one writes in the mapped form, or itself."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    return ipaddress.IPv4Network((mapped, network.prefixlen - MAPPED)) if mapped and network.prefixlen >= MAPPED else network


@lru_cache(maxsize=4096)
def network_of(text: str) -> Network:
    """The network that a text such as 10.20.0.0/16, 192.0.2.7 or 2001:db8::/32 names; raises InvalidNetwork."""
    try:
        meant = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as wrong:
        raise InvalidNetwork(f"'{text}' is no network; write one as 10.20.0.0/16, 192.0.2.7 or 2001:db8::/32.") from wrong
    if "/" in text and str(meant.network_address) != str(ipaddress.ip_address(text.partition("/")[0].strip())):
        raise InvalidNetwork(f"'{text}' has bits set behind its mask; the network is {meant}, a single address has no mask.")
    return _as_ipv4(meant)


@lru_cache(maxsize=4096)
def address_of(text: str) -> Address | None:
    """The address in a text, with or without a port, brackets or the mapped form; None where there is none."""
    plain = text.strip()
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        found = ipaddress.ip_address(plain)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found


def client_address(*, peer: str, forwarded: str, hops: int) -> Address | None:
    """Where a request came from: the peer, or behind `hops` trusted proxies the entry of X-Forwarded-For that the first of them wrote.

    Entries further to the left were written by the client itself and count for nothing. None where it cannot be told.
    """
    if hops == 0:
        return address_of(peer)
    entries = forwarded.split(",")
    return address_of(entries[-hops]) if len(entries) >= hops else None


def is_within(address: Address | None, networks: Iterable[str]) -> bool:
    """Whether a token with these networks may be used from the address; none allow every address, an unknown address only those."""
    allowed = tuple(networks)
    return not allowed or (address is not None and any(address in network_of(text) for text in allowed))


def are_within(inner: Iterable[str], outer: Iterable[str]) -> bool:
    """Whether the inner networks allow no address that the outer ones do not."""
    ours, theirs = [network_of(text) for text in inner], [network_of(text) for text in outer]
    return not theirs or (bool(ours) and all(any(_holds(large, small) for large in theirs) for small in ours))


def _holds(large: Network, small: Network) -> bool:
    return large.version == small.version and small.subnet_of(large)  # type: ignore[arg-type]  # of one version by then


def counted_as(address: Address | None) -> str:
    """The name under which requests of an address are counted: itself, or the /64 that one customer holds."""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address), HOUSEHOLD), strict=False))
    return str(address) if address else "unknown"
