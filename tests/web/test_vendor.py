import hashlib
import re
import tomllib
from pathlib import Path

import pytest

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"
PACKAGES = tomllib.loads((VENDOR / "VENDOR.toml").read_text())["package"]
FILES = [file for package in PACKAGES for file in package["file"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file["path"])
def test_a_vendored_file_is_what_the_list_says(file):
    assert hashlib.sha256((VENDOR / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert ("origin" in file) != ("derived" in file)


def test_nothing_is_vendored_that_is_not_listed():
    assert {path.name for path in VENDOR.iterdir()} == {"VENDOR.toml", *(file["path"] for file in FILES)}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_a_package_names_version_licence_and_integrity(package):
    assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
    assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"])
    assert (VENDOR / package["licence_file"]).read_text()


def test_the_list_names_no_address():
    assert "://" not in (VENDOR / "VENDOR.toml").read_text()
