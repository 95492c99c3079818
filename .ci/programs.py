"""Programs that tests need, and Debian's packages of them."""

import os
import shutil
import subprocess

SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
"""Where programs are looked for: servers such as nginx are out of the way of who is not root."""


def install(packages: dict[str, str]) -> list[str]:
    """Install what is missing, and return a line for each program that still is.

    ``packages``: program to package. Only root installs, and only where there is apt-get.
    """
    if missing(packages) and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
        for command in ([*get, "update"], [*get, "install", "-y", *packages.values()]):
            subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
    return [f"- {name} is not installed, and cannot be by apt-get" for name in missing(packages)]


def missing(packages: dict[str, str]) -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in packages if not shutil.which(name, path=SEARCHED)]
