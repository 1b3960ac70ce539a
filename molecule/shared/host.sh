#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What the scenarios do on a host by hand, with FreeBSD's own commands and no help of the collection.
#
#   host.sh list                        what the collection could leave behind, line by line
#   host.sh prepare DISK                note what is there, add what is somebody else's, and a pool if there is a disk
#   host.sh discover BASE               outside interface, its address, and the archive's SHA-256, as JSON
#   host.sh drift HOST PIPE ADDRESS     change a part of everything; PIPE and ADDRESS are those of the jail web-HOST
#   host.sh clean DISK                  after it and a reboot, the host is as it was before prepare
set -eu

kept=$(dirname "$0")
pool=molecule

# Whatever changes in these folders and files while the scenario runs is put back.
folders="/boot/loader.conf.d /etc/jail.conf.d /etc/pf.anchors /etc/rc.conf.d /etc/zfs"
files="/etc/dnctl.conf /etc/jail.conf /etc/pf-fallback.conf /etc/pf.conf /etc/pf.conf.jailisp-former /etc/pf.theirs.conf /etc/rc.conf
	/etc/rctl.conf /etc/ssh/sshd_config /etc/sysctl.conf.local"

list() (
	set +e
	kldstat | awk '{ print "module", $5 }' | sort
	find /etc /boot/loader.conf.d ! -type d ! -path /etc/zfs/zpool.cache -exec stat -f '%N %Sp %Su:%Sg' {} + | sort
	find /etc /boot/loader.conf.d -type f ! -path /etc/zfs/zpool.cache -exec sha256 -r {} + | sort -k 2
	find $folders /usr/local /var/db -type d -maxdepth 1 | sort
	find /var/log -name 'jail_*'
	sysctl security.bsd kern.racct.enable
	jls name path
	mount -p
	mdconfig -l
	rctl
	ifconfig -l
	ifconfig | sed -n 's/^[[:space:]]*inet/inet/p'
	kldstat -q -m pf && { pfctl -s info | sed -n 's/^\(Status: [A-Z][a-z]*\).*/\1/p'; pfctl -sn; pfctl -sr; pfctl -vsA; }
	kldstat -q -m dummynet && dnctl pipe show
	kldstat -q -m zfs && zpool list -H -o name
	true
) 2>/dev/null

prepare() {
	if [ -e /usr/local/jails ] || jls name | grep -q .; then
		echo "there are jails on this host, or a /usr/local/jails: take another" >&2
		exit 1
	fi
	list > "$kept/found"
	for path in $folders $files; do
		[ ! -e "$path" ] || tar -cf - "$path" | tar -xpf - -C "$kept"
	done
	theirs
	if [ -n "$1" ]; then
		kldload -n zfs
		zpool create -m none $pool "/dev/$1"
	fi
	list > "$kept/prepared"
}

# Somebody else's pf rules, table and anchor, pipe, limit, jail, and line in rc.conf.d.
theirs() {
	cat > /etc/pf.theirs.conf <<-'END'
		block drop in quick proto tcp from any to any port 6999
	END
	cat > /etc/pf.conf <<-'END'
		# theirs
		table <friends> persist { 192.0.2.1, 192.0.2.2 }
		nat on lo9 inet from 10.9.9.0/24 to any -> 127.0.0.1
		block drop in quick proto tcp from any to any port 6998
		anchor "theirs"
		load anchor "theirs" from "/etc/pf.theirs.conf"
	END
	echo 'pipe 5 config bw 3Mbit/s' > /etc/dnctl.conf
	echo 'user:daemon:maxproc:log=999' > /etc/rctl.conf
	cat > /etc/jail.conf <<-'END'
		theirs {
			path = "/";
			host.hostname = "theirs.example.net";
			persist;
		}
	END
	echo 'cloned_interfaces="lo9"' >> /etc/rc.conf.d/netif
	ifconfig lo9 create
	kldload -n dummynet
	dnctl pipe 5 config bw 3Mbit/s
	kldload -n pf
	pfctl -f /etc/pf.conf
	jail -c theirs
}

discover() {
	interface=$(route -n get default | sed -n 's/^ *interface: //p')
	address=$(ifconfig "$interface" inet | sed -n 's/^[[:space:]]*inet \([0-9.]*\) .*/\1/p' | head -n 1)
	sha256=$(sha256 -q "$1")
	printf '{"interface": "%s", "address": "%s", "sha256": "%s"}\n' "$interface" "$address" "$sha256"
}

drift() {
	host=$1 pipe=$2 address=$3
	sysctl security.bsd.see_other_uids=1
	pfctl -a jailisp -F rules
	pfctl -F nat
	dnctl pipe "$pipe" config bw 1Kbit/s
	dnctl pipe delete "$((pipe + 1))"
	jail -f "/etc/jail.conf.d/mail-$host.conf" -r "mail-$host"
	jail -c "name=idle-$host" "path=/usr/local/jails/$host/idle-$host" persist
	jail -m "name=open-$host" host.hostname=drift.example.net allow.raw_sockets=1
	echo '# drift' >> "/etc/jail.conf.d/open-$host.conf"
	rm "/etc/jail.conf.d/web-$host.conf"
	ifconfig lo1 inet "$address" -alias
}

# Rules, pipes, interfaces, values and modules are left to the reboot, which is safer than to unload modules.
clean() {
	set +e
	jls name path | while read -r name path; do
		case "$name:$path" in
		theirs:*|*:/usr/local/jails/*) jail -R "$name" ;;
		esac
	done
	# Devices lie in images, so they go first.
	for type in devfs ufs; do
		mount -p | while read -r _ point kind _; do
			case "$point:$kind" in
			/usr/local/jails/*:$type) umount "$point" ;;
			esac
		done
	done
	mdconfig -lv | while read -r disk _ _ file _; do
		case "$file" in
		/var/jail-images/*) mdconfig -d -u "${disk#md}" ;;
		esac
	done
	rm -rf /var/jail-images /usr/local/libexec/jailisp-* /usr/local/etc/rc.d/jailisp_*
	grep -qx /usr/local/libexec "$kept/found" || rmdir /usr/local/libexec
	if [ -n "$1" ] && kldstat -q -m zfs && zpool list $pool > /dev/null 2>&1; then
		zpool destroy -f $pool
		zpool labelclear -f "/dev/$1"
	fi
	if [ -d /usr/local/jails ]; then
		chflags -R noschg /usr/local/jails
		rm -rf /usr/local/jails
	fi
	rm -rf /var/db/jailisp /var/log/jail_*-h[12]_console.log
	find $folders ! -type d | while read -r path; do
		[ -e "$kept$path" ] || rm "$path"
	done
	for path in $files; do
		[ -e "$kept$path" ] || rm -f "$path"
	done
	for path in $folders; do
		[ -d "$kept$path" ] || [ ! -d "$path" ] || rmdir "$path"
	done
	for path in boot etc; do
		[ ! -d "$kept/$path" ] || tar -cf - -C "$kept" "$path" | tar -xpf - -C /
	done
}

"$@"
