"""Run all that has to pass: README's two commands, then every environment of tox.ini.

Needs Python 3.11, 3.12 and 3.13, pip, git, and the services of .ci/services.py; everything else it
installs. README's commands run alone, the environments two at a time. The last lines are the
minutes of each section, and a warning where they exceed the budget.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".tox"
REPORTS, WHEELS = WORK / "junit", WORK / "wheels"

README_BUDGET, BUDGET = 3.0, 25.0
"""Minutes of README's test command, and of everything together, on two cores."""
PATIENCE, TIMED_OUT = 30, 124
"""Minutes that one environment may take, and its exit status if it takes longer."""
ENVIRONMENTS = [
    "databases",
    "servers",
    "py313-django61-drf318",
    "py311-django52-drf316",
    "py311-django52-drfnewest",
    "py312-django60-drf317",
    "py312-django60-drfnewest",
    "hostile",
    "soak",
    "servers-oldest",
    "browser",
    "build",
    "typing",
    "docs",
    "lint",
]
"""All environments of tox.ini, the longest first."""


class Result(NamedTuple):
    """One section: its exit status and its minutes."""

    name: str
    status: int
    minutes: float


def main() -> int:
    """Return 0 if every section passed."""
    begun = time.monotonic()
    for folder in (REPORTS, WHEELS):
        shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as tools:
        results = [
            run_readme("README: example", "'.[demo]'", " --no-serve"),
            run_readme("README: tests", "'.[test]'"),
        ]
        try:
            environment = install_tools(Path(tools))
            wheel = build_wheel(environment)
        except subprocess.CalledProcessError as error:
            print(error)
            results.append(Result("tox, uv and the wheel", error.returncode, 0))
        else:
            with ThreadPoolExecutor(2) as pool:
                results += pool.map(lambda name: run_tox(name, wheel, environment), ENVIRONMENTS)
    return report(results, (time.monotonic() - begun) / 60)


def run_readme(name: str, text: str, further: str = "") -> Result:
    """Run the line of a fenced block of README.md that begins with python3 and holds a text."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    lines = [line for block in blocks for line in block.splitlines()]
    [command] = [line for line in lines if line.startswith("python3 ") and text in line]
    print(f"=== {name}\n$ {command}{further}", flush=True)
    option = shlex.quote(f"--junit-xml={REPORTS / 'readme.xml'}")
    variables = {**os.environ, "PYTEST_ADDOPTS": option}
    begun = time.monotonic()
    done = subprocess.run(["bash", "-c", command + further], cwd=ROOT, env=variables, check=False)
    return Result(name, done.returncode, (time.monotonic() - begun) / 60)


def install_tools(folder: Path) -> dict[str, str]:
    """Install tox and uv into a folder, and return the environment that finds them."""
    print("=== Installing tox and uv", flush=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [folder / "bin" / "pip", "install", "--quiet", "tox>=4.23", "tox-uv>=1.20"]
    subprocess.run(install, check=True)
    path = os.pathsep.join([str(folder / "bin"), *pythons(), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "UV_PYTHON_DOWNLOADS": "never"}


def pythons() -> list[str]:
    """Return the folders of pyenv's newest release of each series, if there is pyenv.

    The `python3.12` of pyenv itself answers only where that version is selected.
    """
    if not shutil.which("pyenv"):
        return []
    root, names = (
        subprocess.run(["pyenv", *words], check=True, capture_output=True, text=True).stdout
        for words in (["root"], ["versions", "--bare"])
    )
    found = re.findall(r"^(3\.1[123])\.(\d+)$", names, re.MULTILINE)
    newest = {series: int(patch) for series, patch in sorted(found, key=lambda pair: int(pair[1]))}
    return [f"{root.strip()}/versions/{series}.{patch}/bin" for series, patch in newest.items()]


def build_wheel(environment: dict[str, str]) -> Path:
    """Return the wheel that all environments install."""
    command = ["uv", "build", "--quiet", "--wheel", "--out-dir", str(WHEELS)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return next(WHEELS.glob("*.whl"))


def run_tox(name: str, wheel: Path, environment: dict[str, str]) -> Result:
    """Run one environment and print its output when it ends, or after ``PATIENCE`` minutes."""
    # The output comes late: this line names the environment.
    print(f"--- started {name}", flush=True)
    begun = time.monotonic()
    log = WORK / f"{name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["tox", "run", "-e", name, "--installpkg", wheel],
            cwd=ROOT,
            # Two environments share the cores.
            env={**environment, "PYTEST_ADDOPTS": "--numprocesses=0"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(PATIENCE * 60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = TIMED_OUT
    print(f"=== tox: {name}\n{log.read_text(errors='replace')}", flush=True)
    return Result(name, status, (time.monotonic() - begun) / 60)


def report(results: list[Result], minutes: float) -> int:
    """Print the minutes of each section and the sum of all tests, and return the exit status."""
    print("=== Minutes")
    for name, status, took in results:
        print(f"{took:5.1f}  {name}{f': FAILED (exit status {status})' if status else ''}")
    print(f"{minutes:5.1f}  together")
    for what, took, budget in [
        ("README's test command", results[1].minutes, README_BUDGET),
        (".ci/run", minutes, BUDGET),
    ]:
        if took > budget:
            print(f"WARNING: {what} took {took:.1f} minutes; the budget is {budget:.0f}.")
    outcomes = read_reports()
    never = sorted(test for test, found in outcomes.items() if {*found} == {"skipped"})
    if never:
        print(f"Skipped in every run: {len(never)} tests", *never, sep="\n- ")
    counts = Counter(outcome for found in outcomes.values() for outcome in found.elements())
    passed, failed, skipped = (counts[name] for name in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return int(any(result.status for result in results))


def read_reports() -> dict[str, Counter[str]]:
    """Return how often each test passed, failed and was skipped in all runs."""
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    for file in sorted(REPORTS.glob("*.xml")):
        try:
            cases = [*ElementTree.parse(file).getroot().iter("testcase")]
        except ElementTree.ParseError as error:
            print(f"WARNING: {file.name} cannot be read: {error}")
            continue
        for case in cases:
            inside = {child.tag for child in case}
            outcome = "failed" if inside & {"failure", "error"} else "passed"
            name = f"{case.get('classname')}::{case.get('name')}"
            outcomes[name]["skipped" if "skipped" in inside else outcome] += 1
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
