"""The pages as a person meets them: in a real browser, in both themes, on a telephone, and by keyboard alone."""

import os
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from accounts.roles import SYSTEM
from crises.models import Crisis
from evals.catalogue import register_checkpoint, register_model
from fsf.management.commands.load_framework import load_with_plans
from tests.conftest import FIXTURES, Pipeline
from thresholds import library

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's event loop runs in this thread
pytestmark = [pytest.mark.chromium, pytest.mark.django_db(transaction=True)]

PASSWORD = "correct-horse-battery"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
LISTEN = """
window.refused = [];
document.addEventListener("securitypolicyviolation", event => window.refused.push(event.violatedDirective + " " + event.blockedURI));
"""
MODES = {
    "light": {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1440, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


@pytest.fixture(scope="session")
def browser_type_launch_args():
    return {"executable_path": shutil.which("chromium") or "/usr/bin/chromium", "args": FLAGS}


@pytest.fixture
def site(live_server, ada, now):
    """A served database in which one model stands at its alert line."""
    load_with_plans(library.read_file(FIXTURES / "small-1.0.yaml"))
    model = register_model(slug="aurora", name="Aurora", developer="Northwind", actor=SYSTEM, now=now)
    register_checkpoint(model=model, fields={"slug": "aurora-1", "name": "Aurora 1"}, actor=SYSTEM, now=now)
    Pipeline().run(3, 12)
    return live_server.url


def open_page(browser, site, mode):
    """A page that notes every complaint of the browser."""
    context = browser.new_context(base_url=site, reduced_motion="reduce", **MODES[mode])
    page = context.new_page()
    page.add_init_script(LISTEN)
    page.complaints = []
    page.on("console", lambda said: page.complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("requestfailed", lambda request: page.complaints.append(request.url))
    return page


def sign_in(page, where="/"):
    page.goto(where)
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.wait_for_load_state("networkidle")


def expect_sound(page):
    page.wait_for_load_state("networkidle")
    assert page.complaints == []
    assert page.evaluate("window.refused") == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    found = Axe().run(page).response["violations"]
    assert [(violation["id"], violation["nodes"][0]["html"]) for violation in found] == []


@pytest.mark.parametrize("mode", MODES)
def test_every_page_is_sound(browser, site, mode):
    page = open_page(browser, site, mode)
    page.goto("/sign-in/")
    expect_sound(page)
    sign_in(page)
    crisis = Crisis.objects.get()
    for where in (
        "/",
        "/?rows=all&show=attention",
        "/levels/",
        "/levels/small-1.0.uplift/",
        "/crises/",
        f"/crises/{crisis.pk}/",
        "/coverage/",
        "/account/password/",
        "/tokens/",
        "/tokens/new/",
    ):
        page.goto(where)
        expect_sound(page)
    page.context.close()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_chart_is_drawn_in_the_colours_of_the_theme(browser, site, mode):
    page = open_page(browser, site, mode)
    sign_in(page, "/levels/small-1.0.uplift/")
    chart = page.locator("#chart")
    expect(chart).to_have_attribute("data-drawn", "true")
    expect(chart.locator(".point")).to_have_count(1)
    expect(chart.locator(".errorbar")).to_have_count(1)
    expect(chart.get_by_text("Alert 0.20")).to_be_visible()
    expect(chart.get_by_text("Critical 0.50")).to_be_visible()
    fill = chart.locator(".point").evaluate("node => getComputedStyle(node).fill")
    assert fill == {"light": "rgb(221, 122, 0)", "dark": "rgb(240, 140, 30)"}[mode]
    expect_sound(page)
    page.context.close()


def test_a_mails_link_leads_through_the_sign_in_to_the_crisis(browser, site):
    page = open_page(browser, site, "light")
    crisis = Crisis.objects.get()
    sign_in(page, f"/crises/{crisis.pk}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Cyber uplift, Aurora")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status")).to_contain_text("Acknowledged.")
    expect(page.locator("[aria-current=step]")).to_contain_text("Acknowledged")
    expect_sound(page)
    page.context.close()


@pytest.mark.parametrize("mode", MODES)
def test_a_run_is_withdrawn_beside_its_explanation_and_stays_visible_as_withdrawn(browser, site, mode):
    page = open_page(browser, site, mode)
    sign_in(page, "/levels/small-1.0.uplift/")
    page.locator(".why summary", has_text="reads so").click()
    page.get_by_label("Why it is invalid").fill("The scorer was broken.")
    expect_sound(page)
    page.get_by_role("button", name="Mark this run invalid").click()
    expect(page.get_by_role("status")).to_contain_text("Marked invalid.")
    expect(page.locator("tr.struck")).to_contain_text("Withdrawn by Ada Safety on")
    expect(page.locator("#chart .point")).to_have_count(1)
    expect(page.locator("#chart .errorbar")).to_have_count(0)
    expect_sound(page)
    page.context.close()


def test_a_crisis_can_be_worked_by_keyboard_alone(browser, site):
    page = open_page(browser, site, "light")
    crisis = Crisis.objects.get()
    sign_in(page, f"/crises/{crisis.pk}/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    reached = set()
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.innerText.trim()"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", page.evaluate("document.activeElement.outerHTML")
    assert {"Escalate", "Acknowledge", "Post update"} <= reached
    assert any(text.startswith("Details") for text in reached)
    page.locator(".check summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("What the evidence shows")).to_be_visible()
    expect_sound(page)
    page.context.close()


def test_targets_are_large_enough_to_hit(browser, site):
    page = open_page(browser, site, "phone")
    sign_in(page)
    for where in ("/", "/levels/small-1.0.uplift/", "/tokens/", "/tokens/new/", f"/crises/{Crisis.objects.get().pk}/"):
        page.goto(where)
        small = page.locator(".btn:visible, .nav a:visible, summary:visible, .seg a:visible").evaluate_all(
            "all => all.filter(each => each.getBoundingClientRect().height < 24).map(each => each.outerHTML)"
        )
        assert small == []
    page.context.close()


@pytest.mark.parametrize("mode", MODES)
def test_a_token_is_made_copied_and_revoked(browser, site, mode):
    page = open_page(browser, site, mode)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site)
    sign_in(page, "/tokens/new/")
    page.get_by_label("Mine: it acts as me").check()
    expect(page.get_by_label("Service account", exact=True)).to_be_hidden()
    page.get_by_label("What for").fill("Notebook")
    page.get_by_role("button", name="Make the token").click()
    expect(page.get_by_text("Copy it now.")).to_be_visible()
    expect_sound(page)
    page.locator("[data-copy=token]").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert page.request.get("/api/v1/tokens/self/", headers={"authorization": f"Bearer {copied}"}).status == 200
    page.get_by_role("link", name="Done").click()
    mine = page.get_by_role("region", name="Yours")
    mine.get_by_label("Revoke Notebook").click()
    mine.get_by_label("It is not needed any more.").check()
    expect_sound(page)
    mine.get_by_role("button", name="Revoke it now").click()
    expect(page.get_by_text("nothing can use it any more")).to_be_visible()
    assert page.request.get("/api/v1/tokens/self/", headers={"authorization": f"Bearer {copied}"}).status == 401
    page.context.close()
