from .common import CheckoutHttpCommon


class TestWebhook(CheckoutHttpCommon):
    def test_unknown_address_is_404(self):
        answer = self.url_open("/checkout/webhook/kwh_nothing", data="{}")
        self.assertEqual(answer.status_code, 404)
