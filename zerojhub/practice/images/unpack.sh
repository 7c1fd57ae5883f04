#!/bin/sh
# Unpacks images with the containerd of machines. Environment: BASE (their root file system), IMAGES (an OCI layout), DIR, with
# the index.json of those images to unpack. Leaves there `snapshots`, the layers, and `store`, what a containerd knows of them.
set -eu
cd "$DIR"
mkdir scratch containerd
mount -t tmpfs tmpfs scratch
mkdir scratch/upper scratch/work scratch/root
mount -t overlay overlay -o "lowerdir=$BASE,upperdir=scratch/upper,workdir=scratch/work" scratch/root
for each in proc dev sys; do mount --rbind "/$each" "scratch/root/$each"; done
mount -t tmpfs tmpfs scratch/root/run
mkdir -p scratch/root/var/lib/containerd
mount --bind containerd scratch/root/var/lib/containerd

tar -cf - index.json -C "$IMAGES" oci-layout blobs | chroot scratch/root sh -euc '
	ctr() { command ctr --namespace k8s.io "$@"; }
	containerd --log-level warn &
	until ctr version >/dev/null 2>&1; do
		kill -0 $!
		sleep 0.1
	done
	ctr images import --digests --base-name layers - >/dev/null
	# Nothing else refers to the layers once the images are removed.
	for layer in $(ctr snapshots list | awk "NR > 1 { print \$1 }"); do
		ctr snapshots label "$layer" containerd.io/gc.root=layers >/dev/null
	done
	for image in $(ctr images list --quiet); do ctr images remove --sync "$image" >/dev/null; done
	[ -z "$(ctr content list --quiet)" ]
	kill $!
	wait $!'

mkdir -p store/io.containerd.metadata.v1.bolt store/io.containerd.snapshotter.v1.overlayfs/snapshots
mv containerd/io.containerd.metadata.v1.bolt/meta.db store/io.containerd.metadata.v1.bolt/
mv containerd/io.containerd.snapshotter.v1.overlayfs/metadata.db store/io.containerd.snapshotter.v1.overlayfs/
mv containerd/io.containerd.snapshotter.v1.overlayfs/snapshots .
umount --recursive scratch
rm -r containerd scratch index.json
