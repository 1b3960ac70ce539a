# SPDX-License-Identifier: GPL-3.0-or-later
from records import Site, read
from testinfra.host import Host


def test_those_jails_run_that_must_and_no_others(host: Host, site: Site) -> None:
    running = host.check_output("jls name").split()
    assert [name for name in sorted(running) if name.endswith(site.name)] == [jail.name for jail in site.running]


def test_running_jails_have_the_parameters_of_their_records(host: Host, site: Site) -> None:
    parameters = "name path host.hostname ip4.addr securelevel devfs_ruleset sysvshm allow.raw_sockets"
    shown = host.check_output(f"jls {parameters}").splitlines()
    wanted = [f"{jail.name} {jail.root} {jail.hostname} {jail.address} 2 4 new false" for jail in site.running]
    assert sorted(line for line in shown if line.partition(" ")[0].endswith(site.name)) == wanted


def test_running_jails_start_at_boot_and_others_do_not(host: Host, site: Site) -> None:
    files = host.check_output(f"ls /etc/jail.conf.d | grep -e '-{site.name}.conf'").splitlines()
    assert files == [f"{jail.name}.conf" for jail in site.running]


def test_files_of_jails_are_good_for_jail_8_and_for_root_only(host: Host, site: Site) -> None:
    for jail in site.running:
        assert host.check_output(f"stat -f '%Sp %Su' {jail.conf}") == "-rw------- root"
        assert f"name={jail.name}" in host.check_output(f"jail -f {jail.conf} -e '|'").split("|")


def test_every_jail_has_a_world_with_a_locked_root(host: Host, site: Site) -> None:
    for jail in site.jails:
        assert host.run(f"test -x {jail.root}/bin/freebsd-version").rc == 0
        assert host.check_output(f"grep ^root: {jail.root}/etc/master.passwd").split(":")[1] == "*"
        assert 'sshd_enable="YES"' in host.check_output(f"cat {jail.root}/etc/rc.conf").splitlines()


def test_every_customer_gets_in_by_his_keys(host: Host, site: Site) -> None:
    customer = read("customers", "alice")
    for jail in site.jails:
        row = host.check_output(f"grep ^{customer['user']}: {jail.root}/etc/master.passwd").split(":")
        assert (row[1], row[2], row[8]) == ("*", "1001", f"/home/{customer['user']}")
        assert f"wheel:*:0:root,{customer['user']}" in host.check_output(f"cat {jail.root}/etc/group").splitlines()
        for home, owner in (("root", "0"), (f"home/{customer['user']}", "1001")):
            folder = f"{jail.root}/{home}/.ssh"
            assert host.check_output(f"cat {folder}/authorized_keys").splitlines() == customer["keys"]
            shown = host.check_output(f"stat -f '%Sp %u' {folder} {folder}/authorized_keys").splitlines()
            assert shown == [f"drwx------ {owner}", f"-rw------- {owner}"]


def test_no_two_jails_have_the_same_host_key(host: Host, site: Site) -> None:
    keys = [host.check_output(f"cat {jail.root}/etc/ssh/ssh_host_ed25519_key.pub").split()[1] for jail in site.jails]
    assert len(set(keys)) == len(site.jails)


def test_the_root_of_a_running_jail_with_an_image_is_its_own_file_system(host: Host, site: Site) -> None:
    mounts = [line.split()[:3] for line in host.check_output("mount -p").splitlines()]
    disks = [line.split() for line in host.check_output("mdconfig -lv").splitlines()]
    for jail in site.jails:
        number, file = jail.record["id"], f"/var/jail-images/{jail.name}.img"
        has_image = jail.record.get("storage") == "image"
        assert ([f"/dev/md{number}", jail.root, "ufs"] in mounts) == (has_image and jail.runs), mounts
        assert (file in [disk[3] for disk in disks]) == (has_image and jail.runs), disks
        if has_image:
            assert host.check_output(f"stat -f '%z %Sp %Su' {file}") == f"{1 << 30} -rw------- root"


def test_roots_are_datasets_where_the_host_has_a_pool(host: Host, site: Site) -> None:
    mounts = host.check_output("mount -p")
    for jail in site.jails:
        is_dataset = [f"molecule/jails/{jail.name}", jail.root] in [line.split()[:2] for line in mounts.splitlines()]
        assert is_dataset == (site.variables["vps_storage"] == "dataset"), mounts
        if is_dataset:
            limits = host.check_output(f"zfs get -Hp -o value refquota,quota molecule/jails/{jail.name}").split()
            assert limits == [str(4 << 30), str(6 << 30)]


def test_nobody_but_root_reaches_the_roots(host: Host, site: Site) -> None:
    assert host.check_output(f"stat -f '%Sp %Su' /usr/local/jails/{site.name}") == "drwx------ root"


def test_devices_are_mounted_once_in_running_jails(host: Host, site: Site) -> None:
    mounts = [line.split() for line in host.check_output("mount -p").splitlines()]
    devices = sorted(mount[1] for mount in mounts if mount[2] == "devfs" and f"/jails/{site.name}/" in mount[1])
    assert devices == [f"{jail.root}/dev" for jail in site.running]


def test_a_jail_is_a_booted_server(host: Host, site: Site) -> None:
    for jail in site.running:
        assert host.check_output(f"jexec {jail.name} hostname") == jail.hostname
        assert host.check_output(f"jexec {jail.name} freebsd-version -u").startswith("15.1-RELEASE")
        answers = f"nc -z -w 1 {jail.address} 22"
        waiting = f"tries=300; until {answers}; do tries=$((tries - 1)); [ $tries -gt 0 ] || exit 1; sleep 1; done"
        assert host.run(waiting).rc == 0, f"sshd of {jail.name} does not answer"
