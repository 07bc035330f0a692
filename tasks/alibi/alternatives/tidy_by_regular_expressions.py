"""alibi/corpus.py::tidy_entry: splitting and joining words, articles by a regular expression."""

import re
import unicodedata


def tidy_entry(entry: str) -> str:
    text = unicodedata.normalize("NFKD", entry)
    text = "".join(c for c in text if unicodedata.combining(c) == 0).lower()
    match = re.fullmatch(rf"(.*), ({'|'.join(ARTICLES)})", text, flags=re.DOTALL)
    if match:
        gap = "" if match[2][-1] == "'" else " "
        text = match[2] + gap + match[1]
    text = "".join("0" if c.isdigit() else c for c in text)
    return " ".join(text.split()) + "\n"
