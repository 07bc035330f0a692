"""Solvable: a report in which the author reads each function beside what the paper says of it."""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_autoexp.loading.code import code_folder
from pytest_autoexp.masking.layout import Layout
from pytest_autoexp.masking.source import decode
from pytest_autoexp.model.task import Function, Task

MAX_PARAGRAPHS = 4
"""How many paragraphs of the paper are shown for a function."""

_COMMON_SHARE = 0.25  # a word of more of the paper's paragraphs than this says nothing
_MIN_SHARED = 2  # one rare word in common is chance
_SECTION_WORDS = 3  # a section that the description names weighs like so many unique words
_BEGINNING_CHARS = 6
_COMMON_WORDS = frozenset(
    re.findall(
        r"\w+",
        """all and are array bool but each every float for from has have here int into its list
        ndarray none not one other own return self shape str than that the their them then there
        these this those tuple two value what where which with""",
    )
)
_HEADING = re.compile(r"#{1,6}\s+(?P<title>.+)")
_NUMBERED = re.compile(r"(?P<number>\d+(?:\.\d+)*)\b")
_REFERENCE = re.compile(r"\b(?:[Ss]ections?|[Ss]ec\.|§)\s*(?P<number>\d+(?:\.\d+)*)")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


@dataclass(frozen=True)
class _Paragraph:
    """A paragraph of the paper.

    Attributes:
        section: The title above it.
        line: Line on which it starts, counted from 1.
        text: Its text.
    """

    section: str
    line: int
    text: str

    @property
    def number(self) -> str:
        """Number of its section, or an empty string."""
        numbered = _NUMBERED.match(self.section)
        return numbered["number"] if numbered else ""


def write_solvable(task: Task, dest: Path) -> tuple[str, ...]:
    """Write a Markdown report: each function, its description, and what the paper says of it.

    Paragraphs are ranked by the rare words that they share with the function's name, header and
    description, and by the sections that the description names.  It is a help for reading, no
    verdict.

    Args:
        task: The task.
        dest: File to write.

    Returns:
        Targets of the functions of which nothing is found in the paper; they are first in the
        report.
    """
    paragraphs = tuple(_paragraphs(task.paper.path.read_text(encoding="utf-8")))
    entries = []
    for function in task.functions:
        header, body = _source(task, function)
        entries.append((function, header, body, _speaking_of(function, header, paragraphs)))
    missing = tuple(function.target for function, _, _, found in entries if not found)
    entries.sort(key=lambda entry: bool(entry[3]))
    lines = [
        f"# {task.id}: is each function solvable from the paper?",
        "",
        f"{len(entries) - len(missing)} of {len(entries)} functions have something in "
        f"`{task.paper.path.name}` that speaks of them. Read whether an expert could write each "
        "function from what is shown.",
        "",
    ]
    for function, header, body, found in entries:
        lines += _section(task, function, header, body)
        lines += _found(found, task.paper.path.name)
    dest.write_text("\n".join(lines), encoding="utf-8")
    return missing


def _section(task: Task, function: Function, header: str, body: str) -> Iterator[str]:
    """What the task says of a function."""
    experiments = [
        f"{experiment.name} (hidden)" if experiment.hidden else experiment.name
        for experiment in task.experiments
        if function.target in experiment.depends
    ]
    yield from (f"## {function.target}", "", "```python", header, "```", "")
    yield from (function.description.strip() or "*No description.*", "")
    yield from (f"Experiments: {', '.join(experiments) or '**none**'}", "")
    yield from ("<details><summary>Body</summary>", "", "```python", body, "```", "")
    yield from ("</details>", "")


def _found(paragraphs: Sequence[_Paragraph], paper: str) -> Iterator[str]:
    """What the paper says of it."""
    if not paragraphs:
        yield from (
            f"**Nothing in {paper} speaks of this function.** Describe there what it computes.",
            "",
        )
    for paragraph in paragraphs:
        yield from (f"**{paragraph.section or paper}** (line {paragraph.line})", "")
        yield from (f"> {line}".rstrip() for line in paragraph.text.split("\n"))
        yield ""


def _paragraphs(text: str) -> Iterator[_Paragraph]:
    """The paragraphs of a Markdown text; a list or a formula goes with the text above it."""
    section, start = "", 0
    block: list[str] = []
    for number, line in enumerate([*text.splitlines(), "# "], start=1):
        heading = _HEADING.fullmatch(line) or line == "# "
        if heading or (not line.strip() and not _goes_on(text, number)):
            if any(map(str.strip, block)):
                yield _Paragraph(section, start, "\n".join(block).strip())
            block = []
        elif block or line.strip():
            start = start if block else number
            block.append(line)
        if isinstance(heading, re.Match):
            section = heading["title"].strip()


def _goes_on(text: str, number: int) -> bool:
    """True if the first line of text behind this empty line belongs to what stands above it."""
    behind = (line for line in text.splitlines()[number:] if line.strip())
    return bool(re.match(r"\s*(?:[-*+] |\d+\. |\$\$|[a-z])", next(behind, "")))


def _speaking_of(
    function: Function, header: str, paragraphs: Sequence[_Paragraph]
) -> tuple[_Paragraph, ...]:
    """The paragraphs that speak of a function, in the order of the paper."""
    words = [_words(f"{paragraph.section} {paragraph.text}") for paragraph in paragraphs]
    counts = Counter(word for found in words for word in found)
    asked = _words(f"{function.name} {header} {function.description}")
    named = {match["number"] for match in _REFERENCE.finditer(function.description)}
    scores: dict[int, float] = {}
    most = max(1.0, _COMMON_SHARE * len(paragraphs))
    for index, paragraph in enumerate(paragraphs):
        shared = {word for word in asked & words[index] if counts[word] <= most}
        score = sum(math.log((len(paragraphs) + 1) / counts[word]) for word in shared)
        if paragraph.number in named:
            score += _SECTION_WORDS * math.log(len(paragraphs) + 1)
        elif len(shared) < _MIN_SHARED:
            continue
        scores[index] = score / math.sqrt(len(words[index]))  # long ones share more by chance
    best = sorted(scores, key=lambda index: -scores[index])[:MAX_PARAGRAPHS]
    # Far behind the best, what is shared is words of the whole paper.
    kept = [index for index in sorted(best) if scores[index] >= scores[best[0]] / 3]
    return tuple(paragraphs[index] for index in kept)


def _words(text: str) -> set[str]:
    """The beginnings of a text's words, those in names and LaTeX commands too.

    Beginnings, so that ``smoothed`` and ``smoothing`` are the same.
    """
    words = {word.lower() for word in _WORD.findall(text)} - _COMMON_WORDS
    return {word.removesuffix("s")[:_BEGINNING_CHARS] for word in words if len(word) > 2}


def _source(task: Task, function: Function) -> tuple[str, str]:
    """Header and body of a function, each without the indentation that it has in its file."""
    source = code_folder(task).joinpath(function.path).read_bytes()
    layout = Layout(decode(source).text)
    found = next(f for f in layout.functions if f.name.name == function.name)
    header = layout.text[layout.line_start(found.start) : found.colon]
    body = layout.text[found.body : found.end]
    return textwrap.dedent(header).rstrip(), textwrap.dedent(body).strip("\r\n")
