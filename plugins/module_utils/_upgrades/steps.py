# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The steps of an upgrade that are more than a command: each may be cut off anywhere and done again."""

from __future__ import annotations

import errno
import time
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.jailisp.vps.plugins.module_utils._command import Command, CommandFailed, output
from ansible_collections.jailisp.vps.plugins.module_utils._images.parse import parse_sources
from ansible_collections.jailisp.vps.plugins.module_utils._images.script import Backing, script
from ansible_collections.jailisp.vps.plugins.module_utils._jails.parse import parse_jails, user_of
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades import journal as journals
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.etc import changes, parse_conflicts, undoing
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.journal import (
    BACK,
    DONE,
    FAILED,
    KEPT,
    LEAVING,
    UNDOING,
    WRITTEN,
    Journal,
    held_file,
    jail_file,
)
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.space import LIST, parse_spaces, shortage
from ansible_collections.jailisp.vps.plugins.module_utils._upgrades.tree import (
    CERTIFICATES,
    DERIVED,
    Tree,
    certificates_elsewhere,
    inner_target,
    obstacles,
    own_links,
    shown,
    with_above,
    written,
)
from ansible_collections.jailisp.vps.plugins.module_utils._worlds.parse import (
    VERSION_FILE,
    VERSION_FILE_BYTES,
    parse_version,
)

if t.TYPE_CHECKING:
    from ansible_collections.jailisp.vps.plugins.module_utils._plan import Host, Step

# A line for each jail that is begun or ended: what `tail -f` shows while the module runs.
PROGRESS = "/var/log/jailisp_upgrades.log"
ETC = "etc"


class Unfit(OSError):
    """What a jail is refused for, or rolled back for."""

    def __init__(self, text: str) -> None:
        """Keep the text where the shell looks for it."""
        super().__init__(errno.EPERM, text)


def _known(host: Host, name: str) -> Journal:
    found = journals.read(host.files, name)
    if found is None:
        raise Unfit("there is no journal of its upgrade")
    return found


def _tell(host: Host, name: str, what: str) -> None:
    host.files.append(PROGRESS, f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {name}: {what}\n")


@dataclass(frozen=True)
class Begin:
    """Note that an upgrade begins, and what the jail answers before it; none begins after too many failures."""

    subject: str
    first: Journal
    address: str
    ports: tuple[int, ...]
    others: tuple[str, ...]
    most_failures: int
    place: str

    def apply(self, host: Host) -> str:
        """Write the journal."""
        found = [journals.read(host.files, other) for other in self.others]
        failed = sum(each is not None and each.run == self.first.run and each.failed for each in found)
        if failed > self.most_failures:
            raise Unfit(f"{failed} jails failed, and at most {self.most_failures} may; look at them first")
        answered = tuple(port for port in self.ports if self.first.running and answers(host, self.address, port))
        journals.write(host.files, self.subject, replace(self.first, begun=int(time.time()), ports=answered))
        _tell(host, self.subject, f"{self.place}, {failed} failed so far: {self.first.source} to {self.first.target}")
        return ""

    def __str__(self) -> str:
        """Show it in one line."""
        return f"begin with {self.subject}: {self.first.source} to {self.first.target}"


@dataclass(frozen=True)
class Ask:
    """Note what a jail that was upgraded before answers now: what it must answer after its rollback."""

    subject: str
    address: str
    ports: tuple[int, ...]
    running: bool
    run: str

    def apply(self, host: Host) -> str:
        """Write it into the journal."""
        answered = tuple(port for port in self.ports if self.running and answers(host, self.address, port))
        known = replace(_known(host, self.subject), ports=answered, running=self.running, run=self.run)
        journals.write(host.files, self.subject, replace(known, state=LEAVING, begun=int(time.time())))
        return ""

    def __str__(self) -> str:
        """Show it in one line."""
        return f"ask what {self.subject} answers"


def answers(host: Host, address: str, port: int) -> bool:
    """Whether something listens."""
    return host.runner.run(Command(("nc", "-z", "-w", "2", address, str(port)), seconds=30)).rc == 0


@dataclass(frozen=True)
class Stop:
    """Stop a jail, by force where its own stop script vetoes that; one that does not run is stopped."""

    subject: str
    path: str
    image: Backing | None

    def apply(self, host: Host) -> str:
        """Stop it."""
        if not self._runs(host):
            return ""
        config = jail_file(self.subject)
        config = config if host.files.kind(config) != "missing" else held_file(self.subject)
        said = host.runner.run(Command(("jail", "-f", config, "-r", self.subject))).err
        if self._runs(host):
            host.runner.run(Command(("jail", "-R", self.subject)))
            # -R undoes no mount: neither the devices nor the image.
            host.runner.run(Command(("umount", f"{self.path}/dev")))
            if self.image:
                host.runner.run(script("unmount", self.image, self.path))
        return said

    def _runs(self, host: Host) -> bool:
        running = parse_jails(output(host.runner, "jls", "--libxo", "json", "-n"))
        return user_of(running, self.subject, self.path) == self.subject

    def __str__(self) -> str:
        """Show it in one line."""
        return f"stop {self.subject}"


@dataclass(frozen=True)
class Hold:
    """Take a jail's file of jail.conf(5) away, or give it back: without it nobody starts the jail, not even a boot."""

    subject: str
    back: bool = False

    def apply(self, host: Host) -> str:
        """Rename it, unless that is done."""
        source, target = jail_file(self.subject), held_file(self.subject)
        if self.back:
            source, target = target, source
        if host.files.kind(source) != "missing":
            host.files.move(source, target)
        return ""

    def __str__(self) -> str:
        """Show it in one line."""
        source, target = jail_file(self.subject), held_file(self.subject)
        return f"rename {target} to {source}" if self.back else f"rename {source} to {target}"


@dataclass(frozen=True)
class CheckRoot:
    """See that nobody is at work in a root, and that nothing in it leads a writer elsewhere."""

    subject: str
    path: str
    tree: Tree
    whole: bool
    image: Backing | None

    def apply(self, host: Host) -> str:
        """Look, and refuse."""
        running = parse_jails(output(host.runner, "jls", "--libxo", "json", "-n"))
        user = user_of(running, self.subject, self.path)
        if user is not None:
            raise Unfit(f"the jail {user} runs in it; stop it first")
        mounts = parse_sources(output(host.runner, "mount", "-p"))
        own = {self.path} if self.image is None or (self.image.device, self.path) in mounts else set()
        inside = [point for _source, point in mounts if f"{point}/".startswith(f"{self.path}/") and point not in own]
        if inside:
            raise Unfit(f"something is mounted at {shown(inside)}; unmount it first")
        if self.image and not own:
            raise Unfit("its image is not mounted")
        found = obstacles(self.tree, kinds(host, self.path, self.tree, whole=self.whole), whole=self.whole)
        found += self._certificates(host) if self.whole else []
        if found:
            raise Unfit(f"{shown(found)}; have its customer put that right")
        return ""

    def _certificates(self, host: Host) -> list[str]:
        found = host.files.kinds(self.path, with_above(CERTIFICATES))
        links = host.files.links_below(self.path, [folder for folder in CERTIFICATES if found[folder] == "folder"])
        inner = [path for path in map(inner_target, links, links.values()) if path is not None]
        return certificates_elsewhere(links, found | host.files.kinds(self.path, with_above(inner)))

    def __str__(self) -> str:
        """Show it in one line."""
        return f"check that nothing in {self.path} leads elsewhere"


@dataclass(frozen=True)
class CheckRoom:
    """See that a dataset still has room for another world, now that its jail is stopped and nobody fills it."""

    subject: str
    dataset: str
    needed: int
    more: int

    def apply(self, host: Host) -> str:
        """Look, and refuse."""
        parent = self.dataset.rpartition("/")[0]
        found = parse_spaces(output(host.runner, *LIST, self.dataset, parent))
        lacking = shortage(found[self.dataset], found[parent].available, self.needed, self.more)
        if lacking:
            raise Unfit(lacking)
        return ""

    def __str__(self) -> str:
        """Show it in one line."""
        return f"check that {self.dataset} has room for another world"


def kinds(host: Host, path: str, tree: Tree, *, whole: bool) -> dict[str, str]:
    """Return what stands in a root where a release would write."""
    folders, files = written(tree, whole=whole)
    there = host.files.kinds(path, [*folders, *files, *sorted(tree.merged()), *DERIVED])
    if there.get(ETC) != "folder":
        return there
    return there | host.files.kinds(path, [f"{ETC}/{name}" for name in host.files.names(f"{path}/{ETC}")])


@dataclass(frozen=True)
class Note:
    """Write into the journal how far it has come."""

    subject: str
    state: str
    path: str = ""
    tree: Tree | None = None
    run: str = ""
    target: str = ""

    def apply(self, host: Host) -> str:
        """Write it."""
        known = _known(host, self.subject)
        known = replace(known, state=self.state, target=self.target or known.target)
        if self.run:
            known = replace(known, run=self.run, failed=False)
        if self.state == KEPT and self.tree:
            there = kinds(host, self.path, self.tree, whole=False)
            before = host.files.fingerprints(self.path, ETC)
            links = tuple(own_links(self.tree, there))
            known = replace(known, before=before, etc={}, conflicts=(), links=links)
        elif self.state == WRITTEN:
            after = host.files.fingerprints(self.path, ETC)
            known = replace(known, before={}, etc=changes(known.before, after), written=time.time())
        elif self.state == UNDOING:
            # Decided once: after a cut, what was put back so far would look like changes of the customer's.
            now = host.files.fingerprints(self.path, ETC)
            back, gone, stay = undoing(known.etc, now)
            known = replace(known, etc={path: known.etc[path] for path in (*back, *gone)}, conflicts=tuple(stay))
        elif self.state in (DONE, FAILED, BACK):
            known = replace(known, ended=int(time.time()))
            _tell(host, self.subject, f"{self.state} after {known.ended - known.begun} s")
        journals.write(host.files, self.subject, known)
        return ""

    def __str__(self) -> str:
        """Show it in one line."""
        return f"note that {self.subject} is {self.state}"


@dataclass(frozen=True)
class Merge:
    """Merge a release's changes into a root's /etc by etcupdate(8), which asks nobody.

    Its trees are the host's own: what a customer has in his /var/db/etcupdate might lead elsewhere.
    """

    subject: str
    path: str
    work: str
    target: str
    keep_conflicts: bool

    def apply(self, host: Host) -> str:
        """Merge, and note what could not be."""
        known = _known(host, self.subject)
        ignored = ("-I", " ".join(f"/{link}" for link in known.links)) if known.links else ()
        where = ("-d", self.work, "-D", self.path)
        done = host.runner.run(Command(("etcupdate", *where, "-t", self.target, *ignored)))
        if done.rc != 0:
            raise CommandFailed(done)
        conflicts = parse_conflicts(output(host.runner, "etcupdate", "status", *where))
        journals.write(host.files, self.subject, replace(known, conflicts=conflicts))
        if conflicts and not self.keep_conflicts:
            raise Unfit(f"{shown(conflicts)}: what the customer changed there conflicts with the release's changes")
        return ""

    def __str__(self) -> str:
        """Show it in one line."""
        return f"etcupdate -d {self.work} -D {self.path} -t {self.target}"


@dataclass(frozen=True)
class RestoreEtc:
    """Put back the files of /etc that the journal names; those that were not there go."""

    subject: str
    path: str
    archive: str

    def apply(self, host: Host) -> str:
        """Extract some, remove others."""
        etc = _known(host, self.subject).etc
        gone = [f"{self.path}/{path}" for path, (before, _after) in etc.items() if before is None]
        back = [path for path, (before, _after) in etc.items() if before is not None]
        if etc:
            # Not judged: some are missing.
            host.runner.run(Command(("chflags", "-h", "0", *gone, *[f"{self.path}/{path}" for path in back])))
        if gone:
            output(host.runner, "rm", "-f", "--", *gone)
        if back:
            output(host.runner, "tar", "-xpf", self.archive, "--numeric-owner", "-C", self.path, *_members(back))
        return ""

    def __str__(self) -> str:
        """Show it in one line."""
        return f"put back what the upgrade changed in {self.path}/{ETC}"


def _members(paths: t.Iterable[str]) -> list[str]:
    return [f"./{path}" for path in paths]


@dataclass(frozen=True)
class KeepChanged:
    """Pack what was made or changed in the release's parts of a root since its upgrade: going back would lose it."""

    subject: str
    path: str
    folder: str

    def apply(self, host: Host) -> str:
        """Pack it, and note where it is."""
        known = _known(host, self.subject)
        found = host.files.changed_since(self.path, known.units, known.written)
        if not found:
            return ""
        archive = f"{self.folder}/{self.subject}-{known.begun}.changed.tar.zst"
        argv = ("tar", "-c", "--zstd", "--format", "pax", "--numeric-owner", "-f", archive, "-C", self.path)
        done = host.runner.run(Command((*argv, "--null", "-T", "-"), "\0".join(found)))
        if done.rc != 0:
            raise CommandFailed(done)
        journals.write(host.files, self.subject, replace(known, changed=archive))
        return ""

    def __str__(self) -> str:
        """Show it in one line."""
        return f"keep in {self.folder} what was changed in {self.path} since its upgrade"


@dataclass(frozen=True)
class Prove:
    """See that a jail's root holds a release, and that the jail, if it ran, runs and answers as it did before."""

    subject: str
    path: str
    address: str
    release: str
    seconds: int

    def apply(self, host: Host) -> str:
        """Wait for it."""
        known = _known(host, self.subject)
        if not known.running:
            return self._version(host)
        end = time.monotonic() + self.seconds
        silent = [port for port in known.ports if not answers(host, self.address, port)]
        while silent and time.monotonic() < end:
            time.sleep(1)
            silent = [port for port in silent if not answers(host, self.address, port)]
        if silent:
            raise Unfit(f"nothing answers at port {', '.join(map(str, silent))} any more")
        if self.subject not in parse_jails(output(host.runner, "jls", "--libxo", "json", "-n")):
            raise Unfit("it does not run")
        return self._version(host)

    def _version(self, host: Host) -> str:
        found = parse_version(host.files.read_beneath(self.path, VERSION_FILE, VERSION_FILE_BYTES))
        if found != self.release:
            raise Unfit(f"its root holds {found or 'no world'}, not {self.release}")
        return ""

    def __str__(self) -> str:
        """Show it in one line."""
        return f"see that {self.subject} holds {self.release} and answers as before"


@dataclass(frozen=True)
class When:
    """Steps that are done if a jail's journal says one state; so an upgrade that failed finds its own way back."""

    subject: str
    state: str
    steps: tuple[Step, ...]

    def apply(self, host: Host) -> str:
        """Do them, or none."""
        known = journals.read(host.files, self.subject)
        if known is None or known.state != self.state:
            return ""
        # Even if the way back is not found.
        journals.write(host.files, self.subject, replace(known, failed=True))
        return "".join(step.apply(host) for step in self.steps)

    def __str__(self) -> str:
        """Show it in one line."""
        return f"if {self.subject} is {self.state}: {'; '.join(map(str, self.steps))}"


@dataclass(frozen=True)
class Start:
    """Start a jail that ran before its upgrade, unless it runs already."""

    subject: str

    def apply(self, host: Host) -> str:
        """Start it."""
        running = parse_jails(output(host.runner, "jls", "--libxo", "json", "-n"))
        if _known(host, self.subject).running and self.subject not in running:
            output(host.runner, "jail", "-f", jail_file(self.subject), "-c", self.subject)
        return ""

    def __str__(self) -> str:
        """Show it in one line."""
        return f"start {self.subject} if it ran"
