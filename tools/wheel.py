"""What a user installs: build a wheel, install it where nothing of this folder is, and sample from a chain that comes with it.

    python tools/wheel.py

The environment is new and has the wheel alone; the libraries that it needs are those of the interpreter that runs this, by a path file, so
that nothing is downloaded.  Building needs setuptools there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

__all__ = ["main"]

ROOT = Path(__file__).parents[1]
SAMPLE = """
import pathlib, sys, saltus
assert pathlib.Path(saltus.__file__).is_relative_to(sys.prefix), saltus.__file__
images = saltus.Model.load("digits").sample(3, seed=0)
assert images.shape == (3, 8, 8) and images.dtype.name == "uint8" and images.any(), images
"""
_BUILT = ("*.egg-info", "build", "__pycache__")


def run(*command: str | Path, cwd: Path) -> None:
    print("$", *command, flush=True)
    plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    subprocess.run([str(part) for part in command], check=True, cwd=cwd, env=plain)


def built(folder: Path) -> Path:
    """The wheel, built from a copy of what is here."""
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns(*_BUILT))
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def main() -> None:
    """Build, install, and use."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        wheel, home = built(folder), folder / "env"
        venv.create(home, with_pip=False)
        python = home / "bin" / "python"
        site = home / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel, cwd=folder)
        (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")  # behind the wheel's own files
        run(home / "bin" / "saltus", "--version", cwd=folder)
        run(python, "-c", SAMPLE, cwd=folder)
        run(home / "bin" / "saltus", "sample", "digits", "--n", "4", "--out", folder / "samples", cwd=folder)
        print(f"{wheel.name} of {wheel.stat().st_size / 1e6:.1f} MB works where it is installed alone")


if __name__ == "__main__":
    main()
