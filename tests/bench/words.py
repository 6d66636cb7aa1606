"""Invented words for the benchmark: pseudo-English, Chinese and program output."""

from __future__ import annotations

from random import Random

SYLLABLES = (
    "ba",
    "dor",
    "fin",
    "gel",
    "hal",
    "jom",
    "kel",
    "lun",
    "mar",
    "nol",
    "per",
    "qui",
    "zam",
)
COMMON = ["config", "session", "error", "file", "test", "the", "and", "login", "update", "path"]
CHINESE = "登录页面需要修复测试配置文件更新数据库连接失败请检查日志输出结果运行通过代码会话记录"
POOL = 2_000


class Words:
    """Paragraphs and tool outputs, from a pool that is made once: writing must be fast."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.vocabulary = COMMON * 8 + [self._word() for _ in range(4_000)]
        self.sentences = [self._sentence() for _ in range(POOL)]
        self.lines = [self._line() for _ in range(POOL)]

    def prose(self, length: int) -> str:
        """About `length` characters; every fifth piece is Chinese."""
        return _joined(self.random, self.sentences, " ", length)

    def output(self, length: int) -> str:
        return _joined(self.random, self.lines, "\n", length)

    def _word(self) -> str:
        return "".join(self.random.choices(SYLLABLES, k=self.random.randint(1, 4)))

    def _sentence(self) -> str:
        if self.random.random() < 0.2:
            return "".join(self.random.choices(CHINESE, k=self.random.randint(6, 30))) + "。"
        words = self.random.choices(self.vocabulary, k=self.random.randint(5, 18))
        return " ".join(words).capitalize() + "."

    def _line(self) -> str:
        words = self.random.choices(self.vocabulary, k=self.random.randint(2, 7))
        place = f"src/{words[0]}.py:{self.random.randint(1, 900)}"
        return f"{place}:    {'_'.join(words[1:])} = {words[-1]}()"


def _joined(random: Random, pieces: list[str], separator: str, length: int) -> str:
    found: list[str] = []
    while length > 0:
        found.append(random.choice(pieces))
        length -= len(found[-1]) + 1
    return separator.join(found)
