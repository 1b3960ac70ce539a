# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the rack that the argument names, with two model hosts that have a base archive and nothing else set up."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from model import archive, example
from model.rack import Rack

rack = Rack(Path(sys.argv[1]))
rack.folder.mkdir(parents=True)
base = rack.folder / "base.txz"
archive.write_base(base, example.RELEASE)
for name, address, disks in (("h1", "198.51.100.11", {}), ("h2", "198.51.100.12", {"vtbd1": "6G"})):
    host = rack.add(name, address, disks=disks)
    shutil.copy(base, host.path(example.BASE))
