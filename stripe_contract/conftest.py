"""The side that the suite runs against, and things made there once."""

import pytest

from . import sides


def pytest_report_header():
    """Say which Stripe is asked, and what is left unasked."""
    side = "Stripe, test mode" if sides.is_real() else "the stand-in"
    left_out = [
        f"Left out, since {need} is not given: tests that use {fixture}"
        for fixture, need in sides.missing_fixtures().items()
    ]
    return [f"Contract with: {side}", *left_out]


def pytest_collection_modifyitems(config, items):
    """Leave out what can't be asked without a second key or a person."""
    missing = sides.missing_fixtures().keys()
    left_out = [item for item in items if missing & set(item.fixturenames)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def side():
    """Stripe, or the stand-in."""
    side = sides.Real() if sides.is_real() else sides.StandinSide()
    yield side
    side.close()


@pytest.fixture(scope="session")
def client(side):
    """The addon's client with a secret key."""
    return side.client


@pytest.fixture(scope="session")
def restricted(side):
    """The addon's client with a key that may do nothing."""
    return side.restricted_client()


@pytest.fixture(scope="session")
def new_session(side, client):
    """Makes open sessions, with changes to what the addon asks for."""
    made = []

    def make(**params):
        key = params.pop("key", None)
        session = client.create_session(side.session_params(**params), key)
        made.append(session["id"])
        return session

    yield make
    for session_id in set(made):
        if client.retrieve_session(session_id)["status"] == "open":
            client.expire_session(session_id)


@pytest.fixture(scope="session")
def paid_session(side, client, new_session):
    """A session that somebody paid, with its balance transaction."""
    session = new_session()
    side.pay(session)

    def settled():
        found = client.retrieve_session(session["id"])
        charge = found["payment_intent"]["latest_charge"]
        return charge["balance_transaction"] and found

    return session, sides.eventually(settled)


@pytest.fixture(scope="session")
def charge(side, client):
    """A charge of 50.00 with its balance transaction."""
    return _settled(client, side.charge(5000))


@pytest.fixture
def fresh_charge(side, client):
    """Another one, for one test alone."""
    return _settled(client, side.charge(5000))


def _settled(client, charge_id):
    def read():
        found = client.retrieve_charge(charge_id)
        return found["balance_transaction"] and found

    return sides.eventually(read)
