import re

import pytest

pytestmark = pytest.mark.django_db


def links(text):
    return {link for link in re.findall(r'href="([^"]+)"', text) if link.startswith("/") and not link.startswith("/static/")}


def crawl(client, start="/"):
    """Every address that can be reached by following links from a page, with the status it answers."""
    found, waiting = {}, [start]
    while waiting:
        address = waiting.pop().replace("&amp;", "&").partition("#")[0]
        if address in found:
            continue
        answer = client.get(address)
        found[address] = answer.status_code
        if not address.startswith("/api/"):
            waiting += links(answer.content.decode())
    return found


def test_no_link_is_dead(lead, crisis):
    found = crawl(lead)
    assert {address: status for address, status in found.items() if status != 200} == {}
    assert {"/", "/levels/", "/levels/small-1.0.uplift/", "/crises/", f"/crises/{crisis.pk}/", "/api/v1/docs/"} <= set(found)


def test_the_navigation_counts_open_crises(lead, crisis):
    assert '<span class="count">1<span class="vh"> open</span></span>' in lead.get("/levels/").content.decode()


def test_a_missing_page_says_so_and_leads_back(lead):
    answer = lead.get("/no-such-page/")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


def test_the_current_page_is_marked(lead, level):
    text = lead.get("/levels/small-1.0.uplift/").content.decode()
    assert re.search(r'href="/levels/" aria-current="page"', text)
