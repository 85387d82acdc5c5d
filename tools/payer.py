"""Somebody who pays: plain HTTP, forms and redirects, no cookies and no scripts."""

import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser

GOOD_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 0002"
_TIMEOUT = 60  # seconds
_PATIENCE = 30  # seconds that somebody goes on trying
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Page:
    """What a payer sees.

    :param url: Its address, after redirects.
    :param fields: Names and values of its form's inputs.
    :param action: Where its form goes; its own address if there is no form.
    :param retry_after: In how many seconds its form may be sent again; 0 for never.
    """

    url: str
    status: int
    text: str
    fields: dict[str, str]
    action: str
    retry_after: int


def open_page(url: str, data: dict[str, str] | None = None) -> Page:
    """Fetch a page as a browser does; with data as a form that is sent.

    Redirects are followed, and a page that shows an error is a page as well.
    """
    body = None if data is None else urllib.parse.urlencode(data).encode()
    try:
        with _OPENER.open(url, body, timeout=_TIMEOUT) as response:
            return _read(response)
    except urllib.error.HTTPError as error:
        with error:
            return _read(error)


def submit(page: Page, **values: str) -> Page:
    """Fill in the page's form and send it, and again as long as the answer asks so."""
    deadline = time.monotonic() + _PATIENCE
    answer = submit_once(page, **values)
    while answer.retry_after and time.monotonic() < deadline:
        time.sleep(answer.retry_after)
        answer = submit_once(answer)
    return answer


def submit_once(page: Page, **values: str) -> Page:
    """Fill in the page's form and send it."""
    return open_page(page.action, {**page.fields, **values})


def enter_card(page: Page, number: str = GOOD_CARD, name: str = "Ada Example") -> Page:
    """Pay on Stripe's hosted page; what follows is where it sends the payer.

    The payer's first name makes the email address.
    """
    return submit(
        page,
        email=f"{name.split()[0].lower()}@example.com",
        name=name,
        number=number,
        expiry="12 / 34",
        cvc="123",
        country="US",
    )


def _read(response) -> Page:
    text = response.read().decode()
    form = FormReader()
    form.feed(text)
    return Page(
        url=response.url,
        status=response.status,
        text=text,
        fields=form.fields,
        action=urllib.parse.urljoin(response.url, form.action),
        retry_after=int(response.headers.get("Retry-After", 0)),
    )


@dataclass
class FormReader(HTMLParser):
    """The inputs and the address of a page's form."""

    fields: dict[str, str] = field(default_factory=dict)
    action: str = ""

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "form":
            self.action = values.get("action", "")
        elif tag == "input" and values.get("name"):
            self.fields[values["name"]] = values.get("value") or ""
