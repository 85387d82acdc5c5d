"""QR codes, as pictures for screens and for print. Without Odoo."""

import io

from PIL import Image
from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

# Modules of white around a code. ISO/IEC 18004 asks for four.
QUIET_ZONE = 4
PRINT_DPI = 300
MM_PER_INCH = 25.4


def get_modules(text: str) -> list[list[bool]]:
    """A code's rows of dark and light modules, with the white around it."""
    code = QRCode(None, QRErrorCorrectLevel.M)
    code.addData(text)
    code.make()
    edge = [False] * QUIET_ZONE
    rows = [[*edge, *map(bool, row), *edge] for row in code.modules]
    blank = [[False] * len(rows[0])] * QUIET_ZONE
    return [*blank, *rows, *blank]


def to_svg(text: str, millimeters: int) -> bytes:
    """A code of a size, always black on white: scanners read no other reliably."""
    rows = get_modules(text)
    size = len(rows)
    dark = "".join(
        f"M{x} {y}h1v1h-1z"
        for y, row in enumerate(rows)
        for x, is_dark in enumerate(row)
        if is_dark
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" '
        f'width="{millimeters}mm" height="{millimeters}mm" '
        'shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{size}v{size}H0z"/>'
        f'<path fill="#000" d="{dark}"/></svg>'
    ).encode()


def to_png(text: str, millimeters: int) -> bytes:
    """A code of at least a size at 300 dpi, in whole pixels for each module."""
    rows = get_modules(text)
    size = len(rows)
    pixels = [255 * (not is_dark) for row in rows for is_dark in row]
    image = Image.frombytes("L", (size, size), bytes(pixels)).convert("1")
    scale = -(-int(millimeters / MM_PER_INCH * PRINT_DPI) // size)
    image = image.resize((size * scale, size * scale), Image.Resampling.NEAREST)
    dpi = size * scale * MM_PER_INCH / millimeters
    file = io.BytesIO()
    image.save(file, "PNG", dpi=(dpi, dpi), optimize=True)
    return file.getvalue()
