# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""Reading what is on a host, whoever made it: a fixed number of processes, and only those that were asked for."""

from __future__ import annotations

import typing as t

from ansible_collections.jailisp.vps.plugins.module_utils._command import NO_PROGRAM, Command, CommandFailed, output
from ansible_collections.jailisp.vps.plugins.module_utils._dummynet.parse import parse_pipes, parse_queues
from ansible_collections.jailisp.vps.plugins.module_utils._fresh import EMPTY, fresh_roots
from ansible_collections.jailisp.vps.plugins.module_utils._host_info.parse import parse_names, parse_rules, printable
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import SUFFIX, image_file
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_jails
from ansible_collections.jailisp.vps.plugins.module_utils._jails.render import HEADER
from ansible_collections.jailisp.vps.plugins.module_utils._pf.model import ANCHOR
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired
from ansible_collections.jailisp.vps.plugins.module_utils._rctl.observe import rules_in_force
from ansible_collections.jailisp.vps.plugins.module_utils._releases import plain
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import parse_datasets
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.ask import ask
from ansible_collections.jailisp.vps.plugins.module_utils._zfs.model import NAME as DATASET

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host

FOLDER = "/etc/jail.conf.d"
# How pfctl says that an anchor is not there.
NO_ANCHOR = "Anchor does not exist"
# What a file system makes for itself where it is mounted.
OF_FILE_SYSTEM = frozenset({".snap", ".zfs", "lost+found"})

Found = dict[str, t.Any]


def observe(host: Host, parameters: t.Mapping[str, t.Any]) -> Found:
    """Return what the wanted subsets found; the keys are those of the module's result."""
    _check(parameters)
    found: Found = {"folders": parameters["folders"]}
    for subset in parameters["gather_subset"]:
        found |= _SUBSETS[subset](host, parameters)
    return found


def _check(parameters: t.Mapping[str, t.Any]) -> None:
    """Raise InvalidDesired unless all that the host is asked about could be there."""
    for folder in parameters["folders"]:
        plain("folders", folder)
    if parameters["images"] is not None:
        plain("images", parameters["images"])
    if parameters["dataset"] is not None and not DATASET.fullmatch(parameters["dataset"]):
        raise InvalidDesired(f"dataset: {parameters['dataset']!r} is no name of a dataset")
    if not ANCHOR.fullmatch(parameters["anchor"]):
        raise InvalidDesired(f"anchor: {parameters['anchor']!r} is no name of an anchor")


def _roots(host: Host, parameters: t.Mapping[str, t.Any]) -> Found:
    files = host.files
    entries = [(folder, name) for folder in parameters["folders"] for name in files.names(folder)]
    rubbish = {name for name, text in fresh_roots(files).items() if text == EMPTY}
    return {
        "roots": {
            f"{folder}/{printable(name)}": "empty" if name in rubbish and kind == "folder" else kind
            for folder, name in entries
            if name not in OF_FILE_SYSTEM
            for kind in [files.kind(f"{folder}/{name}")]
        },
        "datasets": _datasets(host, parameters["dataset"]),
        "images": _images(host, parameters["images"], rubbish),
    }


def _images(host: Host, folder: str | None, rubbish: t.Collection[str]) -> dict[str, str]:
    """Return the files of images by the names of their jails; those that are not filled yet hold no root."""
    files = host.files.names(folder) if folder else []
    names = [file.removesuffix(SUFFIX) for file in files if file.endswith(SUFFIX)]
    return {printable(name): printable(image_file(folder or "", name)) for name in names if name not in rubbish}


def _datasets(host: Host, parent: str | None) -> list[str]:
    """Return the names of the file systems directly below a dataset."""
    if parent is None:
        return []
    listing = ("zfs", "list", "-Hp", "-t", "filesystem", "-d", "1", "-o", "name,mountpoint,mounted", parent)
    found = parse_datasets(ask(host, *listing))
    return sorted(name.removeprefix(f"{parent}/") for name in found if name != parent)


def _jails(host: Host, parameters: t.Mapping[str, t.Any]) -> Found:
    del parameters
    running = parse_jails(output(host.runner, "jls", "--libxo", "json", "-n"))
    return {
        "jails": {
            printable(name): {
                "path": printable(jail["path"]),
                "ours": (host.files.read(f"{FOLDER}/{name}.conf") or "").startswith(HEADER),
            }
            for name, jail in running.items()
        }
    }


def _pf(host: Host, parameters: t.Mapping[str, t.Any]) -> Found:
    anchor = ("pfctl", "-a", parameters["anchor"], "-s")
    return {
        "tables": parse_names(shown(host, "pf", *anchor, "Tables")),
        "anchors": parse_names(shown(host, "pf", *anchor, "Anchors")),
    }


def _pipes(host: Host, parameters: t.Mapping[str, t.Any]) -> Found:
    ours = range(parameters["first"], parameters["last"] + 1)
    pipes = parse_pipes(shown(host, "dummynet", "dnctl", "pipe", "show"))
    queues = parse_queues(shown(host, "dummynet", "dnctl", "queue", "show"))
    return {
        "pipes": sorted(number for number in pipes if number in ours),
        "queues": sorted(number for number in queues if number in ours),
    }


def _limits(host: Host, parameters: t.Mapping[str, t.Any]) -> Found:
    del parameters
    text = rules_in_force(host)
    return {"rules": parse_rules(text or ""), "accounts": text is not None}


def shown(host: Host, module: str, *argv: str) -> str:
    """Return what is shown; nothing where the kernel module is not loaded or there is no such anchor."""
    done = host.runner.run(Command(argv))
    if done.rc == 0 or NO_ANCHOR in done.err:
        return done.out
    if done.rc == NO_PROGRAM or host.runner.run(Command(("kldstat", "-q", "-m", module))).rc == 0:
        raise CommandFailed(done)
    return ""


_SUBSETS: dict[str, t.Callable[[Host, t.Mapping[str, t.Any]], Found]] = {
    "roots": _roots,
    "jails": _jails,
    "pf": _pf,
    "pipes": _pipes,
    "limits": _limits,
}
