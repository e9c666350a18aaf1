"""The calls of the Hugging Face hub that are used, answered by a folder."""

from __future__ import annotations

import fnmatch
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest

__all__ = ["Hub"]


@dataclass
class Hub:
    """Repositories as folders `home/OWNER/NAME`.

    Attributes:
        home: of the folders.
        asked: each call, by its name with its options.
        refuses: whether every call fails, as without a login.
    """

    home: Path
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuses: bool = False

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of the hub."""
        monkeypatch.setattr(huggingface_hub, "snapshot_download", self.snapshot_download)
        monkeypatch.setattr(
            huggingface_hub, "HfApi", lambda: SimpleNamespace(create_repo=self.create_repo, upload_folder=self.upload_folder)
        )

    def _note(self, name: str, options: dict[str, Any]) -> None:
        self.asked.append((name, options))
        if self.refuses:
            raise OSError("401 Client Error: no login")

    def create_repo(self, repo_id: str, **options: Any) -> Any:
        self._note("create_repo", {"repo_id": repo_id, **options})
        (self.home / repo_id).mkdir(parents=True, exist_ok=options["exist_ok"])
        return SimpleNamespace(repo_id=repo_id)

    def upload_folder(self, *, repo_id: str, folder_path: Path, **options: Any) -> None:
        self._note("upload_folder", {"repo_id": repo_id, **options})
        shutil.copytree(folder_path, self.home / repo_id, dirs_exist_ok=True)

    def snapshot_download(self, repo_id: str, *, allow_patterns: list[str] | None = None) -> str:
        self._note("snapshot_download", {"repo_id": repo_id, "allow_patterns": allow_patterns})
        source, target = self.home / repo_id, self.home / "cache" / repo_id
        if not source.is_dir():
            raise OSError(f"404 Client Error: {repo_id}")
        for file in (file for file in source.rglob("*") if file.is_file()):
            name = file.relative_to(source)
            if allow_patterns is None or any(fnmatch.fnmatch(str(name), pattern) for pattern in allow_patterns):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target / name)
        return str(target)
