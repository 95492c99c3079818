"""Run pytest on the checkout, or on the installed package."""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "connectnow_api"


def run_tests(arguments: list[str], **variables: str) -> int:
    """Return pytest's exit status for some arguments, with further environment variables.

    pytest puts the checkout first on the import path, where it would hide an installed package.
    With ``--installed`` among the arguments the tests run in a copy of the checkout that lacks the
    package's directory.
    """
    if "--installed" not in arguments:
        return _run_pytest(ROOT, arguments, variables)
    arguments = [argument for argument in arguments if argument != "--installed"]
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory).resolve() / "checkout"
        _copy_without_package(copy)
        return _run_pytest(copy, arguments, variables)


def _copy_without_package(target: Path) -> None:
    """Copy the files that git tracks or would track, except the package."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in listing.split("\0"):
        source = ROOT / name
        if name.startswith(f"{PACKAGE}/") or not source.is_file():
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target / name)


def _run_pytest(directory: Path, arguments: list[str], variables: dict[str, str]) -> int:
    """Print the package's location and versions, then run pytest in a directory."""
    where = "import connectnow_api; print(connectnow_api.__file__)"
    location = subprocess.run(
        [sys.executable, "-c", where], cwd=directory, check=True, capture_output=True, text=True
    ).stdout.strip()
    versions = [f"{name} {metadata.version(name)}" for name in ("django", "djangorestframework")]
    print(f"Testing {location} with {', '.join(versions)}", flush=True)
    if directory != ROOT and ROOT / PACKAGE in Path(location).parents:
        print("That is the checkout: the package is not installed from a wheel.", file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "pytest", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=directory, env=environment, check=False).returncode
