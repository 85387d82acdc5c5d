"""Run in Odoo's shell: a payment of a demo link, which reminds its responsible once."""

link = env.ref("kantivo_checkout_links.demo_link_ticket")  # noqa: F821
payments = env["checkout.payment"]  # noqa: F821
payment = payments.create(
    {
        **payments._prepare_frozen_vals(link),
        "uuid": "00000000-0000-4000-8000-000000000000",
        "amount": link.amount,
        "state": "paid",
        "on_paid_due_at": link.create_date,
    }
)
for _time in range(2):
    payments._call_on_paid_waiting(link.gateway_id)
assert payment.activity_ids.mapped("summary") == [f"Send {link.name}"]
