#!/bin/sh
# Copy programs, with the libraries that they need, to the root given first.
set -eu
root=$1
shift
mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64" "$root/etc" "$root/tmp"
for folder in bin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
ln -s bin "$root/usr/sbin"
ln -s usr/bin "$root/sbin"
for program; do
	file=$(command -v "$program")
	cp "$file" "$root/usr/bin/$program"
	for library in $(ldd "$file" | grep -o '/[^ ]*'); do
		mkdir -p "$root/$(dirname "$library")"
		cp -L "$library" "$root/$library"
	done
done
ln -s /proc/mounts "$root/etc/mtab"
cp /etc/mke2fs.conf "$root/etc/"
