"""A page of the documentation as a program: its blocks, one after the other."""

import re
from pathlib import Path

_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = "python - <<'END_OF_PYTHON'\n{text}END_OF_PYTHON\n"


def script(page: Path) -> str:
    """Return a page's blocks as one shell script, which says where it is and stops at errors."""
    whole = page.read_text()
    parts = ["set -eu\n"]
    for found in _BLOCK.finditer(whole):
        language, text = found.groups()
        line = whole.count("\n", 0, found.start()) + 1
        parts.append(f'echo "{page.name}:{line} after $SECONDS s"\n')
        parts.append(_PYTHON.format(text=text) if language == "python" else text)
    return "".join(parts)
