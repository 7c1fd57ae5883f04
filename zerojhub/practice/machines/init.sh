#!/bin/sh
# The first process of a machine: builds its view of the world, then becomes its supervisor of services.
# From its environment: NAME and UUID of the machine, DIR (its folder), BASE (the root that all share),
# PROGRAMS ("VERSION=FOLDER ..." of Kubernetes), CGROUPS ("FOLDER=OPTIONS ..." of version 1 hierarchies).
set -eu
echo "Booting $NAME"
hostname "$NAME"
read -r _ # the network is plugged in when a line comes

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

# Control groups: the machine sees its own as the root of each hierarchy, and Kubernetes has one in it.
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

# The UUID that firmware would report. A host without such firmware has no file to cover, only a folder to overlay.
mkdir run/firmware
if [ -e sys/class/dmi/id/product_uuid ]; then
	(umask 377 && echo "$UUID" >run/firmware/product_uuid)
	mount --bind run/firmware/product_uuid sys/class/dmi/id/product_uuid
else
	mkdir -p run/firmware/upper/dmi/id run/firmware/work
	(umask 377 && echo "$UUID" >run/firmware/upper/dmi/id/product_uuid)
	mount -t overlay overlay -o lowerdir=sys/class,upperdir=run/firmware/upper,workdir=run/firmware/work sys/class
fi

# Kubelet wants these to be so, and they belong to the whole host: it gets copies to be content with.
mkdir run/sysctl
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
	kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
	file=${setting%%=*} copy=run/sysctl/$(echo "${setting%%=*}" | tr / .)
	echo "${setting#*=}" >"$copy"
	mount --bind "$copy" "proc/sys/$file"
done
[ ! -e proc/sysrq-trigger ] || mount --bind dev/null proc/sysrq-trigger
echo 1 >proc/sys/net/ipv4/ip_forward

# Containers need a real file system below them, which an overlay is not.
for store in containerd kubelet etcd; do
	mkdir -p "$DIR/data/$store" "var/lib/$store"
	mount --bind "$DIR/data/$store" "var/lib/$store"
done
for version in $PROGRAMS; do
	mkdir -p "opt/kubernetes/${version%%=*}"
	mount --bind "${version#*=}" "opt/kubernetes/${version%%=*}"
	mount -o remount,bind,ro "opt/kubernetes/${version%%=*}"
done

mkdir .old
pivot_root . .old
umount -l /.old
rmdir /.old
mount --make-rshared /
echo "Welcome to $(. /etc/os-release && echo "$PRETTY_NAME")!"
# No module, no clock and no power switch of the host.
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
	setpriv --bounding-set=-sys_module,-sys_time,-sys_boot,-sys_rawio,-mac_admin,-mac_override \
	s6-svscan /etc/service </dev/null
