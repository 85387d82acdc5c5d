"""A merchant's colour, made readable. Plain Python without Odoo."""

DEFAULT_ACCENT = "#2f54d6"
INK, PAPER = "#14171f", "#ffffff"
LIGHT_GROUND, DARK_GROUND = "#ffffff", "#181b22"
READABLE = 4.5


def get_palette(accent):
    """The four colours that the pay page takes from the merchant.

    :param str accent: `#rrggbb`, or anything else for our own.
    :return: `accent` and `accent_dark` stand out from the light and the dark ground,
        the `_contrast` ones are read on them: at least 4.5:1 each (WCAG 2.2, 1.4.3).
    """
    rgb = parse_hex(accent) or parse_hex(DEFAULT_ACCENT)
    light = _move_until_readable(rgb, LIGHT_GROUND, towards=INK)
    dark = _move_until_readable(rgb, DARK_GROUND, towards=PAPER)
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
    """Contrast ratio of two `#rrggbb` colours, 1 to 21 (WCAG 2.2)."""
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


def _move_until_readable(rgb, ground, towards):
    target = parse_hex(towards)
    for step in range(21):
        mixed = _to_hex(
            a + (b - a) * step / 20 for a, b in zip(rgb, target, strict=True)
        )
        if contrast(mixed, ground) >= READABLE:
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
