# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection jailisp.vps: do not use it from elsewhere, it changes without notice.
"""The script on a host that mounts and unmounts a jail's image, and how it is called.

A jail's own file of jail.conf(5) calls it, so a jail finds its root in place at boot and by hand as well.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.jailisp.vps.plugins.module_utils._command import LONG_SECONDS, Command
from ansible_collections.jailisp.vps.plugins.module_utils._plan import InvalidDesired

SCRIPT = "/usr/local/libexec/jailisp-image"
# jail(8) splits a command at blanks, and gives one with a shell's special characters to a shell.
PLAIN = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
SUFFIX = ".img"
# Beside an image that grows, until it has grown: the size in bytes.
GROWTH = ".grow"
# The option `image` of modules, in their argument specs.
OPTION = {
    "type": "dict",
    "options": {"file": {"type": "str", "required": True}, "unit": {"type": "int", "required": True}},
}
# Units of jails are their ids.
UNIT_MAX = 24999

TEXT = r"""#!/bin/sh
# jailisp.vps: written by Ansible; changes here are lost.
#
# usage: jailisp-image mount|unmount UNIT FILE PATH
#
# Mounts at PATH the UFS in the image FILE, attached as the memory disk mdUNIT; or unmounts and detaches it. What is
# done already is not done again. Nothing in the image is run or believed.

export PATH=/sbin:/bin:/usr/sbin:/usr/bin

complain() {
    logger -t jailisp-image "$1"
    echo "jailisp-image: $1" >&2
}

die() {
    complain "$1"
    exit 1
}

# The memory disks that FILE is attached as.
disks_of_file() {
    disks=$(mdconfig -l -f "$file")
    echo "${disks% }"
}

# The mount points of a device.
points_of() {
    mount -p | while read -r source point rest; do
        if [ "$source" = "$1" ]; then
            echo "$point"
        fi
    done
}

# What is mounted at a folder.
sources_at() {
    mount -p | while read -r source point rest; do
        if [ "$point" = "$1" ]; then
            echo "$source"
        fi
    done
}

check_place() {
    if [ -h "$place" ] || [ ! -d "$place" ]; then
        die "$place is not a folder; nothing is mounted there"
    fi
    if [ "$(stat -f %u "$place")" != 0 ]; then
        die "$place is not root's own; nothing is mounted there"
    fi
    if [ -n "$(sources_at "$place")" ]; then
        die "$(sources_at "$place") is mounted at $place; unmount it first"
    fi
    if [ -n "$(ls -A "$place")" ]; then
        die "$place is not empty, $file would hide what is in it; move that away"
    fi
}

attach() {
    if [ -h "$file" ] || [ ! -f "$file" ]; then
        die "$file is not a file; there is no image to mount"
    fi
    disks=$(disks_of_file)
    case "$disks" in
    "md$unit")
        return 0
        ;;
    "")
        ;;
    *)
        die "$file is attached as $disks, not as md$unit alone; it must not be mounted twice"
        ;;
    esac
    if [ -n "$(mdconfig -l -u "$unit")" ]; then
        die "md$unit is another disk than $file; detach that first"
    fi
    mdconfig -a -t vnode -u "$unit" -f "$file" || die "$file cannot be attached as md$unit"
}

# After a crash most is put right by -p; what is not needs -y, which may lose what was being written.
check() {
    if fsck_ffs -p "$device"; then
        return 0
    fi
    complain "$file needs more than fsck_ffs -p; running fsck_ffs -y"
    if fsck_ffs -y "$device" && fsck_ffs -p "$device"; then
        return 0
    fi
    die "$file is damaged and fsck_ffs -y does not repair it; nothing is mounted"
}

mount_image() {
    points=$(points_of "$device")
    if [ -n "$points" ] && [ "$points" != "$place" ]; then
        die "$device is mounted at $points, not at $place; unmount it first"
    fi
    if [ -z "$points" ]; then
        check_place
    fi
    attach
    if [ -z "$points" ]; then
        check
        mount -t ufs "$device" "$place" || die "$device cannot be mounted at $place"
    fi
}

unmount_image() {
    if [ ! -f "$file" ] || [ "$(disks_of_file)" != "md$unit" ]; then
        return 0
    fi
    tries=0
    while [ -n "$(points_of "$device")" ]; do
        # The last process of a jail may take a moment to let go.
        if ! umount "$place"; then
            tries=$((tries + 1))
            if [ "$tries" -ge 10 ]; then
                die "$place cannot be unmounted; see what uses it (fstat -f $place)"
            fi
            sleep 1
        fi
    done
    mdconfig -d -u "$unit" || die "md$unit cannot be detached"
}

if [ "$1" = locked ]; then
    shift
elif [ $# -eq 4 ]; then
    # Two starts of a jail must not attach its image twice.
    exec lockf -k -t 600 "/var/run/jailisp-image.$2.lock" /bin/sh "$0" locked "$@"
fi
action=$1 unit=$2 file=$3 place=$4
device=/dev/md$unit
case "$action" in
mount)
    mount_image
    ;;
unmount)
    unmount_image
    ;;
*)
    echo "usage: jailisp-image mount|unmount UNIT FILE PATH" >&2
    exit 64
    ;;
esac
"""


@dataclass(frozen=True)
class Backing:
    """What a jail's root is mounted from: the image's file, and the unit of md(4) that it is attached as."""

    file: str
    unit: int

    @property
    def device(self) -> str:
        """Return the memory disk."""
        return f"/dev/md{self.unit}"


def backing(what: str, record: t.Mapping[str, t.Any], path: str) -> Backing | None:
    """Return the key ``image`` of a record, checked by :func:`checked`; None if its root is no image."""
    return checked(what, record["image"], path) if record["image"] else None


def checked(what: str, image: t.Mapping[str, t.Any], path: str) -> Backing:
    """Check an image (a mapping of file and unit) and the path of its root.

    ``what`` names the record. Raise :class:`InvalidDesired` if jail(8) or md(4) could not carry it.
    """
    for key, value in (("path", path), ("file", image["file"])):
        if not PLAIN.fullmatch(value):
            raise InvalidDesired(
                f"{what}: {key}: {value!r} is not an absolute path of plain names (letters, digits, ., _ and -)"
            )
    if not 0 < image["unit"] <= UNIT_MAX:
        raise InvalidDesired(f"{what}: unit: {image['unit']} is not from 1 to {UNIT_MAX}; give the jail's id")
    return Backing(image["file"], image["unit"])


def image_file(folder: str, name: str) -> str:
    """Return the path of a jail's image in the folder of the host's images."""
    return f"{folder}/{name}{SUFFIX}"


def script(action: str, image: Backing, path: str) -> Command:
    """Return the command that mounts an image at a path (``action`` mount) or unmounts it (unmount)."""
    argv = ("/bin/sh", SCRIPT, action, str(image.unit), image.file, path)
    return Command(argv, seconds=LONG_SECONDS)
