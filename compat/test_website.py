"""Pay pages on a server that also has a website: theirs alone, as without it."""

import re
import urllib.error
import urllib.request

import pytest

from tools import payer

WEBSITE_LAYOUT = re.compile(r'id="wrapwrap"|data-website-id|web\.assets_frontend')
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url, **headers):
    """Status, headers and text of a page, errors included."""
    request = urllib.request.Request(url, headers=headers)
    try:
        with _OPENER.open(request, timeout=60) as response:
            return response, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error, error.read().decode()


@pytest.fixture(params=["open", "unknown", "returned"])
def page(request, place):
    """Each public page of ours, as a payer's first one: without any cookie."""
    link = place.shop.links[1]
    (row,) = place.admin.rows(
        "checkout.payment",
        [("link_id", "=", place.shop.links[0].id)],
        ["stripe_checkout_session_id"],
    )
    session_id = row["stripe_checkout_session_id"]
    paid_link = place.shop.links[0]
    urls = {
        "open": (link.url, 200),
        "unknown": (f"{place.url}/checkout/no-such-token", 404),
        "returned": (f"{paid_link.url}/return?session_id={session_id}", 200),
    }
    url, status = urls[request.param]
    response, text = get(url)
    assert response.status == status
    return response, text


def test_the_front_page_has_the_website(place):
    _, text = get(place.url)
    assert WEBSITE_LAYOUT.search(text)


def test_it_has_nothing_of_the_website(page):
    _, text = page
    assert not WEBSITE_LAYOUT.search(text)


def test_it_sets_no_cookie(page):
    response, _ = page
    assert response.headers.get_all("Set-Cookie") is None


def test_its_policy_lets_in_no_one_else(page):
    response, _ = page
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert response.headers["Cache-Control"] == "no-store"


def test_what_it_links_to_is_ours_and_there(place, page):
    _, text = page
    paths = re.findall(r'(?:src|href)="(/[^"]+/static/[^"]+)"', text)
    assert paths
    for path in paths:
        assert path.startswith("/kantivo_checkout_links/static/")
        response, _ = get(place.url + path)
        assert response.status == 200


def test_search_engines_do_not_index_it(place):
    _, sitemap = get(f"{place.url}/sitemap.xml")
    assert "<loc>" in sitemap
    assert "/checkout/" not in sitemap


@pytest.fixture
def french(place):
    """The website in French too."""
    admin = place.admin
    wizard = admin.create("base.language.install", lang_ids=[(6, 0, [_french(admin)])])
    admin.call("base.language.install", "lang_install", [wizard])
    (website_id,) = admin.search("website", [])
    admin.write("website", website_id, language_ids=[(4, _french(admin))])


def _french(admin):
    (lang_id,) = admin.search(
        "res.lang", [("code", "=", "fr_FR")], context={"active_test": False}
    )
    return lang_id


@pytest.mark.usefixtures("french")
class TestLanguages:
    def test_the_website_leads_to_its_french_address(self, place):
        response, _ = get(place.url, **{"Accept-Language": "fr"})
        assert response.url == f"{place.url}/fr"

    def test_a_pay_page_keeps_its_address_and_says_the_language_of_its_words(
        self, place
    ):
        url = place.shop.links[1].url
        response, text = get(url, **{"Accept-Language": "fr"})
        assert response.url == url
        assert '<html lang="fr-FR"' in text


class TestDomain:
    @pytest.fixture
    def domain(self, place):
        """The website has an address of its own."""
        domain = place.url.replace("127.0.0.1", "localhost")
        (website_id,) = place.admin.search("website", [])
        place.admin.write("website", website_id, domain=domain)
        yield domain
        place.admin.write("website", website_id, domain=False)

    def test_links_lead_there_and_payers_come_back_there(self, place, domain):
        link_id = place.shop.links[0].id
        url = place.admin.read("checkout.link", link_id, "url")
        assert url.startswith(f"{domain}/checkout/")
        hosted_page = payer.submit(payer.open_page(url))
        assert payer.enter_card(hosted_page).url.startswith(f"{url}/return")
