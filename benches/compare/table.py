"""Rows of results as tables of text and Markdown, and their place in a document."""

import re
from decimal import Decimal

BEGIN, END = "<!-- compare:begin -->", "<!-- compare:end -->"


def significant(value, digits=3):
    """A number, not below zero, with this many significant digits and no exponent: 0.0123, 1.23, 12,300."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    if "e" in text:
        text = format(Decimal(text), "f")
    whole, _, fraction = text.partition(".")
    return f"{int(whole):,}" + (f".{fraction}" if fraction else "")


def count(value):
    return "-" if value is None else f"{value:,}"


def times(value):
    """A ratio: 0.42, 7.3, 21, 123, 12,300."""
    return "-" if value is None else significant(value, 2 if value < 100 else 3)


def mebibytes(value):
    return "-" if value is None else f"{value / (1 << 20):.0f}"


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def text(title, head, rows):
    """Columns of equal width; numbers to the right."""
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    right = [column > 0 and all(is_number(row[column]) for row in rows) for column in range(len(head))]

    def line(row):
        parts = [cell.rjust(width) if to_right else cell.ljust(width)
                 for cell, width, to_right in zip(row, widths, right, strict=True)]
        return "  ".join(parts).rstrip()

    return "\n".join([title, line(head), line(["-" * width for width in widths]), *map(line, rows)])


def markdown(title, head, rows):
    right = [column > 0 and all(is_number(row[column]) for row in rows) for column in range(len(head))]

    def line(row):
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"

    rule = "|" + "|".join("---:" if to_right else "---" for to_right in right) + "|"
    return "\n".join([f"**{title}**", "", line(head), rule, *map(line, rows)])


def is_number(cell):
    return re.fullmatch(r"-|[\d,.]+( [a-z]+)?", cell) is not None


def replace(document, between):
    """The document with this between its two marker lines; an error where they are not there once, in order."""
    if document.count(BEGIN) != 1 or document.count(END) != 1 or document.index(BEGIN) > document.index(END):
        raise ValueError(f"the document must hold `{BEGIN}` and `{END}` once each, in this order")
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{between.strip()}\n{END}{after}"
