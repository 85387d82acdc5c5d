import base64
import re
from urllib.parse import urlencode

from markupsafe import Markup

from odoo import api, fields, models

from ..colors import get_palette
from ..models.payment.payment_tracking import TRACKING_FIELDS
from ..qr_code import to_png, to_svg

REPORTS = {
    "a4": "kantivo_checkout_links.action_report_poster_a4",
    "letter": "kantivo_checkout_links.action_report_poster_letter",
}
# Millimeters of the QR code on a poster: it can be scanned from a meter away.
POSTER_QR_SIZE = 100
# Of more characters the QR code would be on a second page.
MAX_POSTER_TEXT = 280
# A plain link: no script and no frame, so that a site which has it shows nothing of a
# payment, and its merchant stays in PCI SAQ A.
BUTTON = Markup(
    '<a href="%(url)s" style="display:inline-block;padding:12px 24px;border-radius:8px;'
    "background:%(accent)s;color:%(text)s;font:600 16px/1.25 system-ui,sans-serif;"
    'text-decoration:none">%(label)s</a>'
)


class CheckoutLinkShare(models.TransientModel):
    """What brings a link to customers: its address, which may say where a customer
    comes from, as text, email, QR code, poster and button.

    Nothing is read as superuser here.
    """

    _name = "checkout.link.share"
    _description = "Share a Checkout Link"
    _check_company_auto = True

    link_id = fields.Many2one(
        "checkout.link", required=True, readonly=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="link_id.company_id", related_sudo=False)
    currency_id = fields.Many2one(related="link_id.currency_id", related_sudo=False)
    amount_type = fields.Selection(related="link_id.amount_type", related_sudo=False)
    link_partner_id = fields.Many2one(
        string="Customer of the Link", related="link_id.partner_id", related_sudo=False
    )
    problems = fields.Text(compute="_compute_problems")

    # What the address says
    partner_id = fields.Many2one(
        "res.partner",
        "Customer",
        check_company=True,
        help="Payments made with this URL are assigned to this contact.",
    )
    amount = fields.Monetary(help="Filled in for customers, who can change it.")
    reference = fields.Char("External Reference", help="Kept on the payment.")
    utm_campaign = fields.Char("Campaign", help="Kept on the payment.")
    utm_source = fields.Char(
        "Source", help="Kept on the payment. For example, poster or newsletter."
    )
    utm_medium = fields.Char(
        "Medium", help="Kept on the payment. For example, print or email."
    )
    url = fields.Char("URL", compute="_compute_url")

    # How it looks
    lang = fields.Selection(
        selection=lambda self: self.env["res.lang"].get_installed(),
        string="Language",
        required=True,
        compute="_compute_lang",
        store=True,
        readonly=False,
        precompute=True,
        help="Of the email, the poster and the button.",
    )
    lang_count = fields.Integer(compute="_compute_lang_count")
    qr_size = fields.Selection(
        [("30", "3 cm (1.2 in)"), ("50", "5 cm (2 in)"), ("100", "10 cm (4 in)")],
        "Print Size",
        required=True,
        default="50",
        help="A phone can scan a QR code from about ten times its size.",
    )
    qr_png = fields.Binary("QR Code", compute="_compute_qr_code")
    qr_svg = fields.Binary("QR Code (SVG)", compute="_compute_qr_code")
    paper_format = fields.Selection(
        [("a4", "A4"), ("letter", "Letter")],
        "Paper",
        required=True,
        compute="_compute_paper_format",
        store=True,
        readonly=False,
        precompute=True,
    )
    button_label = fields.Char(
        "Label",
        compute="_compute_button_label",
        store=True,
        readonly=False,
        precompute=True,
    )
    button_html = fields.Text("HTML", compute="_compute_button")
    button_preview = fields.Html("Preview", compute="_compute_button", sanitize=False)

    # === COMPUTE METHODS === #

    @api.depends("link_id")
    def _compute_problems(self):
        for share in self:
            share.problems = "\n".join(share.link_id._iter_share_problems())

    @api.depends("link_id", "partner_id", "amount", *TRACKING_FIELDS)
    def _compute_url(self):
        for share in self:
            share.url = share.link_id._get_url_with(share._prepare_params())

    @api.depends("link_id", "partner_id")
    def _compute_lang(self):
        installed = dict(self.env["res.lang"].get_installed())
        for share in self:
            customer = share.partner_id or share.link_partner_id
            spoken = (customer.lang, share.company_id.partner_id.lang, self.env.lang)
            share.lang = next(lang for lang in spoken if lang in installed)

    def _compute_lang_count(self):
        self.lang_count = len(self.env["res.lang"].get_installed())

    @api.depends("url", "qr_size")
    def _compute_qr_code(self):
        for share in self:
            size = int(share.qr_size or 50)
            share.qr_png = base64.b64encode(to_png(share.url, size))
            share.qr_svg = base64.b64encode(to_svg(share.url, size))

    @api.depends("link_id")
    def _compute_paper_format(self):
        for share in self:
            own = share.company_id.paperformat_id.format
            share.paper_format = "letter" if own == "Letter" else "a4"

    @api.depends("lang")
    def _compute_button_label(self):
        for share in self:
            share.button_label = share.with_context(lang=share.lang).env._("Pay now")

    @api.depends("url", "button_label")
    def _compute_button(self):
        for share in self:
            brand = get_palette(share.company_id.primary_color)
            html = BUTTON % {
                "url": share.url,
                "accent": brand["accent"],
                "text": brand["accent_contrast"],
                "label": share.button_label or share.link_id.name,
            }
            share.button_html = str(html)
            share.button_preview = html

    # === ACTION METHODS === #

    def action_send(self):
        """Write an email with the URL. It is kept in the link's chatter."""
        self.ensure_one()
        context = {
            "default_model": "checkout.link",
            "default_res_ids": self.link_id.ids,
            "default_template_id": self.link_id._get_share_template().id,
            "default_composition_mode": "comment",
            "default_subtype_xmlid": "mail.mt_comment",
            "default_partner_ids": (self.partner_id or self.link_partner_id).ids,
            "checkout_url": self.url,
            "checkout_lang": self.lang,
        }
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Send by Email"),
            "res_model": "mail.compose.message",
            "view_mode": "form",
            "target": "new",
            "context": context,
        }

    def action_print_poster(self):
        """The poster as PDF, in the chosen language and paper format."""
        self.ensure_one()
        return self.env.ref(REPORTS[self.paper_format]).report_action(
            self, config=False
        )

    def action_download_png(self):
        """The QR code as a picture for screens and text documents."""
        return self._download("qr_png", "png")

    def action_download_svg(self):
        """The QR code as a drawing for print shops."""
        return self._download("qr_svg", "svg")

    def _download(self, field, extension):
        self.ensure_one()
        path = f"/web/content/{self._name}/{self.id}/{field}"
        query = {"download": "true", "filename": f"{self._get_file_name()}.{extension}"}
        return {
            "type": "ir.actions.act_url",
            "url": f"{path}?{urlencode(query)}",
            "target": "download",
        }

    # === HELPERS === #

    def _prepare_params(self):
        """The parameters of the address, which the pay page reads."""
        params = {name: self[name] for name in TRACKING_FIELDS}
        if self.amount_type == "open" and self.amount > 0:
            digits = self.currency_id.decimal_places
            params["amount"] = f"{self.amount:.{digits}f}"
        if self.partner_id and not self.link_partner_id:
            params["contact"] = self._sign_contact()
        return params

    def _sign_contact(self):
        """:raise AccessError: if the user may not see the contact or the link."""
        self.partner_id.check_access("read")
        self.link_id.check_access("read")
        return self.link_id._sign_contact(self.partner_id._origin)

    def _get_file_name(self):
        """The link's title, as far as it is safe in any file system."""
        title = re.sub(r"[^\w-]+", "-", self.link_id.name).strip("-")
        return title[:60] or "qr-code"

    def _get_poster(self):
        """What the poster shows, in its language: the template's parameters."""
        link = self.link_id.with_context(lang=self.lang)
        company = link.company_id
        amount = link.amount if link.amount_type == "fixed" else self.amount
        return {
            "brand": get_palette(company.primary_color),
            "logo": not company.uses_default_logo and company.logo,
            "company_name": company.name,
            "title": link.name,
            "description": self._shorten(link.description or ""),
            "amount": amount and link._format(amount),
            "address": link.url.partition("://")[2],
            "qr_code": base64.b64encode(to_png(self.url, POSTER_QR_SIZE)),
            "is_test": bool(link.test_badge),
        }

    @api.model
    def _shorten(self, text):
        """A text that fits a poster, cut between two words."""
        if len(text) <= MAX_POSTER_TEXT:
            return text
        return f"{text[:MAX_POSTER_TEXT].rpartition(' ')[0].rstrip()}…"
