"""The site in a real browser, opened from files: search works, nothing is asked for."""

import pytest

from tests.report.browser import Browser, find

pytestmark = pytest.mark.skipif(find() is None, reason="needs chromium")
TYPE = """(() => {
    const field = document.querySelector('.md-search__input');
    field.focus();
    field.value = 'silhouette';
    field.dispatchEvent(new Event('keyup', {bubbles: true}));
})()"""
RESULT = ".md-search-result__item a"


def test_search_works_and_nothing_is_asked_for(site, tmp_path):
    """On the start page and on what search finds."""
    with Browser(tmp_path) as browser:
        browser.open(site / "index.html")
        browser.wait("document.querySelector('.md-search__input')")
        browser.run(TYPE)
        browser.wait(f"document.querySelector({RESULT!r})")
        found = browser.run(f"document.querySelector({RESULT!r}).href")
        assert found.startswith("file:")
        assert browser.log == []
        assert not [url for url in browser.asked if url.startswith("http")]


@pytest.mark.parametrize("width", [390, 820, 1300])
def test_pages_fit_the_window(site, tmp_path, width):
    """Wide tables and code scroll by themselves, the page does not."""
    with Browser(tmp_path, width=width) as browser:
        for name in ("index", "pipeline", "reference/commands", "encoders"):
            browser.open(site / f"{name}.html")
            wide = browser.run("document.documentElement.scrollWidth")
            assert wide <= width, name
