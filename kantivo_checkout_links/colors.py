"""A merchant's color, made readable. Plain Python without Odoo."""

DEFAULT_ACCENT = "#2f54d6"
INK, PAPER = "#14171f", "#ffffff"
LIGHT_GROUND, DARK_GROUND = "#ffffff", "#181b22"
READABLE = 4.5
# What a button needs at least to be seen on the light ground; its text is readable by
# itself.
VISIBLE = 1.25


def get_palette(accent):
    """The four colors that the pay page takes from the merchant.

    :param str accent: `#rrggbb`, or anything else for our own.
    :return: `accent` and `accent_dark` for the light and the dark ground, and with
        `_contrast` the texts on them, of at least 4.5:1 (WCAG 2.2, 1.4.3). A bright
        accent, such as yellow, stays as it is and has a dark text.
    """
    rgb = parse_hex(accent) or parse_hex(DEFAULT_ACCENT)
    light = _move_until(rgb, LIGHT_GROUND, VISIBLE, towards=INK)
    dark = _move_until(rgb, DARK_GROUND, READABLE, towards=PAPER)
    return {
        "accent": light,
        "accent_contrast": pick_text(light),
        "accent_dark": dark,
        "accent_dark_contrast": pick_text(dark),
    }


def pick_text(ground):
    """The ink, dark or light, that reads better on a ground."""
    return max((INK, PAPER), key=lambda ink: contrast(ink, ground))


def contrast(one, other):
    """Contrast ratio of two `#rrggbb` colors, 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def parse_hex(text):
    """Red, green and blue of `#rrggbb`, or nothing."""
    digits = (text or "").removeprefix("#")
    if len(digits) != 6:
        return None
    try:
        return tuple(bytes.fromhex(digits))
    except ValueError:
        return None


def _move_until(rgb, ground, ratio, towards):
    """The color nearest to `rgb` that stands out from the ground and carries a text."""
    target = parse_hex(towards)
    for step in range(21):
        mixed = _to_hex(
            a + (b - a) * step / 20 for a, b in zip(rgb, target, strict=True)
        )
        carries_text = contrast(mixed, pick_text(mixed)) >= READABLE
        if carries_text and contrast(mixed, ground) >= ratio:
            return mixed
    return towards


def _to_hex(channels):
    return "#" + bytes(round(channel) for channel in channels).hex()


def _luminance(color):
    red, green, blue = (_linear(channel / 255) for channel in parse_hex(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel):
    if channel <= 0.04045:
        return channel / 12.92
    return ((channel + 0.055) / 1.055) ** 2.4
