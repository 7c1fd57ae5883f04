#!/bin/sh
# The first process of a machine: sets up its file systems, then becomes the service supervisor.
# Environment: NAME and UUID of the machine, DIR (its folder), BASE (the shared root file system), LAYERS (those of images),
# PROGRAMS (Kubernetes versions, "VERSION=FOLDER ..."), CGROUPS (version 1 hierarchies, "FOLDER=OPTIONS ...").
set -eu
echo "Booting $NAME"
hostname "$NAME"
read -r _ # wait for a line: the network is connected

cd "$DIR"
mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$DIR/upper,workdir=$DIR/work" root
cd root

mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mkdir run/lock run/sshd

mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty kmsg; do
	touch dev/$device
	mount --bind /dev/$device dev/$device
done
mkdir -p dev/pts dev/shm dev/mqueue dev/disk/by-id
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t mqueue mqueue dev/mqueue
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${stream%%:*}" "dev/${stream#*:}"; done

# Control groups: the machine's own group is the root of each hierarchy, with a group for Kubernetes in it.
if [ -n "$CGROUPS" ]; then
	mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
	for tree in $CGROUPS; do
		folder=${tree%%=*} options=${tree#*=}
		mkdir "sys/fs/cgroup/$folder"
		mount -t cgroup -o "$options" cgroup "sys/fs/cgroup/$folder"
		mkdir "sys/fs/cgroup/$folder/kubelet"
		for part in cpuset.cpus cpuset.mems; do
			[ ! -e "sys/fs/cgroup/$folder/$part" ] || cat "sys/fs/cgroup/$folder/$part" >"sys/fs/cgroup/$folder/kubelet/$part"
		done
		case $options in
		name=*) ;;
		*,*) for part in $(echo "$options" | tr , ' '); do ln -s "$folder" "sys/fs/cgroup/$part" 2>/dev/null || :; done ;;
		esac
	done
else
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mkdir sys/fs/cgroup/kubelet
fi

# The UUID that firmware would report. If the host has no such file to mount over, overlay the folder.
mkdir run/firmware
if [ -e sys/class/dmi/id/product_uuid ]; then
	(umask 377 && echo "$UUID" >run/firmware/product_uuid)
	mount --bind run/firmware/product_uuid sys/class/dmi/id/product_uuid
else
	mkdir -p run/firmware/upper/dmi/id run/firmware/work
	(umask 377 && echo "$UUID" >run/firmware/upper/dmi/id/product_uuid)
	mount -t overlay overlay -o lowerdir=sys/class,upperdir=run/firmware/upper,workdir=run/firmware/work sys/class
fi

# Kubelet requires these values, but they belong to the whole host, so mount copies over them.
mkdir run/sysctl
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
	kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
	file=${setting%%=*} copy=run/sysctl/$(echo "${setting%%=*}" | tr / .)
	echo "${setting#*=}" >"$copy"
	mount --bind "$copy" "proc/sys/$file"
done
[ ! -e proc/sysrq-trigger ] || mount --bind dev/null proc/sysrq-trigger
echo 1 >proc/sys/net/ipv4/ip_forward

# Containers cannot be stored on an overlay, so bind-mount real folders.
for store in containerd kubelet etcd; do
	mkdir -p "$DIR/data/$store" "var/lib/$store"
	mount --bind "$DIR/data/$store" "var/lib/$store"
done
share() { # FOLDER PLACE: read-only
	mkdir -p "$2"
	mount --bind "$1" "$2"
	mount -o remount,bind,ro "$2"
}
share "$LAYERS" opt/layers
for version in $PROGRAMS; do share "${version#*=}" "opt/kubernetes/${version%%=*}"; done

mkdir .old
pivot_root . .old
umount -l /.old
rmdir /.old
mount --make-rshared /
echo "Welcome to $(. /etc/os-release && echo "$PRETTY_NAME")!"
# Drop the capabilities to load modules, set the clock or reboot the host.
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
	setpriv --bounding-set=-sys_module,-sys_time,-sys_boot,-sys_rawio,-mac_admin,-mac_override \
	s6-svscan /etc/service </dev/null
