import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = [path for path in (ROOT / "templates").rglob("*.html") if "alerts" not in path.parts]
CSS = (ROOT / "static/css/fsf.css").read_text()


def test_no_page_has_an_inline_style_or_script():
    for path in TEMPLATES:
        text = path.read_text()
        assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", text), path
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), path


def test_templates_stay_small():
    sizes = sorted(len(path.read_text().splitlines()) for path in TEMPLATES)
    assert sizes[len(sizes) // 2] <= 30
    assert sizes[-1] <= 200


def test_the_stylesheet_stays_small_and_every_token_it_uses_is_defined():
    assert len(CSS) <= 30_000
    assert set(re.findall(r"var\((--[\w-]+)", CSS)) <= set(re.findall(r"(--[\w-]+):", CSS))


def test_every_symbol_that_is_used_is_drawn():
    drawn = set(re.findall(r'id="(\w+)"', (ROOT / "static/img/icons.svg").read_text()))
    used = {name for path in TEMPLATES for name in re.findall(r"icons\.svg' %}#(\w+)\"", path.read_text())}
    looks = set(re.findall(r'Look\("\w+", "(\w+)"', (ROOT / "fsf/web/looks.py").read_text()))
    assert used | looks <= drawn
