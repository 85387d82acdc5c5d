"""The accounts that charts have for what Stripe does, by their templates' ids.

Source of each row: the template in Odoo's source that the comment names. A chart that
isn't here has no account that is sure to fit, so none is chosen for it.
"""

from typing import NamedTuple


class Chart(NamedTuple):
    """Ids of accounts in a chart's template, such as ``account_4970``.

    :param fees: Takes what Stripe charges.
    :param assets: Other short-term assets that are no cash: the accounts for disputes
        and for reviews are created beside it.
    :param losses: Takes lost disputes. Empty: the chart has nothing of the sort.
    :param beside_losses: Where it has nothing, an account is created beside this one.
    :param losses_by_rate: Takes them where a tax of this rate is taken back.
    """

    fees: str
    assets: str
    losses: str = ""
    beside_losses: str = ""
    losses_by_rate: tuple[tuple[float, str], ...] = ()


CHARTS = {
    # account/data/template/account.account-generic_coa.csv: 6200 Bank Fees,
    # 6000 Expenses, 1010 Current Assets
    "generic_coa": Chart("expense_finance", "current_assets", beside_losses="expense"),
    # l10n_us_account/data/template/account.account-us.csv: 6500 Bank Fees,
    # 6900 Miscellaneous Expenses, 1010 Current Assets
    "us": Chart(
        "account_account_us_bank_fees",
        "account_account_us_current_assets",
        beside_losses="account_account_us_expense",
    ),
    # l10n_uk/data/template/account.account-uk.csv: 791000 Bank fees ("bank, credit
    # card and other financial charges"), 785000 Bad debts, 110200 Other Debtors
    "uk": Chart("791000", "110200", "785000"),
    # l10n_de/data/template/account.account-de_skr03.csv: 4970 Nebenkosten des
    # Geldverkehrs, 2400/2406/2401 Forderungsverluste, 1525 Kautionen
    "de_skr03": Chart(
        "account_4970",
        "account_1525",
        "account_2400",
        losses_by_rate=((19, "account_2406"), (7, "account_2401")),
    ),
    # l10n_de/data/template/account.account-de_skr04.csv: 6855 Nebenkosten des
    # Geldverkehrs, 6930/6936/6931 Forderungsverluste, 1350 Kautionen
    "de_skr04": Chart(
        "chart_skr04_6855",
        "chart_skr04_1350",
        "chart_skr04_6930",
        losses_by_rate=((19, "chart_skr04_6936"), (7, "chart_skr04_6931")),
    ),
    # l10n_fr_account/data/template/account.account-fr.csv: 6278 Autres frais et
    # commissions sur prestations de services, 6541 Créances de l'exercice (pertes sur
    # créances irrécouvrables), 467 Divers comptes débiteurs et produits à recevoir
    "fr": Chart("pcg_6278", "pcg_467", "pcg_6541"),
    # l10n_be/data/template/account.account-be.csv: 657200 Bank Fees, 642 Capital Losses
    # on Disposal of Trade Debtors, 416 Sundry Amounts Receivable
    "be": Chart("a657200", "a416", "a642"),
    # l10n_nl/data/template/account.account-nl.csv: 4630 Bank charges, 4550 Bad debt
    # write-off, 1290 Other short-term receivables
    "nl": Chart("4630", "1290", "4550"),
    # l10n_se/data/template/account.account-se.csv: 6570 Bank charges, 6350 Losses on
    # trade receivables, 1680 Other current receivables
    "se": Chart("a6570", "a1680", "a6350"),
    # l10n_jp/data/template/account.account-jp.csv: 512400 Commission Expenses, 510300
    # Provision of Allowance for Doubtful Debt, 121000 Current Assets
    "jp": Chart("l10n_jp_512400", "l10n_jp_121000", beside_losses="l10n_jp_510300"),
}
