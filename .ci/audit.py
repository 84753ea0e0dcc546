"""Ask whether anything that is locked has a known vulnerability. Exit code 1 when something has.

Advisories come from outside. Where no source of them answers, nothing was audited, and that is said; it is not a pass.
"""

import json
import subprocess
import sys


def main(lock):
    command = [sys.executable, "-m", "pip_audit", "-r", lock, "--require-hashes", "--disable-pip", "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"audit: no source of advisories answered, nothing was audited: {done.stderr.strip()[-300:]}")
        return 0
    asked = [one for one in found if "skip_reason" not in one]
    print(f"audit: {len(asked)} of {len(found)} locked packages could be asked about")
    if not asked:
        print("audit: no source of advisories knows any of them from here: nothing was audited")
    bad = [one for one in asked if one["vulns"]]
    for one in bad:
        for flaw in one["vulns"]:
            print(f"audit: {one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no release'}")
    return 1 if bad else 0


sys.exit(main(sys.argv[1]))
