"""What is published: links that work on a package index, and tools that are pinned."""

import os
import re
import shutil
import subprocess

import pytest

from tests.process import ROOT

WORKFLOW = os.path.join(ROOT, ".github", "workflows", "release.yml")
pytestmark = pytest.mark.skipif(not os.path.exists(WORKFLOW), reason="not in a repository")


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return file.read()


@pytest.mark.skipif(not shutil.which("sed"), reason="needs sed")
def test_the_readme_of_a_release_has_no_address_that_only_a_checkout_knows(tmp_path):
    shutil.copy(os.path.join(ROOT, "README.md"), tmp_path)
    commands = re.findall(r"^ *(sed -i -E .*)$", read(".github", "workflows", "release.yml"), re.MULTILINE)
    environment = {**os.environ, "GITHUB_REPOSITORY": "owner/name", "GITHUB_REF_NAME": "v1.2.3"}
    subprocess.run(["sh", "-ec", "\n".join(commands)], cwd=tmp_path, env=environment, check=True)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert [t for t in targets if not t.startswith("https://")] == []
    assert "https://raw.githubusercontent.com/owner/name/v1.2.3/demos/squared_error.svg" in targets
    assert any(t.startswith("https://github.com/owner/name/blob/v1.2.3/demos/README.md") for t in targets)


def test_what_builds_a_release_is_pinned_with_hashes():
    lines = [line for line in read(".ci", "build-requirements.txt").splitlines() if line and not line.startswith("#")]
    assert {"build", "hatchling"} <= {line.partition("==")[0] for line in lines}
    assert [line for line in lines if not re.fullmatch(r"[\w-]+==[\w.]+ --hash=sha256:[0-9a-f]{64}", line)] == []


def test_a_release_is_published_without_a_password_and_attested():
    text = read(".github", "workflows", "release.yml")
    assert "secrets." not in text
    for step in ("id-token: write", "gh-action-pypi-publish", "attest-build-provenance", "attest-sbom", "--require-hashes"):
        assert step in text


def test_the_limits_that_the_security_policy_names_are_those_of_the_parser():
    import inspect

    from autograd_lite.formula.expression import parse

    policy = read(".github", "SECURITY.md")
    limits = {name: p.default for name, p in inspect.signature(parse).parameters.items() if name.startswith("max_")}
    assert len(limits) > 3
    for limit in limits.values():
        assert f"{limit:,} " in policy
