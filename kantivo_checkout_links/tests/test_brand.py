from itertools import product

from odoo.tests import BaseCase

from ..colors import (
    DARK_GROUND,
    DEFAULT_ACCENT,
    INK,
    LIGHT_GROUND,
    VISIBLE,
    contrast,
    get_palette,
)

# https://www.w3.org/TR/WCAG22/#contrast-minimum
READABLE = 4.5
STEPS = ("00", "40", "80", "bf", "ff")


class TestBrand(BaseCase):
    """With any color of a merchant, a payer can read the pay page."""

    def test_every_color_is_readable_on_both_grounds(self):
        for channels in product(STEPS, repeat=3):
            accent = "#" + "".join(channels)
            palette = get_palette(accent)
            for one, other in (
                (palette["accent_contrast"], palette["accent"]),
                (palette["accent_dark"], DARK_GROUND),
                (palette["accent_dark_contrast"], palette["accent_dark"]),
            ):
                with self.subTest(accent=accent, one=one, other=other):
                    self.assertGreaterEqual(contrast(one, other), READABLE)
            self.assertGreaterEqual(contrast(palette["accent"], LIGHT_GROUND), VISIBLE)

    def test_readable_color_is_left_as_it_is(self):
        self.assertEqual(get_palette("#7A1FA2")["accent"], "#7a1fa2")
        self.assertEqual(get_palette("#ffd54f")["accent_dark"], "#ffd54f")

    def test_bright_color_stays_with_a_dark_text(self):
        palette = get_palette("#ffe000")
        self.assertEqual(palette["accent"], "#ffe000")
        self.assertEqual(palette["accent_contrast"], INK)

    def test_contrast_is_that_of_the_standard(self):
        self.assertAlmostEqual(contrast("#000000", "#ffffff"), 21)
        self.assertAlmostEqual(contrast("#777777", "#ffffff"), 4.48, 2)
        self.assertAlmostEqual(contrast("#ffffff", "#777777"), 4.48, 2)

    def test_no_color_at_all_gives_ours(self):
        for accent in (False, "", "red", "#12345", "#ggffff", "rgb(1, 2, 3)"):
            with self.subTest(accent=accent):
                self.assertEqual(get_palette(accent), get_palette(DEFAULT_ACCENT))
