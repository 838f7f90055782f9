"""What a conversion reports about single images: what it left out, and what it used though it is unusual."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class Remark(NamedTuple):
    """Something worth knowing about one image: its file name, the kind (the same words each time) and details."""

    image: str
    kind: str
    detail: str = ""


def remark_if_any(image: str, kind: str, detail: str = "") -> list[Remark]:
    """The Remark, or none where there is nothing to report: an empty kind."""
    return [Remark(image, kind, detail)] if kind else []


class LeftOutError(Exception):
    """Ends the conversion of one image, which is then left out and named; never reaches a user."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail

    def remark(self, image: str) -> Remark:
        """The Remark on the image, by its file name."""
        return Remark(image, self.kind, self.detail)


def kinds_of(remarks: Iterable[Remark]) -> dict[str, int]:
    """{kind: number of Remarks}, most frequent first."""
    return dict(Counter(remark.kind for remark in remarks).most_common())
