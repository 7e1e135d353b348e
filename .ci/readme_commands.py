"""Write the README's first two ```bash blocks to command-1.sh and command-2.sh in a folder."""

import re
import sys
from pathlib import Path

readme, folder = Path(sys.argv[1]), Path(sys.argv[2])
blocks = re.findall(r"```bash\n(.*?)```", readme.read_text(), re.S)
assert len(blocks) >= 2, "the README must open with two commands"
for number, block in enumerate(blocks[:2], 1):
    lines = block.strip().splitlines()
    assert len(lines) == 1, f"command {number} of the README is not one line"
    (folder / f"command-{number}.sh").write_text(block)
