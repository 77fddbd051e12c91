"""What Scripts/seeds-check and Scripts/seeds-fill share: the rows of docs/seeds.md and the tests that name them.

A row is `| GS-12 | promise | symbol | test | state |`. A test names the rows it shows in a comment directly above
its `@Test`, before any other text of the line: `// GS-12, GS-13`, and perhaps more words after a colon.
"""

from __future__ import annotations

import pathlib
import re
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = ROOT / "docs" / "seeds.md"
NOTHING = "-"

KEY = r"[A-Z]{2}-[A-Z]?\d+"
ROW = re.compile(rf"^\|\s*(?P<key>{KEY})\s*\|(?P<rest>.*)\|\s*$")
BACKTICKED = re.compile(r"`([^`]+)`")
NAMED_KEYS = re.compile(rf"^\s*//+\s*({KEY}(?:\s*,\s*{KEY})*)(?![\w-])")
TEST = re.compile(r"@Test\b.*?\bfunc\s+(?:`([^`]+)`|(\w+))", re.DOTALL)
# Names in backticks, texts and comments of Swift, whichever begins first.
LITERAL = re.compile(r'`[^`\n]*`|"""(?s:.*?)"""|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*(?s:.*?)\*/')


@dataclass
class Row:
    line: int
    key: str
    promise: str
    symbol: str
    test: str
    state: str

    @property
    def symbols(self) -> list[str]:
        return BACKTICKED.findall(self.symbol)

    @property
    def tests(self) -> list[str]:
        return BACKTICKED.findall(self.test.replace("\\|", "|"))

    def show(self, tests: list[str]) -> None:
        """Writes these tests, and the state that follows from them, into the row."""
        self.test = "; ".join(f"`{name}`" for name in tests).replace("|", "\\|") or NOTHING
        self.state = "kept" if tests else "open"

    def __str__(self) -> str:
        return f"| {self.key} | {self.promise} | {self.symbol} | {self.test} | {self.state} |"


@dataclass
class Test:
    name: str
    place: str
    keys: list[str]


def rows(text: str) -> list[Row]:
    """Every row of the tables, in order. Raises ValueError where a row does not have five columns."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = ROW.match(line)
        if not match:
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", match["rest"])]
        if len(cells) != 4:
            raise ValueError(
                f"docs/seeds.md:{number}: expected 5 columns in the row of {match['key']}, found {len(cells) + 1}"
            )
        found.append(Row(number, match["key"], *cells))
    return found


def _code(text: str) -> str:
    """Swift without texts and comments: blanked out, so that everything else stays where it was."""

    def blank(match: re.Match[str]) -> str:
        return match[0] if match[0].startswith("`") else re.sub(r"[^\n]", " ", match[0])

    return LITERAL.sub(blank, text)


def _above(lines: list[str], index: int) -> list[str]:
    """The rows named by the comment lines directly above a line."""
    keys: list[str] = []
    while index > 0 and lines[index - 1].lstrip().startswith("//"):
        index -= 1
        match = NAMED_KEYS.match(lines[index])
        if match:
            keys[:0] = re.findall(KEY, match[1])
    return keys


def tests() -> list[Test]:
    """Every test of the repository, ordered by file and line."""
    found = []
    for path in sorted((ROOT / "Tests").rglob("*.swift")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for match in TEST.finditer(_code(text)):
            line = text.count("\n", 0, match.start())
            place = f"{path.relative_to(ROOT)}:{line + 1}"
            found.append(Test(match[1] or match[2], place, _above(lines, line)))
    return found


def words() -> set[str]:
    """Every word of the sources outside comments and texts."""
    found: set[str] = set()
    for path in (ROOT / "Sources").rglob("*.swift"):
        found.update(re.findall(r"\w+", _code(path.read_text(encoding="utf-8"))))
    return found
