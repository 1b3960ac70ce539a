# Copyright (c) 2026, the jailisp.vps authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model host with what the role host writes for pf at boot."""

from __future__ import annotations

import typing as t
from pathlib import Path

import jinja2

from model import machine

if t.TYPE_CHECKING:
    from model.host import Host

TEMPLATES = Path(__file__).resolve().parents[2] / "roles/host/templates"
SCRIPTS = ("jailisp_guard", "jailisp_guard_log", "jailisp_blocked")


def render(name: str, **variables: t.Any) -> str:
    """Return what the role host makes of a template."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(name).render(variables) + "\n"


def ready(
    host: Host,
    address: str,
    *,
    own: t.Sequence[str] = (),
    addresses: t.Sequence[str] = (),
    ports: t.Sequence[int] = (22,),
) -> Host:
    """Install a host and give it the role's files; its sshd answers at its ``own`` addresses, on the ``ports``."""
    machine.install(host, name="h1", address=address, addresses=addresses)
    equip(host, own or [address], ports)
    return host


def equip(host: Host, own: t.Sequence[str], ports: t.Sequence[int] = (22,)) -> None:
    """Give a host the role's files."""
    host.path("/etc/rc.conf.d").mkdir(exist_ok=True)
    host.path("/etc/rc.conf.d/pf").write_text(render("rc.conf.d/pf.j2"))
    for name in SCRIPTS:
        script = host.path(f"/usr/local/etc/rc.d/{name}")
        script.write_text(render(f"rc.d/{name}.j2"))
        script.chmod(0o555)
    text = render("pf-fallback.conf.j2", host_own_addresses=[*own], host_ssh_ports=[*ports])
    host.path("/etc/pf-fallback.conf").write_text(text)
