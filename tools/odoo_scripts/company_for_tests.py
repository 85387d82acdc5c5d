"""Run in Odoo's shell: a company with a chart of accounts, for the addon's tests."""

company = env["res.company"].create({"name": "Checkout Links Tests"})  # noqa: F821
env["account.chart.template"].try_loading(  # noqa: F821
    "generic_coa", company=company, install_demo=False
)
company.account_fiscal_country_id = env.ref("base.us")  # noqa: F821
env.cr.commit()  # noqa: F821
