"""The frozen table of letters: one for kernel and oracle, and no other than Unicode's."""

import sys
import unicodedata
from pathlib import Path

from feature_platform import testing
from feature_platform.testing.expressions import letters

RESOURCES = Path(__file__).parents[3] / "kernel" / "src" / "main" / "resources"


def test_kernel_and_oracle_read_the_same_table() -> None:
    """Byte for byte."""
    oracle = Path(str(testing.__file__)).with_name("letters.txt")
    kernel = RESOURCES / "io" / "featureplatform" / "kernel" / "row" / "letters.txt"
    assert oracle.read_bytes() == kernel.read_bytes()


def test_it_says_of_letters_what_python_says() -> None:
    """Where Python's own case of a letter is one letter; it knows an older Unicode."""
    compared = 0
    for number in range(sys.maxunicode + 1):
        letter = chr(number)
        known = unicodedata.category(letter) != "Cn"
        for case, own in (("upper", letter.upper()), ("lower", letter.lower())):
            found = chr(letters()[case].get(number, number))
            if known and len(own) == 1 and unicodedata.category(found) != "Cn":
                assert found == own, hex(number)
                compared += own != letter
    assert compared > 2_700
