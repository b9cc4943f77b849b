import ipaddress

import pytest

from accounts.networks import InvalidNetwork, address_of, are_within, client_address, counted_as, is_within, network_of


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.20.0.0/16", "10.20.0.0/16"),
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("2001:DB8:0:0::1", "2001:db8::1/128"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_is_read_in_either_family_and_the_mapped_form(text, network):
    assert str(network_of(text)) == network


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "10.0.0", "example.org", "10.0.0.0/8/8", "0x0a000000", "fe80::/129", "٣.1.1.1"])
def test_what_is_no_network_is_refused_with_how_to_write_one(text):
    with pytest.raises(InvalidNetwork, match=r"write one as 10\.20\.0\.0/16"):
        network_of(text)


@pytest.mark.parametrize(("text", "meant"), [("10.20.3.4/16", "10.20.0.0/16"), ("2001:db8::1/32", "2001:db8::/32")])
def test_bits_behind_the_mask_are_refused_with_what_was_meant(text, meant):
    with pytest.raises(InvalidNetwork, match=f"the network is {meant}"):
        network_of(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:c000:207]", "192.0.2.7"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("192.0.2.7.8", None),
    ],
)
def test_an_address_is_read_with_or_without_its_port(text, address):
    assert address_of(text) == (ipaddress.ip_address(address) if address else None)


@pytest.mark.parametrize(
    ("forwarded", "hops", "address"),
    [
        ("198.51.100.1", 0, "192.0.2.7"),  # without a proxy of ours the header is the client's own word
        ("198.51.100.1", 1, "198.51.100.1"),
        ("10.0.0.1, 198.51.100.1", 1, "198.51.100.1"),  # what stands to the left was sent by the client
        ("10.0.0.1, 198.51.100.1, 203.0.113.9", 2, "198.51.100.1"),
        ("198.51.100.1", 2, None),  # it did not come through both
        ("", 1, None),
        ("10.0.0.1, junk", 1, None),
        ("10.0.0.1,", 1, None),
    ],
)
def test_only_the_configured_hop_says_where_a_request_came_from(forwarded, hops, address):
    found = client_address(peer="192.0.2.7", forwarded=forwarded, hops=hops)
    assert found == (ipaddress.ip_address(address) if address else None)


@pytest.mark.parametrize(
    ("address", "networks", "allowed"),
    [
        ("192.0.2.7", [], True),
        (None, [], True),
        (None, ["0.0.0.0/0", "::/0"], False),
        ("192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.3.7", ["192.0.2.0/24"], False),
        ("::ffff:192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.2.7", ["::ffff:192.0.2.0/120"], True),
        ("192.0.2.7", ["2001:db8::/32", "192.0.2.7"], True),
        ("2001:db8:1::1", ["2001:db8::/32"], True),
        ("2001:db9::1", ["2001:db8::/32"], False),
        ("2001:db8::1", ["0.0.0.0/0"], False),
        ("192.0.2.7", ["::/0"], False),
    ],
)
def test_a_token_is_used_from_its_networks_only(address, networks, allowed):
    assert is_within(address_of(address) if address else None, networks) is allowed


@pytest.mark.parametrize(
    ("inner", "outer", "within"),
    [
        ([], [], True),
        (["10.0.0.0/8"], [], True),
        ([], ["10.0.0.0/8"], False),
        (["10.1.0.0/16", "10.2.3.4"], ["10.0.0.0/8"], True),
        (["10.0.0.0/8"], ["10.0.0.0/8"], True),
        (["10.0.0.0/7"], ["10.0.0.0/8"], False),
        (["10.1.0.0/16", "11.0.0.0/8"], ["10.0.0.0/8"], False),
        (["::ffff:10.1.0.0/112"], ["10.0.0.0/8"], True),
        (["2001:db8::/48"], ["10.0.0.0/8", "2001:db8::/32"], True),
        (["::/0"], ["0.0.0.0/0"], False),
    ],
)
def test_no_networks_are_wider_than_any(inner, outer, within):
    assert are_within(inner, outer) is within


@pytest.mark.parametrize(
    ("address", "name"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("::ffff:192.0.2.7", "192.0.2.7"), ("junk", "unknown")],
)
def test_addresses_that_one_customer_holds_are_counted_as_one(address, name):
    assert counted_as(address_of(address)) == name
