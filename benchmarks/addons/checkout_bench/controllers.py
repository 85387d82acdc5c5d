"""Bare routes: what an answer of Odoo's costs at least."""

import json

from odoo.http import Controller, request, route

from odoo.addons.kantivo_checkout_links.stripe_client import verify_event

FIND_GATEWAY = """
    SELECT id, company_id, webhook_secret_value
      FROM checkout_gateway WHERE webhook_token = %s
"""
INSERT = """
    INSERT INTO checkout_event (
        gateway_id, company_id, stripe_event_id, type, state, payload,
        received_at, next_attempt_at, attempts, create_date, write_date
    ) VALUES (
        %s, %s, %s, %s, 'pending', %s,
        now() at time zone 'utc', now() at time zone 'utc', 0,
        now() at time zone 'utc', now() at time zone 'utc'
    ) ON CONFLICT DO NOTHING
"""
PAGE = "<!DOCTYPE html><title>Bare</title><p>Nothing but a page.</p>"


class Bare(Controller):
    @route("/bench/none", type="http", auth="none", csrf=False, save_session=False)
    def bare(self, **_kwargs):
        """No user, no work."""
        return request.make_response("")

    @route("/bench/public", type="http", auth="public", save_session=False)
    def public(self, **_kwargs):
        """The public user, no work."""
        return request.make_response(PAGE)

    @route(
        "/bench/insert/<string:token>",
        type="http",
        auth="none",
        methods=["POST"],
        csrf=False,
        save_session=False,
    )
    def insert(self, token, **_kwargs):
        """Verify, parse and keep a delivery, and nothing else."""
        request.env.cr.execute(FIND_GATEWAY, [token])
        gateway_id, company_id, secrets = request.env.cr.fetchone()
        header = request.httprequest.headers["Stripe-Signature"]
        body = request.httprequest.get_data()
        event = verify_event(body, header, secrets.splitlines())
        kept = json.dumps({"data": {"object": {"id": event["data"]["object"]["id"]}}})
        values = [gateway_id, company_id, event["id"], event["type"], kept]
        request.env.cr.execute(INSERT, values)
        return request.make_response("")
